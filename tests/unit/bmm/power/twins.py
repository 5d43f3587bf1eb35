"""Starts the simulated lab's power switches, each a process of its own, and reads what they were told to switch."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.servers.process import Server

ROOT = Path(__file__).resolve().parent.parent.parent.parent.parent


class Twin(Server):
    """One twin: `Twin("snmp_agent", "apc", "--stuck", "3")`."""

    def __init__(self, module: str, *words: str) -> None:
        self.name = module
        super().__init__()
        self._words = words

    @property
    def url(self) -> str:
        """The URL of a twin that speaks HTTP."""
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from simlab.power.{self.name} import main; main()"
        return [sys.executable, "-c", code, *self._words, "--port", str(self.port)]

    def answers(self) -> bool:
        return any("listening" in line for line in self._lines())

    @property
    def orders(self) -> list[tuple[str, bool]]:
        """What was told, in order: outlet, on."""
        return [(line["outlet"], line["on"]) for line in self._lines() if "outlet" in line]

    @property
    def sessions(self) -> list[str]:
        """What happened to sessions, in order: begun, ended."""
        return [line["session"] for line in self._lines() if "session" in line]

    @property
    def times(self) -> list[float]:
        """When, in seconds of the monotonic clock."""
        return [line["at"] for line in self._lines() if "outlet" in line]

    def _lines(self) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]
