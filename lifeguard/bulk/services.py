"""Starts and stops batches: what somebody asked for is stored whole, or refused with what is wrong with it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from devices.models import Device
from devices.names import HOSTNAME
from lifeguard.bulk.models import UNSUCCESSFUL, Batch, BatchItem, Progress
from lifeguard.bulk.verbs import Verb, verb_named
from mozpool_site import clock
from mozpool_site.access import audit
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

MOST_DEVICES = 10_000
LONGEST_REASON = 300
# Of names that are wrong, so many are told.
_NAMED = 5
_SLICE = 500


def start(
    verb: str,
    arguments: Mapping[str, Any],
    device_names: Iterable[str],
    *,
    by: Actor,
    reason: str = "",
    key: str | None = None,
    again_of: int | None = None,
) -> Batch:
    """Store a batch over the named devices, 1 to 10,000; `advance` carries it out, and so does the pool's pulse.

    `verb` is one of VERBS and `arguments` what it takes (see arguments.py). A `key` sent twice gives the batch of the
    first time. Who may ask for it is the caller's to check: `VERBS[verb].least`. Raises InvalidInputError for
    arguments, a missing reason or too many devices, UnknownNameError naming devices that there are not.
    """
    wanted = verb_named(verb)
    taken = wanted.check(arguments)
    reason = check_reason(wanted, reason)
    names = _names(device_names)
    # Somebody else's key is another one.
    digest = hashlib.sha256(f"{by.name}\n{key}".encode()).hexdigest() if key else None

    if before := _with_key(digest):
        return before

    @retrying
    def transact() -> Batch:
        now, found = clock.now(), _found(names)
        batch = Batch.objects.create(
            verb=wanted.name,
            arguments=taken,
            reason=reason,
            actor=by.name[:150],
            source=by.source,
            address=by.address,
            created=now,
            total=len(found),
            again_of_id=again_of,
            key=digest,
        )
        BatchItem.objects.bulk_create(_items(batch, found, now), batch_size=_SLICE)
        after = {"verb": wanted.name, "devices": _some(names), **taken, "reason": reason}
        audit.record("start_bulk", "bulk", str(batch.pk), by=by, after=after)
        return batch

    try:
        return transact()
    except IntegrityError:
        # The same form again at the same moment, or the database died after the commit and before its answer.
        if before := _with_key(digest):
            return before
        raise


def stop(batch_id: int, *, by: Actor) -> int:
    """Call off what a batch has not begun; give how many devices are left alone for that.

    What was asked for already goes on. Raises UnknownNameError, and ConflictError for a batch that has nothing left.
    """

    @retrying
    def transact() -> int:
        batch = Batch.objects.select_for_update().filter(pk=batch_id).first()
        if batch is None:
            raise UnknownNameError(f"there is no bulk action {batch_id}", field="bulk")
        now = clock.now()
        waiting = BatchItem.objects.filter(batch=batch_id, progress=Progress.WAITING)
        told = f"called off by {by.name}"
        number = waiting.update(progress=Progress.CALLED_OFF, ended=now, message=told[:300])
        if not number:
            raise ConflictError(f"bulk action {batch_id} has been begun with every device", field="bulk")
        batch.stopped_at, batch.stopped_by = now, by.name[:150]
        batch.save(update_fields=["stopped_at", "stopped_by"])
        audit.record("stop_bulk", "bulk", str(batch_id), by=by, after={"called_off": number})
        return number

    return transact()


def unsuccessful(batch_id: int) -> list[str]:
    """Name the devices for which a batch failed, was refused or called off: those to try again."""
    items = BatchItem.objects.filter(batch=batch_id, progress__in=UNSUCCESSFUL)
    return list(items.order_by("pk").values_list("device__name", flat=True))


def check_reason(verb: Verb, reason: str) -> str:
    """Give a reason in one line. Raises InvalidInputError where it is too long or odd, or missing and needed."""
    reason = " ".join(reason.split())
    if len(reason) > LONGEST_REASON:
        raise InvalidInputError(
            f"reason: at most {LONGEST_REASON} characters, got {len(reason)}", field="reason"
        )
    if not reason.isprintable():
        raise InvalidInputError("reason: no control characters, please", field="reason")
    if verb.needs_reason and not reason:
        raise InvalidInputError(f"{verb.label.lower()} needs a reason", field="reason")
    return reason


def _with_key(digest: str | None) -> Batch | None:
    return Batch.objects.filter(key=digest).first() if digest else None


def _names(given: Iterable[str]) -> list[str]:
    names = list(dict.fromkeys(given))
    if not names:
        raise InvalidInputError("no device is selected", field="device")
    if len(names) > MOST_DEVICES:
        raise InvalidInputError(
            f"{len(names)} devices are selected; at most {MOST_DEVICES} at once", field="device"
        )
    return names


def _items(batch: Batch, found: Mapping[str, tuple[int, str]], now: datetime) -> list[BatchItem]:
    """Make a batch's items, in the order of the names; a forced change refuses here what is not in a state seen."""
    forced = batch.verb == "force_state"
    seen = batch.arguments.get("from") or []
    items = []
    for name, (pk, state) in found.items():
        item = BatchItem(batch=batch, device_id=pk, expected=state if forced else "")
        if forced and seen and state not in seen:
            item.progress, item.ended = Progress.REFUSED, now
            item.message = f"{name} is in state {state} now, which nobody has seen: look again"
        items.append(item)
    return items


def _found(names: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Give number and state by name, in the order given. Raises UnknownNameError naming those that there are not."""
    found: dict[str, tuple[int, str]] = {}
    plausible = [name for name in names if HOSTNAME.fullmatch(name)]
    for first in range(0, len(plausible), _SLICE):
        rows = Device.objects.filter(name__in=plausible[first : first + _SLICE]).order_by()
        found |= {name: (pk, state) for name, pk, state in rows.values_list("name", "pk", "state")}
    unknown = [name for name in names if name not in found]
    if unknown:
        raise UnknownNameError(f"there is no device {_some([name[:63] for name in unknown])}", field="device")
    return {name: found[name] for name in names}


def _some(names: Sequence[str]) -> str:
    told = ", ".join(names[:_NAMED])
    more = len(names) - _NAMED
    return f"{told} and {more} more" if more > 0 else told
