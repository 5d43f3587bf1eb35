"""What must hold in the database at any moment, each as one query for the rows that break it.

The numbers are those of the promises that Mozpool makes: I1 to I8, and I12 for what is late (I9 to I11 are about
what happened, which no row tells); `idle` is the list of free devices, `kind` and
`wish` what they and who waits are found by. Every query goes along an index, so that all
together take well under a second at 80,000 devices; and each sees one moment, so a running pool breaks none of them.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

from bmm.models import Operation
from devices.models import Device
from mozpool_site import clock
from requests_app import invariant_queries as queries

# A second look this much later tells what is wrong from what was about to be put right.
SETTLE_SECONDS = 1.0
# Of one kind of breakage; a thousand rows name the fault as well as all do.
MOST = 1000


@dataclass(frozen=True)
class Finding:
    """One row that breaks an invariant: the rule's number, the row's table and key, and a sentence."""

    rule: str
    table: str
    pk: int | str
    message: str


@dataclass(frozen=True)
class Check:
    """One invariant: `rows` selects what breaks it; `says` is filled in with each row's `columns`."""

    rule: str
    rows: Callable[[datetime], QuerySet[Any]]
    columns: tuple[str, ...]
    says: str

    def broken(self, now: datetime) -> list[Finding]:
        """Look once."""
        return self._look(self.rows(now).order_by("pk"))

    def still_broken(self, now: datetime, before: list[Finding]) -> list[Finding]:
        """Look again at the rows of an earlier look."""
        return self._look(self.rows(now).filter(pk__in=[finding.pk for finding in before]).order_by("pk"))

    def _look(self, rows: QuerySet[Any]) -> list[Finding]:
        table = str(rows.model._meta.verbose_name)
        found = rows.values("pk", *self.columns)[:MOST]
        return [Finding(self.rule, table, row["pk"], self.says.format(**row)) for row in found]


_DEVICE = ("name", "state", "held_by")
_REQUEST = ("id", "state")
_OPERATION = ("id", "kind", "status", "device__name")
# Of a device, or a question to a controller.
_CLAIM = ("id", "status", "about")

CHECKS = (
    Check("I2", queries.held_by_nobody, _DEVICE, "{name} is held by request {held_by}, which does not exist"),
    Check(
        "I2",
        queries.held_for_another,
        _DEVICE,
        "{name} is held by request {held_by}, which asked for another device or another environment",
    ),
    Check("I2", queries.searching_but_holding, _REQUEST, "request {id} looks for a device and holds one"),
    Check("I2", queries.pending_without_device, _REQUEST, "request {id} is {state} and holds no device"),
    Check(
        "I3",
        queries.ready_without_image,
        _REQUEST,
        "request {id} is ready, but holds no device that is ready with its image and boot config",
    ),
    Check("I4", queries.held_by_ended, _DEVICE, "{name} is held by request {held_by}, which has ended"),
    Check(
        "I4", queries.ended_wrongly, (*_REQUEST, "ended"), "request {id} is {state}, but its end is {ended}"
    ),
    Check("I5", queries.devices_in_unstored_states, _DEVICE, "{name} is in {state}, where nothing can rest"),
    Check(
        "I5",
        queries.requests_in_unstored_states,
        _REQUEST,
        "request {id} is in {state}, where nothing can rest",
    ),
    Check("I5", queries.devices_without_deadline, _DEVICE, "{name} waits in {state} without a deadline"),
    Check("I5", queries.devices_with_deadline, _DEVICE, "{name} rests in {state}, but has a deadline"),
    Check(
        "I5", queries.requests_without_deadline, _REQUEST, "request {id} waits in {state} without a deadline"
    ),
    Check(
        "I5", queries.requests_with_deadline, _REQUEST, "request {id} rests in {state}, but has a deadline"
    ),
    Check(
        "idle",
        queries.idle_but_busy,
        _DEVICE,
        "{name} is listed as idle, but is {state} and held by {held_by}",
    ),
    Check(
        "idle",
        queries.free_but_unlisted,
        _DEVICE,
        "{name} is ready and held by nobody, but not listed as idle",
    ),
    Check(
        "kind",
        queries.of_another_kind,
        ("name", "kind__environment", "kind__tags"),
        "{name} is searched for in {kind__environment} with the tags {kind__tags}, which is not what it is",
    ),
    Check(
        "wish",
        queries.waiting_unnumbered,
        (*_REQUEST, "wish"),
        "request {id} waits as one of the wish {wish}, which is not what it asked for",
    ),
    Check(
        "I6",
        queries.open_in_states_without_work,
        (*_OPERATION, "device__state"),
        "operation {id} ({kind}) is {status}, but {device__name} is in {device__state}, which starts none",
    ),
    Check(
        "I6",
        queries.open_for_a_past_state,
        (*_OPERATION, "state_seq", "device__state_seq"),
        "operation {id} ({kind}) is {status} for state {state_seq} of {device__name}, which is at {device__state_seq}",
    ),
    Check(
        "I7",
        queries.ahead_of_the_device,
        (*_OPERATION, "device__state_seq", "device__boot_seq"),
        "operation {id} was started later than {device__name} can have: "
        "it is back at state_seq {device__state_seq}, boot_seq {device__boot_seq}",
    ),
    Check(
        "I7",
        queries.task_ahead_of_the_device,
        _REQUEST,
        "the device of request {id} is back at an earlier task_seq",
    ),
    Check(
        "I8",
        queries.claimed_wrongly,
        (*_CLAIM, "running_on", "lease_until", "runner"),
        "operation {id} of {about} is {status}, but running_on is {running_on}, "
        "its lease {lease_until}, its runner {runner!r}",
    ),
    Check("I8", queries.controllers_shared, ("name",), "two runners drain power controller {name} at once"),
    Check(
        "I12",
        queries.leases_long_over,
        _CLAIM,
        "operation {id} of {about} is {status}, its lease long over",
    ),
    Check(
        "I12",
        queries.devices_overdue,
        (*_DEVICE, "rack__name"),
        "{name} is long due in {state}: is rack {rack__name}'s pulse up?",
    ),
    Check("I12", queries.requests_overdue, _REQUEST, "request {id} is long due in {state}: is any pulse up?"),
    Check(
        "bound",
        queries.impatient,
        _REQUEST,
        "request {id} will leave its device before that one gives up",
    ),
    Check(
        "I12",
        queries.left_in_silent_racks,
        _REQUEST,
        "request {id} still waits on a device of a rack that is silent: does any pulse look after the pool?",
    ),
    Check(
        "I12",
        queries.pool_unattended,
        ("name", "owner"),
        "lease {name} of {owner} is long over: is any pulse up?",
    ),
    Check(
        "I12",
        queries.parked_and_forgotten,
        ("loop", "key", "error"),
        "{loop} {key} was parked ({error}) and never tried again: is any pulse up?",
    ),
)

# What the database itself must refuse: column, and the rule that rests on it.
_UNIQUE: tuple[tuple[type[Model], str, str], ...] = (
    (Device, "held_by", "I1"),
    (Operation, "running_on", "I8"),
)


def findings(*, settle: float = SETTLE_SECONDS) -> list[Finding]:
    """Give every row that breaks an invariant, and still does `settle` seconds later; empty when all is well.

    At most a thousand rows of each kind. A pool at work gives no finding unless something is wrong.
    """
    now = clock.now()
    suspects = [(check, before) for check in CHECKS if (before := check.broken(now))]
    found = list(_missing_constraints())
    if suspects:
        time.sleep(settle)
        now = clock.now()
    for check, before in suspects:
        found += check.still_broken(now, before)
    return sorted(
        found, key=lambda finding: (len(finding.rule), finding.rule, finding.table, str(finding.pk))
    )


def _missing_constraints() -> Iterator[Finding]:
    """Find unique columns that are unique no longer; that no device serves two requests rests on them."""
    with connection.cursor() as cursor:
        for model, column, rule in _UNIQUE:
            table = model._meta.db_table
            there = connection.introspection.get_constraints(cursor, table).values()
            if not any(one["unique"] and one["columns"] == [column] for one in there):
                yield Finding(
                    rule, "table", table, f"{table}.{column} has no unique index: run manage.py migrate"
                )


__all__ = ["CHECKS", "MOST", "SETTLE_SECONDS", "Check", "Finding", "findings"]
