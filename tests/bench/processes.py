"""What processes use, as the kernel counts it: memory, and processor time."""

from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Used:
    """Memory in bytes and processor seconds of one process with its children.

    `rss` counts pages that several share in each, `pss` counts them in part.
    """

    rss: int
    pss: int
    seconds: float


def used(pid: int) -> Used:
    """Look at a process and its children, which must stay for as long as this takes."""
    family = _family(pid)
    return Used(
        rss=sum(process.memory_info().rss for process in family),
        pss=sum(_pss(process.pid) for process in family),
        seconds=processor_seconds(pid),
    )


def processor_seconds(pid: int) -> float:
    """Give the processor seconds that a process and its children have used so far."""
    times = [process.cpu_times() for process in _family(pid)]
    return float(sum(item.user + item.system for item in times))


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/{pid}/smaps_rollup tells no Pss")
