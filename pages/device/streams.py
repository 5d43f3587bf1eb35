"""Reads a device's story out of the tables that know a part of it, each by its index, a page at a time.

Four streams, each ordered by time and number; a page is what comes first of all of them together, so that "older"
goes on exactly where it ended.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from bmm.models import OPEN, Kind, Operation, Status
from bmm.operations import Answer, Outcome
from devices.models import Device, Journal
from devices.models.journal import Source
from lifeguard.boot_events import BOOT_EVENTS
from lifeguard.device_log import EVENT as TOLD_BY_DEVICE
from mozpool_site.access.models import AuditEntry
from pages.device.marks import Mark, search_bound
from pages.device.story import Entry
from requests_app.models import Request

KINDS = {
    "state": "States",
    "operation": "Operations",
    "boot": "Boot",
    "syslog": "Syslog",
    "agent": "Agent",
    "request": "Requests",
    "people": "People",
}
_BOOT = frozenset(BOOT_EVENTS) | {TOLD_BY_DEVICE}
_OUTCOMES = frozenset(Outcome(answer).event(kind) for kind in Kind.values for answer in Answer)
_BY_PEOPLE = (Source.USER, Source.API)
# The journal has these already, in the same transaction and in better words.
_JOURNALLED = (
    "please_self_test",
    "please_start_maintenance",
    "please_power_cycle",
    "please_image",
    "force_state",
    "quarantine",
    "set_comments",
    "set_environment",
    "clear_netboot",
    *Kind.values,
)
_LINE = (
    "pk", "time", "request_id", "source", "actor", "event", "from_state", "to_state", "message",
)  # fmt: skip
# How operations that ended otherwise than well are told.
_ENDED_BADLY = {Status.FAILED: "failed", Status.LOST: "lost with its runner"}


@dataclass(frozen=True)
class Stream:
    """A table: its rank among entries of one moment, the column of its time, its rows, and how one is told."""

    rank: int
    column: str
    rows: Callable[[Device, str], QuerySet[Any, Any] | None]
    tell: Callable[[Any, datetime], Entry]


@dataclass(frozen=True)
class Found:
    """Entries, and whether there are `more` of them; `searched_to` is where a search ended that found no more."""

    entries: list[Entry]
    more: bool
    searched_to: Mark | None


def read(
    device: Device,
    kind: str,
    *,
    now: datetime,
    most: int,
    before: Mark | None = None,
    since: Mark | None = None,
    audit: bool = False,
) -> Found:
    """Give the newest entries between two marks, the newest first; an empty `kind` is all.

    `before` is left out itself, `since` is not. `audit`: the reader may see the audit trail. A query for each stream,
    and one more for a kind.
    """
    bound = _bound(device, before) if kind else None
    begin = max((mark for mark in (since, bound) if mark), key=lambda mark: mark.key, default=None)
    found: list[Entry] = []
    for stream in [*_STREAMS, _AUDIT] if audit else _STREAMS:
        rows = stream.rows(device, kind)
        if rows is None:
            continue
        rows = rows.filter(_between(stream, before, begin)).order_by(f"-{stream.column}", "-pk")
        found += [stream.tell(row, now) for row in rows[: most + 1]]
    found.sort(key=lambda entry: entry.key, reverse=True)
    more = len(found) > most
    return Found(_without_doubles(found[:most]), more, bound if bound == begin and not more else None)


def kind_of(line: dict[str, Any], device_name: str = "") -> str:
    """Say what kind of news a line of the journal is."""
    if line["source"] in (Source.SYSLOG, Source.AGENT):
        return str(line["source"])
    if line["to_state"]:
        return "state"
    if line["event"] in _BOOT:
        return "boot"
    if line["event"] in _OUTCOMES:
        return "operation"
    if line["source"] in _BY_PEOPLE:
        return "boot" if line["actor"] == device_name else "people"
    return "request" if line["request_id"] is not None and not line["event"] else "state"


def _lines(device: Device, kind: str) -> QuerySet[Any, Any] | None:
    lines: QuerySet[Any, Any] = Journal.objects.filter(device_id=device.pk).values(*_LINE)
    chosen = {
        "state": Q(source=Source.MACHINE, event__gt="") & ~Q(event__in=_OUTCOMES | _BOOT)
        | Q(to_state__gt=""),
        "operation": Q(event__in=_OUTCOMES, to_state=""),
        "boot": Q(event__in=_BOOT),
        "syslog": Q(source=Source.SYSLOG),
        "agent": Q(source=Source.AGENT),
        "request": Q(source=Source.MACHINE, event="", to_state="", request_id__isnull=False),
        "people": Q(source__in=_BY_PEOPLE) & ~Q(event__in=_BOOT | _OUTCOMES) & ~Q(actor=device.name),
    }
    return lines.filter(chosen[kind]) if kind else lines


def _tell_line(line: dict[str, Any], now: datetime) -> Entry:
    kind = kind_of(line)
    return Entry(
        key=(line["time"], 0, line["pk"]),
        kind=kind,
        title=line["message"],
        actor="" if line["actor"] == f"request {line['request_id']}" else line["actor"],
        event=line["event"],
        state=line["to_state"],
        request=line["request_id"],
        outcome="bad" if line["event"] and line["source"] == Source.SYSLOG else "",
    )


def _operations(device: Device, kind: str) -> QuerySet[Any, Any] | None:
    if kind not in ("", "operation"):
        return None
    # That all is still well is no news; an idle device is asked every ten minutes.
    return Operation.objects.filter(device=device).exclude(kind=Kind.CHECK_HEALTH, status=Status.DONE)


def _tell_operation(operation: Operation, now: datetime) -> Entry:
    begun = operation.begun or operation.created
    status = Status(operation.status)
    how = _ENDED_BADLY.get(status, status.label)
    if operation.attempts > 1:
        how = f"{how} at try {operation.attempts}"
    details = (
        how,
        f"by {operation.runner}" if operation.runner and status in OPEN else "",
        operation.message,
    )
    ended_badly = status in _ENDED_BADLY
    return Entry(
        key=(operation.created, 1, operation.pk),
        kind="operation",
        title=operation.get_kind_display(),
        detail=": ".join(part for part in details if part),
        actor=operation.actor,
        event=operation.kind,
        seconds=max(0.0, ((operation.finished or now) - begun).total_seconds()),
        lasts=operation.finished is None,
        outcome="bad" if ended_badly else "good" if status == Status.DONE else "",
    )


def _requests(device: Device, kind: str) -> QuerySet[Any, Any] | None:
    if kind not in ("", "request"):
        return None
    return Request.objects.filter(last_device=device, matched_at__isnull=False).select_related("image")


def _tell_request(request: Request, now: datetime) -> Entry:
    got = request.matched_at or request.created
    return Entry(
        key=(got, 2, request.pk),
        kind="request",
        title=f"{request.assignee} got it with {request.image.name}",
        detail="" if request.ended is None else f"ended as {request.state}",
        event="request",
        request=request.pk,
        seconds=max(0.0, ((request.ended or now) - got).total_seconds()),
        lasts=request.ended is None,
        outcome="bad" if request.state.startswith("failed_") else "",
    )


def _audit(device: Device, kind: str) -> QuerySet[Any, Any] | None:
    if kind not in ("", "people"):
        return None
    trail = AuditEntry.objects.filter(target_kind="device", target=device.name)
    return trail.exclude(action__in=_JOURNALLED)


def _tell_audit(entry: AuditEntry, now: datetime) -> Entry:
    changed = ", ".join(
        f"{name}: {entry.before[name]} → {value}" if name in entry.before else f"{name}: {value}"
        for name, value in entry.after.items()
    )
    return Entry(
        key=(entry.time, 3, entry.pk),
        kind="people",
        title=f"{entry.action.replace('_', ' ')} in the administration",
        detail=changed,
        actor=entry.actor,
        event=entry.action,
    )


_STREAMS = [
    Stream(0, "time", _lines, _tell_line),
    Stream(1, "created", _operations, _tell_operation),
    Stream(2, "matched_at", _requests, _tell_request),
]
_AUDIT = Stream(3, "time", _audit, _tell_audit)


def _between(stream: Stream, before: Mark | None, since: Mark | None) -> Q:
    found = Q()
    if before is not None:
        found &= _side(stream, before, "lt")
    if since is not None:
        found &= _side(stream, since, "gt")
        if stream.rank == since.rank:
            found |= Q(**{stream.column: since.time, "pk": since.number})
    return found


def _side(stream: Stream, mark: Mark, side: str) -> Q:
    """Select what comes on one side of a mark."""
    column = stream.column
    if stream.rank == mark.rank:
        return mark.before(column) if side == "lt" else mark.after(column)
    takes_equals = stream.rank < mark.rank if side == "lt" else stream.rank > mark.rank
    return Q(**{f"{column}__{side}{'e' if takes_equals else ''}": mark.time})


def _bound(device: Device, before: Mark | None) -> Mark | None:
    lines = Journal.objects.filter(device_id=device.pk)
    return search_bound(lines if before is None else lines.filter(_side(_STREAMS[0], before, "lt")))


def _without_doubles(entries: Iterable[Entry]) -> list[Entry]:
    """Leave out lines that say what an operation beside them says."""
    entries = list(entries)
    told = {entry.detail.partition(": ")[2] for entry in entries if entry.key[1] == 1} - {""}
    return [
        entry
        for entry in entries
        if entry.kind != "operation"
        or entry.key[1] == 1
        or not any(entry.title[:300].endswith(message) for message in told)
    ]
