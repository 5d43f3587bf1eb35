"""What the benches print: for each part a table that sets our figures beside the target and the old system's."""

import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

_PLAIN_WIDTH = 150  # columns when the output is a file or a pipe


@dataclass(frozen=True)
class Line:
    """One figure. `met` is None where no target is set; `old` is what Mozpool 4.2.1 was measured to do."""

    what: str
    ours: str
    target: str = ""
    old: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Section:
    """What one part found out; `remarks` are sentences printed below the table."""

    title: str
    lines: Sequence[Line]
    remarks: Sequence[str] = ()

    @property
    def missed(self) -> list[str]:
        """The figures that miss their target."""
        return [line.what for line in self.lines if line.met is False]


def console() -> Console:
    """Make the console: as wide as the terminal, and wide enough for every table where there is none."""
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(width=width, highlight=False)


def show(section: Section, where: Console) -> None:
    """Print a part's table."""
    table = Table(title=section.title, title_justify="left", title_style="bold", expand=False)
    for heading in ("what", "ours", "target", "", "old system"):
        table.add_column(heading, overflow="fold")
    for line in section.lines:
        verdict = {True: "[green]met[/]", False: "[bold red]MISSED[/]", None: ""}[line.met]
        table.add_row(line.what, line.ours, line.target, verdict, line.old)
    where.print()
    where.print(table)
    for remark in section.remarks:
        where.print(f"  {remark}", markup=False)


def at_most(what: str, value: float, limit: float, unit: str, *, old: str = "", note: str = "") -> Line:
    """Make the line of a figure that must stay below a limit."""
    return Line(what, f"{_number(value)} {unit}{note}", f"< {limit:g} {unit}", old, value < limit)


def at_least(what: str, value: float, limit: float, unit: str, *, old: str = "", note: str = "") -> Line:
    """Make the line of a figure that must reach a limit."""
    return Line(what, f"{_number(value)} {unit}{note}", f">= {limit:g} {unit}", old, value >= limit)


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value below or at which a share (0 to 1) of the values lies: the nearest rank, no interpolation."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


def machine() -> str:
    """Describe this machine in a line; the load tells whether somebody else was at work on it."""
    name = platform.processor() or platform.machine()
    for text in Path("/proc/cpuinfo").read_text().splitlines():
        if text.startswith("model name"):
            name = text.partition(":")[2].strip()
            break
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    disk = shutil.disk_usage("/tmp").free / 2**30  # noqa: S108 - where the private servers keep their data
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    python = platform.python_version()
    return (
        f"{cores} cores of {name}, {memory:.0f} GB, {disk:.0f} GB free; {platform.system()} {platform.release()}, "
        f"Python {python}; load average at the start {load}"
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
