"""Runs a program of the system by its argument list: no shell, no terminal, no life past its deadline."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bmm.deadline import Deadline
from bmm.errors import Misconfigured, OutOfTime

# Our own environment holds the site's secrets: of it, programs get what finds their files and tells the time.
_INHERITED = ("PATH", "LANG", "HOME", "TZ")
# What a program says of its failure goes into a journal line.
_LONGEST_WORDS = 200


@dataclass(frozen=True)
class Ended:
    """A program that has ended: its exit status, what it printed, and its complaint on one short line."""

    status: int
    out: str
    complaint: str


def run(arguments: Sequence[str], deadline: Deadline, secrets: Mapping[str, str] | None = None) -> Ended:
    """Run a program and wait for its end; `secrets` are variables of its environment, which only its user can read.

    Raises Misconfigured when there is no such program or it may not be run, OutOfTime when it was killed because
    the deadline had passed.
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
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise OutOfTime(f"{name} did not end in time") from None
        except BaseException:
            _kill(process)
            raise
    words = err.decode("utf-8", "replace") or out.decode("utf-8", "replace")
    return Ended(process.returncode, out.decode("utf-8", "replace"), " ".join(words.split())[:_LONGEST_WORDS])


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # Whoever left the session may hold the pipes open: they are closed unread.
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()
