"""JSON lines between the supervisor and its workers: one object a line, one answer for each request."""

import asyncio
import json
import socket

LONGEST_LINE = 256 << 20
"""Enough for the whole history of ten thousand boards."""


class ChannelClosed(Exception):
    """The other side is gone."""


class Channel:
    """One side of a connected socket; whole JSON objects go in and come out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @staticmethod
    async def over(connected: socket.socket) -> "Channel":
        """A channel over a connected Unix socket."""
        return Channel(*await asyncio.open_unix_connection(sock=connected, limit=LONGEST_LINE))

    async def send(self, message: dict[str, object]) -> None:
        """Sends one object; ChannelClosed if the other side is gone."""
        try:
            self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
            await self._writer.drain()
        except ConnectionError as error:
            raise ChannelClosed from error

    async def receive(self) -> dict[str, object]:
        """The next object; ChannelClosed if the other side is gone, ValueError if the line is no object."""
        try:
            line = await self._reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ChannelClosed from error
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("a JSON object expected")  # noqa: TRY004 - one error for all that is no object
        return message

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()
