"""Purely: what is stored, and what a source says, make a plan. Nothing is read or written here."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from devices.inventory.drafts import Draft, Key, count, draft, keys_of
from devices.inventory.matching import Matches, match
from devices.inventory.planning import (
    RETIRED,
    Change,
    Changed,
    Gone,
    New,
    Plan,
    Refused,
    Scope,
    Stored,
    StoredDevice,
)
from devices.inventory.records import Record

# Of devices that a warning names.
_FEW_NAMES = 5


def make_plan(stored: Stored, records: Sequence[Record], scope: Scope) -> Plan:
    """Compare, and plan what to do. A device that any record names, even a refused one, is not gone."""
    ignored = [record for record in records if _ignored(record, scope)]
    passed_over = {id(record) for record in ignored}
    heeded = [record for record in records if id(record) not in passed_over]
    known = [device for device in stored.devices if not _is_ignored_name(device.name, scope)]
    matches = match(heeded, known, scope.source)
    twice = count(heeded)
    drafts = [draft(record, device, stored, twice) for record, device in matches.pairs]
    gone, notes = _gone(stored, known, matches, _mentioned(ignored, stored, scope), scope)
    sorter = _Sorter(stored, gone)
    sorter.sort([one for one in drafts if not one.reasons])
    ours = [one.device for one in drafts if one.device and not one.reasons]
    return Plan(
        source=scope.source,
        stored=len(stored.devices),
        adopted=tuple(device.pk for device in ours if not device.source and scope.owns),
        new=tuple(New(one.name, one.record) for one in sorter.accepted if one.device is None),
        changed=tuple(item for one in sorter.accepted if (item := _changed(one, scope))),
        gone=sorter.gone,
        refused=tuple(
            Refused(one.record.where, one.name, one.reasons or sorter.blocked[id(one)])
            for one in drafts
            if one.reasons or id(one) in sorter.blocked
        ),
        ignored=tuple(record.name or record.where for record in ignored),
        unchanged=sum(one.device is not None and _changed(one, scope) is None for one in sorter.accepted),
        notes=notes,
        warnings=_warnings(sorter.accepted),
        owns=scope.owns,
    )


def _warnings(accepted: Sequence[Draft]) -> tuple[str, ...]:
    names = sorted(one.name for one in accepted if one.loses_power)
    if not names:
        return ()
    few = ", ".join(names[:_FEW_NAMES]) + (
        f" and {len(names) - _FEW_NAMES} more" if len(names) > _FEW_NAMES else ""
    )
    told = "1 device has no outlet" if len(names) == 1 else f"{len(names)} devices have no outlet"
    return (f"{told}, so nothing can switch the power and every test fails: {few}",)


def _ignored(record: Record, scope: Scope) -> bool:
    if scope.racks and "rack" in record.values and record.values["rack"] not in scope.racks:
        return True
    return _is_ignored_name(record.name, scope)


def _is_ignored_name(name: str, scope: Scope) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in scope.ignore)


def _mentioned(records: Sequence[Record], stored: Stored, scope: Scope) -> frozenset[int]:
    return match(records, stored.devices, scope.source).mentioned if records else frozenset()


def _changed(one: Draft, scope: Scope) -> Changed | None:
    """Say what becomes of a stored device; None where nothing does."""
    if one.device is None:
        return None
    changes = one.changes
    if scope.owns and one.device.source not in ("", scope.source):
        changes = (*changes, *_taken_over(one, one.device, scope.source))
    if not changes and not one.device.gone:
        return None
    return Changed(one.device.pk, one.device.name, changes, returns=one.device.gone)


def _taken_over(one: Draft, device: StoredDevice, source: str) -> Iterator[Change]:
    """Say what else changes of a device that was another source's: an id of that one is none of this one's."""
    if "inventory_id" not in one.record.values and device.values.get("inventory_id") is not None:
        yield Change("inventory_id", device.values["inventory_id"], None)
    yield Change("inventory_source", device.source, source)


def _gone(
    stored: Stored, known: Sequence[StoredDevice], matches: Matches, mentioned: frozenset[int], scope: Scope
) -> tuple[tuple[Gone, ...], tuple[str, ...]]:
    """Find the devices that the source should list and does not."""
    listed = matches.mentioned | mentioned
    missing = [
        device
        for device in known
        if device.pk not in listed
        and device.source in ("", scope.source)
        and (not scope.racks or device.values["rack"] in scope.racks)
    ]
    if missing and not scope.complete:
        return (), (f"{scope.source} lists some devices only: nothing is retired",)
    if matches.unreadable:
        told = f"{matches.unreadable} records name no device that could be known: nothing is retired"
        return (), (told,)
    # What is marked already needs no second mark: it is retired, or will be when it comes back.
    news = [one for one in missing if not (one.gone and (one.held_by is not None or one.state == RETIRED))]
    return tuple(Gone(one.pk, one.name, one.held_by) for one in news), ()


@dataclass
class _Sorter:
    """Puts drafts into an order in which nobody needs what another still has; the rest is blocked, with reasons."""

    stored: Stored
    gone: tuple[Gone, ...]
    accepted: list[Draft] = field(default_factory=list)
    blocked: dict[int, tuple[str, ...]] = field(default_factory=dict)
    _holders: dict[Key, StoredDevice] = field(default_factory=dict)
    _leaving: set[int] = field(default_factory=set)

    def sort(self, drafts: Sequence[Draft]) -> None:
        """Sort them, those of stored devices first."""
        self._holders = {key: device for device in self.stored.devices for key in keys_of(device.values)}
        self._leaving = {item.pk for item in self.gone if item.held_by is None}
        self._leaving |= {device.pk for device in self.stored.devices if device.retired}
        self._leaving -= {one.pk for one in drafts if one.pk is not None}
        waiting: dict[Key, list[Draft]] = defaultdict(list)
        queue = deque(sorted(drafts, key=lambda one: one.device is None))
        while queue:
            one = queue.popleft()
            taken = next((key for key in sorted(one.keys) if self._holder(key, one)), None)
            if taken is not None:
                waiting[taken].append(one)
                continue
            for freed in self._accept(one):
                queue.extend(waiting.pop(freed, ()))
        moving = {one.pk for stuck in waiting.values() for one in stuck if one.pk is not None}
        for key, stuck in waiting.items():
            self.blocked |= {id(one): (self._why(key, one, moving),) for one in stuck}

    def _holder(self, key: Key, one: Draft) -> StoredDevice | None:
        """Give the other device that has what a draft needs, and keeps it."""
        holder = self._holders.get(key)
        if holder is None or holder.pk == one.pk or (key[0] == "outlet" and holder.pk in self._leaving):
            return None
        return holder

    def _accept(self, one: Draft) -> set[Key]:
        """Take a draft in; give what its device no longer needs."""
        self.accepted.append(one)
        for key in one.keys:
            holder = self._holders.get(key)
            if holder is not None and holder.pk != one.pk:
                others = tuple(item for item in self.gone if item.pk != holder.pk)
                self.gone = (*others, Gone(holder.pk, holder.name, frees_outlet=True))
        if one.device is None:
            return set()
        freed = {key for key in keys_of(one.device.values) - one.keys if self._holders.pop(key, None)}
        self._holders |= dict.fromkeys(one.keys, one.device)
        return freed

    def _why(self, key: Key, one: Draft, moving: set[int]) -> str:
        holder = self._holders[key]
        if key[0] == "name" and one.name != holder.name:
            return f"name: {holder.name} is there already, but for its case"
        in_turn = (
            ", which can't give it up before it has another's: change one of them by hand"
            if holder.pk in moving
            else ""
        )
        value = holder.name if key[0] == "name" else key[1]
        return f"{key[0]} {value} is that of {holder.name}{in_turn}"
