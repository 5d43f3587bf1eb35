"""Says of each request that waits why it does, its place in the queue, and about when it will have its device."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from requests_app.conditions import AT_WORK, Condition, Stock, condition
from requests_app.matching import suits
from requests_app.outages import racks_down
from requests_app.stock import stock
from requests_app.waiting import queue as queues
from requests_app.waiting.history import History, history

COLUMNS = (
    *queues.COLUMNS, "state", "matched_at", "requested_device__name", "requested_device__state",
    "requested_device__held_by", "requested_device__rack_id",
)  # fmt: skip
# What keeps every device that fits from work, the most hopeful first.
_OUT_OF_WORK = (
    (Condition.RACK_DOWN, "rack_down"),
    (Condition.MAINTENANCE, "device_in_maintenance"),
    (Condition.FAILED, "out_of_order"),
    (Condition.LOCKED_OUT, "locked_out"),
)
REASONS = (
    "all_busy", "being_prepared", "being_matched", "ahead_in_queue", "no_such_device",
    *(code for _, code in _OUT_OF_WORK),
)  # fmt: skip
Counts = Counter[Condition]


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
    takes = lately.preparation.get(row["image_id"])
    passed = (now - row["matched_at"]).total_seconds() if row["matched_at"] else 0.0
    estimate = None if takes is None else max(0, round(takes - passed))
    return Waiting("being_prepared", f"{device['name']} is being prepared: {device['state']}", 1, estimate)


def _searching(
    row: Mapping[str, Any], line: queues.Queue, there: Stock, lately: History, now: datetime
) -> Waiting:
    wish = line.wish(row)
    place = line.place(wish, (row["turn"], row["pk"]), there)
    if row["requested_device_id"] is None:
        counts = sum((counted for kind, counted in there.items() if suits(wish, kind)), Counts())
    else:
        counts = Counts([_condition_of_named(row, now)])
    takes = lately.preparation.get(row["image_id"])
    return Waiting(
        reason_code(counts, place),
        _sentence(counts, place, row["requested_device__name"]),
        place,
        estimate(counts, place, takes, lately.use),
    )


def _condition_of_named(row: Mapping[str, Any], now: datetime) -> Condition:
    return condition(
        row["requested_device__state"],
        held=row["requested_device__held_by"] is not None,
        rack_down=row["requested_device__rack_id"] in racks_down(now),
    )


def reason_code(counts: Counts, place: int) -> str:
    """Give the code of why somebody at this place waits for devices that are in these conditions."""
    if not any(counts[one] for one in AT_WORK):
        return next((code for one, code in _OUT_OF_WORK if counts[one]), "no_such_device")
    if counts[Condition.FREE]:
        return "being_matched" if place <= counts[Condition.FREE] else "ahead_in_queue"
    if counts[Condition.PREPARING]:
        return "being_prepared" if place <= counts[Condition.PREPARING] else "ahead_in_queue"
    return "all_busy"


def estimate(counts: Counts, place: int, preparation: float | None, use: float | None) -> int | None:
    """Give the seconds until `ready`, from medians; None where these are not known, or nothing is at work.

    Of n devices in use one comes free every `use` / n seconds. Who may have one that is being prepared already
    waits for that as long as for its own preparation.
    """
    if preparation is None or not any(counts[one] for one in AT_WORK):
        return None
    behind = place - counts[Condition.FREE]
    if behind <= 0:
        return round(preparation)
    behind -= counts[Condition.PREPARING]
    if behind <= 0:
        return round(2 * preparation)
    turning_over = counts[Condition.IN_USE] + counts[Condition.PREPARING] + counts[Condition.FREE]
    return None if use is None else round(behind * use / turning_over + preparation)


def _sentence(counts: Counts, place: int, name: str | None) -> str:
    if name is not None:
        (only,) = counts
        told = f"{name} is {only.value.replace('racks that are', 'a rack that is')}"
    elif counts.total() == 0:
        told = "no device that there is fits"
    else:
        parts = ", ".join(f"{counts[one]} {one.value}" for one in Condition if counts[one])
        told = f"{counts.total()} device{'s fit' if counts.total() > 1 else ' fits'}: {parts}"
    ahead = place - 1
    return told if not ahead else f"{told}; {ahead} request{'s come' if ahead > 1 else ' comes'} first"
