"""The life of one private server process: start, stop, kill, freeze, and never outlive the process that started it."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

# prctl(2): the kernel sends this signal to a child whose parent (strictly: the parent's starting thread) dies.
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_LOG_TAIL = 2000  # characters of a server's log that an error shows


class ServerFailed(Exception):
    """A private server could not be started, or did not stop; the message holds the end of its log."""


def die_with_parent() -> Callable[[], None]:
    """Give a `preexec_fn` that has the child killed when the process that calls this now dies."""
    parent = os.getpid()

    def arm() -> None:
        if _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(127)

    return arm


def free_port() -> int:
    """Find a TCP port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server(ABC):
    """A server with a folder of its own and a port that it keeps over restarts.

    Start it with `with` or `start()`. `restart()` after `stop()` or `kill9()` finds the same data, as far as the
    server itself kept it.
    """

    name: str
    start_seconds = 20.0
    stop_seconds = 30.0

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"mozpool-{self.name}-"))
        self.port = free_port()
        self.log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL by which the settings name this server."""

    @abstractmethod
    def command(self) -> list[str]:
        """Give the server's argument list."""

    @abstractmethod
    def answers(self) -> bool:
        """Say whether the server answers a real question."""

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            msg = f"{self.name} is not running"
            raise ServerFailed(msg)
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there (frozen counts)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        if self.running:
            msg = f"{self.name} runs already, as process {self.pid}"
            raise ServerFailed(msg)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        self._wait_for_answer()

    def _wait_for_answer(self) -> None:
        end = time.monotonic() + self.start_seconds
        while not self.answers():
            if not self.running or time.monotonic() > end:
                state = "does not answer" if self.running else "ended at once"
                self.kill9()
                msg = f"{self.name} {state}; the end of {self.log}:\n{self.log_tail()}"
                raise ServerFailed(msg)
            time.sleep(0.01)

    def log_tail(self) -> str:
        """Give the end of the server's log."""
        return self.log.read_text(errors="replace")[-_LOG_TAIL:] if self.log.exists() else ""

    def stop(self) -> None:
        """Stop the server in order, as an administrator would."""
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill9()
            msg = f"{self.name} did not stop in {self.stop_seconds:g} s and was killed:\n{self.log_tail()}"
            raise ServerFailed(msg) from None
        self._process = None

    def kill9(self) -> None:
        """Kill the server: nothing is flushed, nobody is told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same port."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Suspend the process: it keeps its connections and answers nobody."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on; does nothing to one that runs."""
        if self.running:
            os.kill(self.pid, signal.SIGCONT)

    def remove(self) -> None:
        """Kill what still runs and remove the folder."""
        self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
