"""A child process of the lab: runs one part, and answers the supervisor over the socket it was given."""

import asyncio
import ctypes
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Mapping

from simlab.channel import Channel, ChannelClosed
from simlab.config import parse, split
from simlab.fields import Fields, LabError
from simlab.part import Part

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent dies."""


def main() -> None:
    """`python -m simlab.worker FD SUPERVISOR_PID`, started by the supervisor only."""
    try:
        descriptor, parent = (int(argument) for argument in sys.argv[1:])
    except ValueError:
        sys.exit("simlab.worker is started by the supervisor: run python -m simlab LAB.json")
    _die_with(parent)
    # Ctrl-C reaches the whole terminal group; only the supervisor acts on it, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _allow_many_sockets()
    asyncio.run(_run(socket.socket(fileno=descriptor)))


def _die_with(parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"simlab.worker: prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("simlab.worker: the supervisor died while this worker started")


def _allow_many_sockets() -> None:
    # A board holds a listener or two, a connection to its agent and one to the server.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _crashed(name: str, error: BaseException) -> None:
    # A board's life ended by an error that no simulated fault explains: the lab cannot be trusted any more.
    sys.stderr.write(f"simlab: {name}: {error}\n")
    traceback.print_exception(error)
    sys.stderr.flush()
    os._exit(1)


def _loop_error(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    text = str(context.get("message"))
    _crashed(text, error if isinstance(error, BaseException) else RuntimeError(text))


async def _run(connected: socket.socket) -> None:
    channel = await Channel.over(connected)
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    loop.set_exception_handler(_loop_error)
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        first = Fields(await channel.receive(), "")
        number = first.whole("part", 0, 63)
        part = Part(split(parse(first.text("lab", r"(?s).+")))[number], _crashed)
        try:
            await _serve(part, channel)
        finally:
            part.stop()
    except (ChannelClosed, asyncio.CancelledError):
        return  # The supervisor is gone, or ends the lab.
    finally:
        channel.close()


async def _serve(part: Part, channel: Channel) -> None:
    try:
        await part.start()
    except LabError as error:
        await channel.send({"ok": False, "error": str(error)})
        return
    await channel.send({"ok": True, "value": part.counts()})
    while True:
        await channel.send(_answer(part, await channel.receive()))


def _answer(part: Part, request: Mapping[str, object]) -> dict[str, object]:
    try:
        return {"ok": True, "value": part.answer(request)}
    except LabError as error:
        return {"ok": False, "error": str(error)}


if __name__ == "__main__":
    main()
