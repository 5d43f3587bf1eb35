"""Says of each request that waits why it does, its place in the queue, and about when it will have its device."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from requests_app import snapshot
from requests_app.matching import suits
from requests_app.planning.availability import Availability, Reason, Stock
from requests_app.snapshot import availability_of, stock
from requests_app.waiting import queue as queues
from requests_app.waiting.history import History, history

_NAMED = "requested_device__"
COLUMNS = (
    *queues.COLUMNS, "state", "matched_at", f"{_NAMED}name", *(f"{_NAMED}{one}" for one in snapshot.COLUMNS),
)  # fmt: skip
# The columns of a device that is held, for those who explain.
HELD = ("name", *snapshot.COLUMNS)
_BUSY = (Reason.IN_USE, Reason.PREPARING, Reason.FREE)
REASONS = (
    *(one.code for one in _BUSY), "ahead_in_queue", "no_such_device",
    *(one.code for one in Reason if one not in _BUSY),
)  # fmt: skip
Counts = Counter[Reason]


@dataclass(frozen=True)
class Waiting:
    """Why a request waits: a code of REASONS, a sentence, its place from 1, and seconds until `ready` or None."""

    reason: str
    detail: str
    place: int
    estimate_seconds: int | None


def explain(
    rows: Iterable[Mapping[str, Any]], held: Mapping[int, Mapping[str, Any]], now: datetime
) -> dict[int, Waiting]:
    """Explain those of some requests that wait, by number; at most six queries however many there are.

    `rows` have COLUMNS; `held` gives the name and state of the device of a request that holds one.
    """
    waiting = [row for row in rows if row["state"] in ("finding_device", "pending")]
    if not waiting:
        return {}
    lately = history.get(now)
    found = {row["pk"]: _prepared(row, held[row["pk"]], lately, now) for row in waiting if row["pk"] in held}
    if searching := [row for row in waiting if row["state"] == "finding_device"]:
        there, line = stock.get(now), queues.queue.get(now)
        for row in searching:
            found[row["pk"]] = _searching(row, line, there, lately, now)
    return found


def _prepared(row: Mapping[str, Any], device: Mapping[str, Any], lately: History, now: datetime) -> Waiting:
    found = availability_of(device, now)
    if found.reason.out_of_reach:
        return Waiting(found.reason.code, _of_one(device["name"], found), 1, None)
    takes = lately.preparation.get(row["image_id"])
    passed = (now - row["matched_at"]).total_seconds() if row["matched_at"] else 0.0
    estimate = None if takes is None else max(0, round(takes - passed))
    told = f"{device['name']} is being prepared: {device['state']}"
    return Waiting(Reason.PREPARING.code, told, 1, estimate)


def _searching(
    row: Mapping[str, Any], line: queues.Queue, there: Stock, lately: History, now: datetime
) -> Waiting:
    wish = line.wish(row)
    place = line.place(wish, (row["turn"], row["pk"]), there)
    if row["requested_device_id"] is None:
        counts = sum((counted for kind, counted in there.items() if suits(wish, kind)), Counts())
        told = _of_many(counts)
    else:
        found = availability_of({one: row[f"{_NAMED}{one}"] for one in snapshot.COLUMNS}, now)
        counts = Counts([found.reason])
        told = _of_one(row[f"{_NAMED}name"], found)
    takes = lately.preparation.get(row["image_id"])
    return Waiting(
        reason_code(counts, place),
        _with_place(told, place),
        place,
        estimate(counts, place, takes, lately.use),
    )


def reason_code(counts: Counts, place: int) -> str:
    """Give the code of why somebody at this place waits for devices that are this."""
    there = [one for one in Reason if counts[one]]
    if not there:
        return "no_such_device"
    hopeful = there[0]
    if hopeful in (Reason.FREE, Reason.PREPARING) and place > counts[hopeful]:
        return "ahead_in_queue"
    return hopeful.code


def estimate(counts: Counts, place: int, preparation: float | None, use: float | None) -> int | None:
    """Give the seconds until `ready`, from medians; None where these are not known, or nothing is at work.

    Of n devices in use one comes free every `use` / n seconds. Who may have one that is being prepared already
    waits for that as long as for its own preparation.
    """
    if preparation is None or not any(counts[one] for one in _BUSY):
        return None
    behind = place - counts[Reason.FREE]
    if behind <= 0:
        return round(preparation)
    behind -= counts[Reason.PREPARING]
    if behind <= 0:
        return round(2 * preparation)
    turning_over = counts[Reason.IN_USE] + counts[Reason.PREPARING] + counts[Reason.FREE]
    return None if use is None else round(behind * use / turning_over + preparation)


def _of_one(name: str, found: Availability) -> str:
    until = "" if found.reason_ends is None else f" until {found.reason_ends:%H:%M:%S} UTC"
    return f"{name} is {found.reason.one}{until}"


def _of_many(counts: Counts) -> str:
    if counts.total() == 0:
        return "no device that there is fits"
    parts = ", ".join(f"{counts[one]} {one.many}" for one in Reason if counts[one])
    return f"{counts.total()} device{'s fit' if counts.total() > 1 else ' fits'}: {parts}"


def _with_place(told: str, place: int) -> str:
    ahead = place - 1
    return told if not ahead else f"{told}; {ahead} request{'s come' if ahead > 1 else ' comes'} first"
