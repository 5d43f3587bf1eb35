"""What `mozpool run` does: have a device, run a command beside it, and give the device back whatever happens.

One loop reads one inbox, into which signals, news of the request and the end of the command are put; so nothing
happens at a moment for which it is not prepared.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Union

from mozpool_client.cli.output import local
from mozpool_client.cli.signals import signals_to
from mozpool_client.errors import MozpoolError
from mozpool_client.following import check_ready, has_lost
from mozpool_client.holding import Keeper
from mozpool_client.models import Request
from mozpool_client.plans import Order
from mozpool_client.sync import Mozpool

# A shell's statuses for a program that is not there, and for one that can't be run.
NOT_FOUND, NOT_EXECUTABLE = 127, 126
# Seconds in which the device is given back although servers are away; it expires by itself if that is too short.
_RETURN_SECONDS = 20.0
# Seconds between looks whether all of the command's processes are gone.
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Signalled:
    """We got a signal."""

    number: int


@dataclass(frozen=True)
class Exited:
    """The command has ended, with a shell's status: 128 and the signal's number when a signal ended it."""

    status: int


Message = Union[Signalled, Exited, Request, MozpoolError]


@dataclass(frozen=True)
class Rules:
    """How to run.

    `timeout`: seconds to wait for the device, None for as long as it takes. `grace`: seconds between a signal
    and SIGKILL. `abort_on_loss`: whether the command ends when its device is lost.
    """

    timeout: float | None
    grace: float
    abort_on_loss: bool


class Command:
    """A process that leads a process group of its own."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        # A session of its own is also a process group of its own, which signals can reach as a whole.
        self._process = subprocess.Popen(list(words), env=dict(environment), start_new_session=True)

    def wait(self) -> int:
        """Wait for its end; give a shell's status."""
        status = self._process.wait()
        return 128 - status if status < 0 else status

    def send(self, number: int) -> bool:
        """Send a signal to all of its group; give whether there was anybody."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def end_group(self, ends: float | None, grace: float) -> None:
        """End what the command left running: nobody may go on using the device.

        What has had its signal is killed at `ends`, on the monotonic clock; None: it gets one now, and `grace` seconds.
        """
        if ends is None:
            self.send(signal.SIGTERM)
            ends = time.monotonic() + grace
        while self.send(0) and time.monotonic() < ends:
            time.sleep(_LOOK_SECONDS)
        self.send(signal.SIGKILL)


class Session:
    """One run. `warn` is told what went wrong though the command goes on; `show` each look at the request."""

    def __init__(
        self,
        pool: Mozpool,
        order: Order,
        rules: Rules,
        show: Callable[[Request], object],
        warn: Callable[[str], object],
    ) -> None:
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._keeper = Keeper(pool.again(), order, self._inbox.put)
        self._rules = rules
        self._show = show
        self._warn = warn
        self._lost = False
        self._kill_at: float | None = None

    def run(self, words: Sequence[str], ready: Callable[[Request], object]) -> int:
        """Do all of it; `ready` is told when the command starts. Give the exit status.

        Raises MozpoolError when there was no device to run it with.
        """
        with signals_to(lambda number: self._inbox.put(Signalled(number))):
            try:
                self._keeper.start()
                request = self._wait()
                if isinstance(request, int):
                    return request
                ready(request)
                return self._run(words, request)
            finally:
                self._give_back()

    def _wait(self) -> Request | int:
        """Wait until the device is ready; give the request, or the status for a signal that came meanwhile."""
        ends = None if self._rules.timeout is None else time.monotonic() + self._rules.timeout
        latest: Request | None = None
        while True:
            message = self._next(ends)
            if isinstance(message, Signalled):
                return 128 + message.number
            if isinstance(message, MozpoolError):
                raise message
            if isinstance(message, Request):
                latest = message
                self._show(latest)
            if message is None and latest is None:
                raise MozpoolError("the request could not be filed in time", code="not_ready_in_time")
            if latest is not None and (message is None or latest.is_ready or latest.has_ended):
                check_ready(latest, self._rules.timeout)
                return latest

    def _run(self, words: Sequence[str], request: Request) -> int:
        try:
            command = Command(words, environment(request))
        except OSError as error:
            self._warn(f"{words[0]} can't be started: {error.strerror}")
            return NOT_EXECUTABLE
        threading.Thread(target=lambda: self._inbox.put(Exited(command.wait())), daemon=True).start()
        try:
            status = self._watch(command, request)
        finally:
            command.end_group(self._kill_at, self._rules.grace)
        return status or int(self._lost and self._rules.abort_on_loss)

    def _watch(self, command: Command, request: Request) -> int:
        """Pass on what concerns the command until it has ended; give its status."""
        state = request.state
        killed = False
        while True:
            message = self._next(None if killed else self._kill_at)
            if message is None:
                command.send(signal.SIGKILL)
                killed = True
            elif isinstance(message, Exited):
                return message.status
            elif isinstance(message, Signalled):
                self._stop(command, message.number)
            elif isinstance(message, MozpoolError):
                self._warn(f"the request can't be renewed any more: {message}")
            elif has_lost(message, request):
                self._lose(command, request, message)
            elif message.state != state:
                state = message.state
                if not message.is_ready:
                    self._warn(f"the device is not ready any more: request {message.id} is {state}")

    def _lose(self, command: Command, given: Request, request: Request) -> None:
        if self._lost:
            return
        self._lost = True
        name = given.device.name if given.device else "it"
        instead = f" on {request.device.name}" if request.device else ""
        self._warn(
            f"the device is lost: request {request.id} is {request.state}{instead}, no longer on {name}"
        )
        if self._rules.abort_on_loss:
            self._stop(command, signal.SIGTERM)

    def _stop(self, command: Command, number: int) -> None:
        command.send(number)
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._rules.grace

    def _next(self, ends: float | None) -> Message | None:
        """Give the next message; None when the monotonic clock reaches `ends`."""
        try:
            return self._inbox.get(timeout=None if ends is None else max(0.0, ends - time.monotonic()))
        except queue.Empty:
            return None

    def _give_back(self) -> None:
        try:
            self._keeper.give_back(_RETURN_SECONDS)
        except MozpoolError as error:
            request = self._keeper.request
            if request is not None:
                self._warn(
                    f"request {request.id} could not be given back ({error}); it ends by itself"
                    f"{f', at {local(request.expires)} or sooner' if request.expires else ' some day'}: "
                    f"mozpool return {request.id}"
                )


def environment(request: Request) -> dict[str, str]:
    """Give the environment of the command: ours, and which device it has."""
    device = request.device
    return {
        **os.environ,
        "MOZPOOL_DEVICE": device.name if device else "",
        "MOZPOOL_DEVICE_FQDN": device.fqdn if device else "",
        "MOZPOOL_DEVICE_ADDRESS": (device.address or "") if device else "",
        "MOZPOOL_REQUEST_ID": str(request.id),
        "MOZPOOL_REQUEST_URL": request.url,
    }
