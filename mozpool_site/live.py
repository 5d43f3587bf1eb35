"""Shows how things get on while a command waits: a line for each state entered, and on a terminal what is now."""

import time
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mozpool_site.commands import shown, span

# More rows than a terminal has lines are summed up by state.
_MOST_ROWS = 20


class Progress:
    """Progress of the named things. Without a terminal it is lines only: `  3.1 s  panda-0001  pxe_booting`."""

    def __init__(self, console: Console, names: list[str]) -> None:
        self._console = console
        self._now: dict[str, tuple[str, float]] = dict.fromkeys(names, ("", 0.0))
        self._began = time.monotonic()
        self._lines = len(names) <= 1 or not console.is_terminal
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def entered(self, name: str, state: str, seconds: float) -> None:
        """Show that `name` came into a state, so many seconds after the beginning."""
        self._now[name] = (state, time.monotonic())
        if self._lines:
            self.line(f"{seconds:7.1f} s  {name}  {state}")

    def line(self, text: str) -> None:
        """Show a line that stays."""
        self._console.print(Text(shown(text)), soft_wrap=True)

    def tick(self) -> None:
        """Bring the terminal up to date; called a few times a second."""
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)

    def _picture(self) -> RenderableType:
        waited = Text(f"waiting for {span(time.monotonic() - self._began)}; Ctrl-C leaves", style="dim")
        if len(self._now) <= 1:
            return waited
        grid = Table(box=None, pad_edge=False)
        if len(self._now) > _MOST_ROWS:
            for state, count in Counter(state for state, _ in self._now.values()).most_common():
                grid.add_row(Text(f"{count:5}"), Text(state or "(as it was)"))
        else:
            for name, (state, since) in self._now.items():
                passed = span(time.monotonic() - since) if since else ""
                grid.add_row(Text(name), Text(state or "(as it was)"), Text(passed, style="dim"))
        return Group(grid, waited)
