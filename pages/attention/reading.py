"""Reads what needs attention: the rows of each selection, made findings by the rules, and remembered for moments."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from devices.models import Device
from mozpool_site import clock
from mozpool_site.api.access import Caller
from mozpool_site.pulse.parking import parked
from pages.attention import rules, selecting
from pages.attention.findings import CLOCK, KINDS, Finding, Group
from requests_app.memory import Memory

# More of a kind nobody reads; the group says how many more there are.
SHOWN = 100
# The three kinds of devices, and two of requests, share one query each.
_MOST_ROWS = 1000
# An open page is told of news within two seconds; the navigation of other pages may be a little behind.
_SECONDS, _COUNT_SECONDS = 0.4, 5.0

_DEVICE = (
    "pk", "name", "outlet", "state", "state_since", "held_by", "environment", "rack__name", "health", "failures",
    "comments", "quarantine_reason", "quarantine_by", "quarantine_bug", "quarantine_since",
)  # fmt: skip
_FLAPPING = ("pk", "name", "state", "held_by", "environment", "rack__name")
_REQUEST = (
    "pk", "state", "assignee", "created", "matched_at", "ready_at", "expires", "environment", "image__name",
    "last_device__name", "last_device__state", "requested_device__name", "requested_device__state",
)  # fmt: skip
_CONTROLLER = (
    "pk", "name", "rack__name", "suspect_until", "last_contact", "last_error", "last_error_at", "hanging",
)  # fmt: skip
_HAND_TASK = ("pk", "device__name", "controller__name", "outlet", "kind", "asked_by", "asked_at")
_WEBHOOK = ("pk", "request_id", "dead_since", "dead_reason")
_PARKED = ("loop", "key", "times", "error", "first")
_RACK = ("name", "imaging_server", "pulse_seen", "unheard", "overdue")


@dataclass(frozen=True)
class Attention:
    """All groups of findings, those without any left out; `version` changes with what they say."""

    groups: tuple[Group, ...]
    version: str

    def seen_by(self, caller: Caller) -> list[Group]:
        """Give the groups that somebody may see."""
        return [group for group in self.groups if caller.may(group.kind.least)]


def _read(_: datetime) -> Attention:
    now = clock.now()
    found: dict[str, list[Finding]] = {kind.name: [] for kind in KINDS}
    counted = _counts.anew(now)
    for finding in (*rules.of_clocks(timezone.now(), now), *_findings(now), *_flapping(counted.often)):
        found[finding.kind.name].append(finding)
    counts = {CLOCK.name: len(found[CLOCK.name]), **counted.of}
    groups = tuple(
        Group(kind, _oldest(found[kind.name]), max(counts.get(kind.name, 0), len(found[kind.name])))
        for kind in KINDS
        if found[kind.name] or counts.get(kind.name)
    )
    return Attention(groups, hashlib.sha256(repr(groups).encode()).hexdigest()[:20])


def _findings(now: datetime) -> Iterator[Finding]:
    """Read the rows and judge them: ten queries."""
    yield from map(rules.of_lease, selecting.lost_lease(now).values("owner", "until"))
    yield from map(rules.of_parked, parked(now).order_by("first").values(*_PARKED)[:SHOWN])
    yield from (rules.of_rack(row, now) for row in _racks(now))
    controllers = selecting.controllers(now).annotate(hanging=Count("devices")).order_by("name")
    yield from (rules.of_controller(row, now) for row in controllers.values(*_CONTROLLER)[:SHOWN])
    yield from map(rules.of_hand_task, selecting.hand_tasks(now).order_by("pk").values(*_HAND_TASK)[:SHOWN])
    yield from rules.of_builds(selecting.failing_builds(now)[:_MOST_ROWS])
    yield from map(rules.of_device, _devices(now).order_by("state_since", "pk").values(*_DEVICE)[:_MOST_ROWS])
    requests = (selecting.waiting(now) | selecting.expiring(now)).order_by("created", "pk")
    yield from (rules.of_request(row, now) for row in requests.values(*_REQUEST)[:_MOST_ROWS])
    yield from map(rules.of_webhook, selecting.webhooks(now).order_by("dead_since").values(*_WEBHOOK)[:SHOWN])


def _devices(now: datetime) -> QuerySet[Device]:
    return selecting.failed(now) | selecting.quarantined(now) | selecting.out(now)


def _flapping(often: Mapping[int, int]) -> Iterator[Finding]:
    """Give the devices that flap, those that failed most first."""
    worst = sorted(often, key=lambda pk: (-often[pk], pk))[:SHOWN]
    rows = {row["pk"]: row for row in Device.objects.filter(pk__in=worst).values(*_FLAPPING)} if worst else {}
    yield from (rules.of_flapping({**rows[pk], "failed": often[pk]}) for pk in worst if pk in rows)


def _racks(now: datetime) -> Iterable[Mapping[str, Any]]:
    racks: QuerySet[Any] = selecting.racks(now).annotate(
        unheard=_number(selecting.unheard(now)), overdue=_number(selecting.overdue(now))
    )  # fmt: skip
    return racks.order_by("name").values(*_RACK)[:SHOWN]


def _number(of_rack: QuerySet[Any]) -> Coalesce:
    counted = of_rack.filter(rack=OuterRef("pk")).values("rack").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def _oldest(findings: list[Finding]) -> list[Finding]:
    """Put what has lasted longest first; what has no beginning keeps its order behind it."""
    dated = [(finding.since, place, finding) for place, finding in enumerate(findings) if finding.since]
    undated = [finding for finding in findings if finding.since is None]
    return [finding for _, _, finding in sorted(dated, key=lambda one: one[:2])][:SHOWN] + undated[:SHOWN]


attention: Memory[Attention] = Memory(_read, _SECONDS)
_counts: Memory[selecting.Counts] = Memory(selecting.count, _COUNT_SECONDS)


def count(caller: Caller) -> int:
    """Say how many findings wait for somebody; one query each five seconds, for all who look together."""
    counted = _counts.get(timezone.now())
    return sum(counted.of.get(kind.name, 0) for kind in KINDS if caller.may(kind.least))


def forget() -> None:
    """Look anew the next time."""
    attention.forget()
    _counts.forget()
