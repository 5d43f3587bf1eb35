"""Starts the lab's workers, serves the control socket, and ends everything together."""

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from simlab.channel import LONGEST_LINE, Channel, ChannelClosed
from simlab.config import LabConfig, parse, split
from simlab.fields import LabError
from simlab.part import VERBS, resident_bytes

SECONDS_TO_END = 5.0
"""A worker that has not ended this long after SIGTERM is killed."""


class Worker:
    """One child process, the channel to it, and the names of what it owns."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel, config: LabConfig) -> None:
        self.process = process
        self.names = {spec.name for spec in config.devices} | {spec.name for spec in config.relay_boards}
        self._channel = channel
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, request: Mapping[str, object]) -> dict[str, object]:
        """Passes a request on; its answer. LabError if the worker is gone or refuses."""
        async with self._one_at_a_time:
            try:
                await self._channel.send(dict(request))
                answer = await self._channel.receive()
            except ChannelClosed as error:
                raise LabError(f"the worker with process id {self.process.pid} is gone") from error
        value = answer.get("value")
        if isinstance(value, dict):
            return value
        raise LabError(str(answer.get("error")))

    async def end(self) -> None:
        """Ends the process and waits for it."""
        if self.process.returncode is None:
            self.process.terminate()
        try:
            async with asyncio.timeout(SECONDS_TO_END):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        self._channel.close()


async def run(text: str, ready_file: Path | None) -> None:
    """Runs the lab that the text describes until SIGTERM or SIGINT; LabError if it cannot start or breaks."""
    config = parse(text)
    _free_control(config.control)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    workers: list[Worker] = []
    try:
        counts = await _start(text, config, workers, stop)
        if stop.is_set():
            return
        server = await asyncio.start_unix_server(partial(_serve, workers), config.control, limit=LONGEST_LINE)
        config.control.chmod(stat.S_IRUSR | stat.S_IWUSR)
        _announce(config, counts, ready_file)
        try:
            await _until_stopped(workers, stop)
        finally:
            server.close()
    finally:
        await asyncio.gather(*(worker.end() for worker in workers))
        _tidy(config.control, ready_file)


async def _start(
    text: str, config: LabConfig, workers: list[Worker], stop: asyncio.Event
) -> dict[str, object]:
    for part in split(config):
        if stop.is_set():
            return {}
        workers.append(await _spawn(part))
    answers = await asyncio.gather(
        *(worker.ask({"lab": text, "part": number}) for number, worker in enumerate(workers))
    )
    return merged(answers)


async def _spawn(part: LabConfig) -> Worker:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "simlab.worker", str(theirs.fileno()), str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    return Worker(process, await Channel.over(ours), part)


async def _until_stopped(workers: list[Worker], stop: asyncio.Event) -> None:
    stopped = asyncio.create_task(stop.wait())
    ends = {asyncio.create_task(worker.process.wait()): worker for worker in workers}
    await asyncio.wait({stopped, *ends}, return_when=asyncio.FIRST_COMPLETED)
    dead = [worker for end, worker in ends.items() if end.done()]
    for task in (stopped, *ends):
        task.cancel()
    if dead and not stop.is_set():
        process = dead[0].process
        raise LabError(f"the worker with process id {process.pid} ended by itself ({process.returncode})")


def _free_control(path: Path) -> None:
    """Removes the socket of a lab that was killed; LabError if a lab lives there, or it is no socket."""
    if not path.exists():
        return
    if not path.is_socket():
        raise LabError(f"control: {path} exists and is no socket; remove it or choose another path")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise LabError(f"control: another lab is running at {path}; stop it first")
    path.unlink()


def _tidy(control: Path, ready_file: Path | None) -> None:
    control.unlink(missing_ok=True)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)


def _announce(config: LabConfig, counts: Mapping[str, object], ready_file: Path | None) -> None:
    if ready_file is not None:
        content = json.dumps({"pid": os.getpid(), "control": str(config.control), **counts})
        temporary = ready_file.with_name(f".{ready_file.name}.{os.getpid()}")
        temporary.write_text(f"{content}\n", encoding="utf-8")
        temporary.replace(ready_file)
    print(f"ready: {counts['devices']} devices, {counts['relay_boards']} relay boards, ", end="")
    print(f"control {config.control}", flush=True)


async def _serve(workers: list[Worker], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    channel = Channel(reader, writer)
    try:
        while True:
            await channel.send(await _answer(workers, channel))
    except ChannelClosed:
        pass  # The client is done.
    finally:
        channel.close()


async def _answer(workers: list[Worker], channel: Channel) -> dict[str, object]:
    try:
        return {"ok": True, "value": await _route(workers, await channel.receive())}
    except ValueError as error:
        return {"ok": False, "error": f"the request is no JSON object: {error}"}
    except LabError as error:
        return {"ok": False, "error": str(error)}


async def _route(workers: list[Worker], request: Mapping[str, object]) -> dict[str, object]:
    verb, name = request.get("verb"), request.get("name")
    if verb not in VERBS:
        raise LabError(f"unknown verb {verb!r}; known are {', '.join(sorted(VERBS))}")
    if name is not None:
        owners = [worker for worker in workers if name in worker.names]
        if not owners:
            raise LabError(f"no device or relay board {name}")
        return await owners[0].ask(request)
    value = merged(await asyncio.gather(*(worker.ask(request) for worker in workers)))
    if verb == "stats":
        value = merged([value, {"rss": {str(os.getpid()): resident_bytes()}}])
    return value


def merged(values: list[dict[str, object]]) -> dict[str, object]:
    """The workers' answers as one: objects are joined, numbers under the same name are added up."""
    whole: dict[str, object] = {}
    for value in values:
        for name, item in value.items():
            match whole.get(name), item:
                case dict() as old, dict():
                    whole[name] = merged([old, item])
                case int() as old, int():
                    whole[name] = old + item
                case None, _:
                    whole[name] = item
                case _:
                    raise LabError(f"two workers answer for {name}")
    return whole
