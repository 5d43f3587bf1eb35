"""A process that is measured, or that measures: it takes orders as JSON lines and answers each with one.

`Child` is the side of the bench. The other side is this module run as a program: it sets Django up, imports
the module that it is told and lets that module's `answer(order)` work.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from simlab.pool import ROOT
from tests.servers.process import die_with_parent

Order = dict[str, Any]
_STOP_SECONDS = 10.0


class ChildFailed(Exception):
    """A measuring process ended before it answered; the message holds the end of its log."""


class Child:
    """Starts `python WORDS`; each order is answered in turn. The error output goes to `log`."""

    def __init__(self, words: Sequence[str], variables: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=dict(variables),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                preexec_fn=die_with_parent(),
            )
        self.heard()  # its first line says that it is ready

    @classmethod
    def with_django(cls, module: str, variables: Mapping[str, str], log: Path) -> Self:
        """Start a process in which `module`, of tests.bench.inside, answers."""
        return cls(["-m", "tests.bench.child", f"tests.bench.inside.{module}"], variables, log)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def told(self, **order: object) -> Order:
        """Send an order and wait for the answer."""
        self.tell(**order)
        return self.heard()

    def tell(self, **order: object) -> None:
        """Send an order; `heard` waits for the answer."""
        if self._process.stdin is None:
            raise ChildFailed("this process takes no orders")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def heard(self) -> Order:
        """Wait for the next answer."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            status = self._process.wait(_STOP_SECONDS)
            tail = self._log.read_text(errors="replace")[-3000:]
            raise ChildFailed(f"a measuring process ended with status {status}:\n{tail}")
        answer: Order = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(answer: Callable[[Order], Order]) -> None:
    """Answer orders until no more come."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def _main() -> None:
    # Only this side has the settings; the bench itself must stay free of Django.
    import django  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mozpool_site.settings")
    django.setup()
    serve(importlib.import_module(sys.argv[1]).answer)


if __name__ == "__main__":
    _main()
