"""Readings of declared inventories: a worker asks the inventory and stores what it says, for whoever looks at a plan.

The process that shows the plan may be where no inventory can be reached. A reading is no operation: it concerns no
rack, any worker that knows the source may make it, and it may take minutes.
"""

import json
import logging
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet

from bmm.runner_identity import runner_name
from devices.inventory import sources
from devices.inventory.declared import Source, declared
from devices.inventory.records import Record
from devices.models import Rack
from devices.queues import queue_of
from lifeguard.models import InventoryReading
from mozpool_site import clock, doorbell
from mozpool_site.errors import MozpoolError
from mozpool_site.statemachine.runner import Actor

logger = logging.getLogger(__name__)

READ_TASK = "lifeguard.tasks.read_inventory"
# What was read is worth looking at for so long: the inventory may have changed since.
KEPT = timedelta(minutes=30)
# Doorbells: workers of some racks, for not every host may know the source.
_MOST_BELLS = 5
_MOST_LOOKED_AT = 50
# Nobody has heard the bell.
UNHEARD = timedelta(seconds=3)
# A reading whose worker died is made again by another.
_LEASE = timedelta(seconds=40)
_RENEW_SECONDS = 10.0


def ask(source: str, *, by: Actor) -> InventoryReading:
    """Store that a declared source is to be read, and ring; who asks meanwhile gets the same reading."""
    now = clock.now()
    try:
        with transaction.atomic():
            reading = InventoryReading.objects.create(
                source=source, open_for=source, asked_by=by.name[:100], created=now
            )
    except IntegrityError:
        under_way = InventoryReading.objects.filter(open_for=source).first()
        return under_way or ask(source, by=by)
    alive = Rack.objects.filter(pulse_seen__isnull=False).order_by("-pulse_seen")
    for rack_id in alive.values_list("pk", flat=True)[:_MOST_BELLS]:
        doorbell.ring(queue_of(rack_id), READ_TASK, reading.pk)
    return reading


def run(reading_id: int) -> bool:
    """Make a reading, if it still waits and its source is declared on this host; False when there was nothing to do."""
    reading = InventoryReading.objects.filter(pk=reading_id, finished=None).first()
    source = _declared_here(reading.source) if reading is not None else None
    if reading is None or source is None or not _claim(reading, clock.now()):
        return False
    records, error = b"", ""
    with _kept_alive(reading):
        try:
            records = _packed(sources.read(source))
        except MozpoolError as met:
            error = met.detail[:1000]
        except Exception:
            logger.exception("inventory %s can't be read", source.name)
            error = "reading it failed by a fault of ours; the log of the worker that read it says which"
    _ours(reading).update(
        records=records, error=error, finished=clock.now(), open_for=None, runner="", lease_until=None
    )
    return True


def unheard(now: datetime) -> list[int]:
    """Return the readings that nobody came for, or whose worker died."""
    left = Q(lease_until=None, created__lte=now - UNHEARD) | Q(lease_until__lt=now)
    waiting = InventoryReading.objects.filter(left, finished=None).order_by("pk")
    return list(waiting.values_list("pk", flat=True)[:_MOST_LOOKED_AT])


def prune(now: datetime) -> int:
    """Forget readings that nobody should look at any more; return how many."""
    return InventoryReading.objects.filter(created__lt=now - 2 * KEPT).delete()[0]


def records_of(reading: InventoryReading) -> list[Record]:
    """Return what a reading found."""
    return [
        Record(where, {name: _unpacked(value) for name, value in values.items()}, tuple(problems))
        for where, values, problems in json.loads(zlib.decompress(reading.records))
    ]


def _declared_here(name: str) -> Source | None:
    path = settings.MOZPOOL_INVENTORY
    try:
        return declared(path).get(name) if path else None
    except MozpoolError:
        logger.exception("the declaration of inventories can't be read here")
        return None


def _claim(reading: InventoryReading, now: datetime) -> bool:
    reading.runner = runner_name()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    claimed = InventoryReading.objects.filter(free, pk=reading.pk, finished=None).update(
        runner=reading.runner, lease_until=now + _LEASE, attempts=F("attempts") + 1
    )
    return claimed == 1


def _ours(reading: InventoryReading) -> QuerySet[InventoryReading]:
    return InventoryReading.objects.filter(pk=reading.pk, runner=reading.runner, finished=None)


@contextmanager
def _kept_alive(reading: InventoryReading) -> Iterator[None]:
    """Renew a reading's lease for as long as the block runs."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(_RENEW_SECONDS):
            try:
                _ours(reading).update(lease_until=clock.now() + _LEASE)
            except Exception:
                logger.exception("the lease of inventory reading %s can't be renewed", reading.pk)
            finally:
                connection.close()

    thread = threading.Thread(target=renew, name="inventory-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _packed(records: list[Record]) -> bytes:
    rows = [[record.where, dict(record.values), list(record.problems)] for record in records]
    return zlib.compress(json.dumps(rows).encode())


def _unpacked(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
