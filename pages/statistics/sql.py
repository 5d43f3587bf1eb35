"""Moments and slots of a period, as the database counts them."""

from typing import Any

from django.db.models.expressions import Combinable

from mozpool_site.epoch import Epoch, Slots
from pages.statistics.periods import Period


def seconds_into(period: Period, moment: Any) -> Combinable:
    """Give how many seconds after the beginning of a period a moment is."""
    return Epoch(moment) - int(period.since.timestamp())


def slot_of(period: Period, seconds: Combinable) -> Slots:
    """Give the slot of a period that seconds after its beginning are in."""
    return Slots(seconds, period.length)
