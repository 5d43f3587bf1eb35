"""The listening sockets of one running image, at the device's own address; all vanish with the power."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable

from simlab.fields import LabError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Takes whatever comes and never answers, until the client closes."""
    while await reader.read(4096):
        pass


class Ports:
    """Open ports of one board, with their connections."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def open(self, port: int, handler: Handler) -> None:
        """Listens on a port and serves each connection by the handler; LabError if the port cannot be had."""
        try:
            listener = socket.create_server((self._address, port), backlog=16)
        except OSError as error:
            raise LabError(
                f"cannot listen on {self._address}:{port}: {os.strerror(error.errno or 0)}"
            ) from error

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(handler, reader, writer)

        # Kept before it serves: a power cut while this waits must find the server to close it.
        server = await asyncio.start_server(serve, sock=listener, start_serving=False)
        self._servers.append(server)
        await server.start_serving()

    def close(self) -> None:
        """Closes everything at once, as a power cut does: listeners are gone, connections are reset."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for task, writer in self._connections.items():
            if not writer.transport.is_closing():
                _reset_on_close(writer)
            writer.transport.abort()
            task.cancel()

    async def _serve(
        self, handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served in a task of the event loop")
        self._connections[task] = writer
        # Small answers must not wait for acknowledgements; asyncio sets this only on sockets that it made.
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            # The client went away in the middle, or sent a line longer than the reader's limit (ValueError).
            writer.transport.abort()
        except asyncio.CancelledError:
            # The power went. Python 3.11's streams report a handler that ends as cancelled as an error.
            return
        finally:
            del self._connections[task]
            writer.close()


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    # Without this the kernel would say good-bye in order, which a board without power cannot.
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
