"""The outlets of a twin: what is on, what sticks, how long a relay takes to move, and telling what was switched."""

import json
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field


@dataclass
class Outlets:
    """Outlets by name. A stuck one takes orders and does not move; reading lags `lag` seconds behind."""

    names: tuple[str, ...]
    stuck: frozenset[str] = frozenset()
    lag: float = 0.0
    _on: dict[str, bool] = field(default_factory=dict)
    _shown_from: dict[str, float] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def is_on(self, name: str) -> bool:
        """What reading shows now."""
        on = self._on.get(name, True)
        return on if time.monotonic() >= self._shown_from.get(name, 0.0) else not on

    def switch(self, name: str, on: bool) -> None:
        """Takes an order."""
        print(json.dumps({"outlet": name, "on": on, "at": time.monotonic()}), flush=True)
        if name in self.stuck or self._on.get(name, True) == on:
            return
        self._on[name] = on
        self._shown_from[name] = time.monotonic() + self.lag


def add_arguments(parser: ArgumentParser, names: str) -> None:
    """Gives a twin's command line what all of them know."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--outlets", default=names, help=f"names, with commas between (default: {names})")
    parser.add_argument("--stuck", default="", help="outlets that do not move, with commas between")
    parser.add_argument(
        "--lag", type=float, default=0.0, help="seconds until reading shows what was switched"
    )


def make_outlets(arguments: Namespace) -> Outlets:
    """Makes the outlets that the command line asks for."""
    stuck = frozenset(filter(None, arguments.stuck.split(",")))
    return Outlets(tuple(arguments.outlets.split(",")), stuck, arguments.lag)
