"""All that the page of one request shows, read in a number of queries that does not grow with its story."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Count, Q
from django.utils import timezone

from devices.models import Device, Journal
from lifeguard.states import DEVICE
from mozpool_site.api.access import Caller
from mozpool_site.api.values import LARGEST_ID
from mozpool_site.errors import UnknownNameError
from pages import live
from pages.requests.stages import Life, Stage, stages
from requests_app import lease
from requests_app.api.ownership import owns
from requests_app.api.v2.rendering import COLUMNS, Entry, entries
from requests_app.models import Request
from requests_app.webhooks.models import Attempt, Delivery, Status, Webhook

# The lines of the journal that the page reads; its log has them all.
LINES = 200
_LINE = ("id", "time", "device_id", "source", "actor", "event", "from_state", "to_state", "message")
_FAILED = frozenset(DEVICE.tagged("failed"))

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Hook:
    """What became of the request's own webhook. Only the host of its address is told: the rest may be a key."""

    host: str
    delivered: int
    waiting: int
    dead: int
    last_status: int | None
    last_error: str
    last_time: datetime | None
    given_up: str


@dataclass(frozen=True)
class Detail:
    """One request as a person sees it. `mine`: they may renew and return it."""

    entry: Entry
    mine: bool
    stages: Sequence[Stage]
    story: Sequence[Line]
    more: bool
    hook: Hook | None
    now: datetime

    @property
    def late(self) -> bool:
        """Whether it will probably have waited in vain before a device comes free."""
        until, waiting = self.entry["waits_until"], self.entry["waiting"]
        if until is None or waiting is None:
            return False
        return lease.too_late(waiting["estimate_seconds"], (until - self.now).total_seconds())


def detail(number: int, caller: Caller) -> Detail:
    """Read one request. Raises UnknownNameError."""
    known = Request.objects.filter(pk=number) if number <= LARGEST_ID else Request.objects.none()
    row = known.values(*COLUMNS, "has_webhook", "last_device_id").first()
    if row is None:
        raise UnknownNameError(f"there is no request {number}", field="request")
    (entry,) = entries([row], caller)
    # One more than is shown tells whether there are others.
    newest = Journal.objects.filter(request_id=number).order_by("-time", "-id").values(*_LINE)[: LINES + 1]
    lines = list(newest)[::-1]
    more, lines = len(lines) > LINES, lines[-LINES:]
    names = _names(lines)
    mine = owns(caller, entry["owner"])
    return Detail(
        entry=entry,
        mine=mine,
        stages=_stages(row, entry, lines, names),
        story=[{**line, "device": names.get(line["device_id"])} for line in reversed(lines)],
        more=more,
        hook=_hook(number) if mine and row["has_webhook"] else None,
        now=timezone.now(),
    )


def version(number: int) -> str:
    """Give a word that changes whenever the page does; who waits is told the estimate anew each ten seconds."""
    if number > LARGEST_ID:
        return ""
    row = Request.objects.filter(pk=number).values_list("state", "state_seq", "expires", "ended").first()
    waits = row is not None and row[0] in ("finding_device", "pending")
    return f"{row}.{live.version(request=number)}.{int(timezone.now().timestamp()) // 10 if waits else 0}"


def _names(lines: Iterable[Line]) -> dict[int, str]:
    numbers = {line["device_id"] for line in lines} - {None}
    return dict(Device.objects.filter(pk__in=numbers).values_list("pk", "name")) if numbers else {}


def _stages(
    row: Mapping[str, Any], entry: Entry, lines: Sequence[Line], names: Mapping[int, str]
) -> list[Stage]:
    device_id, matched, until = row["last_device_id"], row["matched_at"], row["ready_at"] or row["ended"]
    if row["state"] in ("pending", "contacting_lifeguard") and row["ready_at"] is not None:
        # Prepared once more: since it was ready last.
        left = [line["time"] for line in lines if line["device_id"] is None and line["from_state"] == "ready"]
        matched, until = left[-1] if left else row["state_since"], None
    prepared = [
        line
        for line in lines
        if line["device_id"] == device_id is not None
        and matched is not None
        and matched <= line["time"]
        and (until is None or line["time"] <= until)
    ]
    life = Life(
        state=row["state"],
        created=row["created"],
        matched_at=row["matched_at"],
        ready_at=row["ready_at"],
        ended=row["ended"],
        device=entry["last_device"] or "",
        device_state=entry["device"]["state"] if entry["device"] else "",
        tried=_tried(lines, names, device_id),
        ended_by=_ended_by(lines),
    )
    return stages(life, prepared, timezone.now())


def _tried(lines: Iterable[Line], names: Mapping[int, str], present: int | None) -> tuple[str, ...]:
    """Name the devices that failed it before, in their order."""
    failed = [
        line["device_id"] for line in lines if line["device_id"] and line["to_state"].endswith("failed")
    ]
    failed += [line["device_id"] for line in lines if line["device_id"] and line["to_state"] in _FAILED]
    return tuple(names[pk] for pk in dict.fromkeys(failed) if pk != present and pk in names)


def _ended_by(lines: Iterable[Line]) -> str:
    """Give the event that closed it."""
    return next(
        (line["event"] for line in lines if line["device_id"] is None and line["to_state"] == "closed"), ""
    )


def _hook(number: int) -> Hook | None:
    """Read what became of the request's webhook; three queries."""
    webhook = Webhook.objects.filter(request=number).values("pk", "url", "dead_reason").first()
    if webhook is None:
        return None
    deliveries = Delivery.objects.filter(webhook=webhook["pk"])
    counted = deliveries.aggregate(**{one.value: Count("pk", filter=Q(status=one)) for one in Status})
    tried = Attempt.objects.filter(delivery__webhook=webhook["pk"]).order_by("-pk")
    last: Mapping[str, Any] = tried.values("status", "error", "time").first() or {}
    return Hook(
        host=urlsplit(webhook["url"]).hostname or "",
        delivered=counted[Status.DELIVERED.value],
        waiting=counted[Status.WAITING.value],
        dead=counted[Status.DEAD.value],
        last_status=last.get("status"),
        last_error=last.get("error", ""),
        last_time=last.get("time"),
        given_up=webhook["dead_reason"],
    )
