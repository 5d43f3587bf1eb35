"""Runs a program of the system by its argument list: no shell, no terminal, no life past its deadline."""

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from bmm.deadline import Deadline
from bmm.errors import Garbled, Misconfigured, OutOfTime

# Our own environment holds the site's secrets: of it, programs get what finds their files and tells the time.
_INHERITED = ("PATH", "LANG", "HOME", "TZ")
# What a program says of its failure goes into a journal line.
_LONGEST_WORDS = 200
# The longest honest output is a page.
_LONGEST_OUTPUT = 65536


@dataclass(frozen=True)
class Ended:
    """A program that has ended: its exit status, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """What it says of its failure, on one short line."""
        return " ".join((self.err or self.out).split())[:_LONGEST_WORDS]


def run(arguments: Sequence[str], deadline: Deadline, secrets: Mapping[str, str] | None = None) -> Ended:
    """Run a program and wait for its end; `secrets` are variables of its environment, which only its user can read.

    Raises Misconfigured when there is no such program or it may not be run, OutOfTime when it was killed because
    the deadline had passed, Garbled when it was killed because it printed too much.
    """
    name = arguments[0]
    seconds = deadline.check(f"running {name}")
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment = {**inherited, "LC_ALL": "C", **(secrets or {})}
    try:
        # A session of its own, so that what the program has started ends with it.
        process = subprocess.Popen(
            list(arguments),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise Misconfigured(f"the program {name} is not installed on this host") from error
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{name} cannot be run: {error}") from error
    with process:
        try:
            out, err = _heard(process, name, seconds)
        except BaseException:
            _kill(process)
            raise
    return Ended(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def _heard(process: "subprocess.Popen[bytes]", name: str, seconds: float) -> tuple[bytes, bytes]:
    """Return what a program prints until it ends; it is not let print without end."""
    if process.stdout is None or process.stderr is None:
        raise ValueError("its output is not read")
    heard: dict[IO[bytes], bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    deadline = Deadline.after(seconds)
    with selectors.DefaultSelector() as open_pipes:
        for pipe in heard:
            open_pipes.register(pipe, selectors.EVENT_READ)
        while open_pipes.get_map():
            for key, _ in open_pipes.select(deadline.check(f"running {name}")):
                piece = os.read(key.fd, _LONGEST_OUTPUT)
                if not piece:
                    open_pipes.unregister(key.fileobj)
                heard[key.fileobj] += piece  # type: ignore[index]
                if len(heard[key.fileobj]) > _LONGEST_OUTPUT:  # type: ignore[index]
                    raise Garbled(f"{name} printed more than {_LONGEST_OUTPUT} bytes")
    try:
        process.wait(deadline.remaining())
    except subprocess.TimeoutExpired:
        raise OutOfTime(f"{name} did not end in time") from None
    return bytes(heard[process.stdout]), bytes(heard[process.stderr])


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # Whoever left the session may hold the pipes open: they are closed unread.
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()
