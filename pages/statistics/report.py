"""Puts the statistics of a period together, and remembers each for a minute."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pages.statistics import queries
from pages.statistics.kept import kept
from pages.statistics.periods import Period
from pages.statistics.times import Times
from requests_app.memory import Memory

_SECONDS = 60.0
# Periods and environments that are remembered at once: nobody may fill our memory by asking for each day there was.
_MOST = 32


@dataclass(frozen=True)
class Report:
    """All that the page shows, as numbers. Lists have an entry for each slot of the period."""

    period: Period
    read: datetime
    times: Times
    outcomes: list[tuple[int, int, int]]
    use: Mapping[tuple[int, str], list[float]]
    devices: queries.Failures
    images: queries.Failures
    controllers: queries.Failures


@dataclass(frozen=True)
class Key:
    """What a report is of; no environment is all of them."""

    period: Period
    environment: str


def read(key: Key, now: datetime) -> Report:
    """Read a report: ten queries, most of them over what no hour has been added up of yet."""
    period, environment = key.period, key.environment
    before = kept(period, environment)
    return Report(
        period=period,
        read=now,
        times=queries.times(period, environment),
        outcomes=queries.outcomes(period, environment, before),
        use=queries.use(period, environment, before, now),
        devices=queries.failed_on_devices(period, environment, before),
        images=queries.failed_images(period, environment, before),
        controllers=queries.failed_power(period, environment),
    )


class Reports:
    """The reports that were asked for lately, each read at most once a minute."""

    def __init__(self) -> None:
        self._memories: OrderedDict[Key, Memory[Report]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, now: datetime) -> Report:
        """Give the report of a key."""
        with self._lock:
            memory = self._memories.setdefault(key, Memory(partial(read, key), _SECONDS))
            self._memories.move_to_end(key)
            while len(self._memories) > _MOST:
                self._memories.popitem(last=False)
        return memory.get(now)

    def forget(self) -> None:
        """Read all anew."""
        with self._lock:
            self._memories.clear()


reports = Reports()
# How many devices there are where.
places: Memory[Mapping[tuple[int, str, str], int]] = Memory(lambda _: queries.pool(), _SECONDS)
