"""Brings the pool into line with an inventory: makes the plan, and carries it out, each device by itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError

from bmm.controllers import why_no_outlet
from bmm.models import OPEN, Operation
from devices import journal, services
from devices.inventory.declared import Source
from devices.inventory.errors import RefusedError
from devices.inventory.plan import make_plan
from devices.inventory.planning import FEW, ONE_IN, Change, Changed, New, Plan
from devices.inventory.records import Record
from devices.inventory.shown import text
from devices.inventory.stored import stored
from devices.models import Device, HardwareType, PowerController, Rack
from lifeguard.machine import device_runner
from lifeguard.retiring import retire, take_back
from lifeguard.services import please_locked
from mozpool_site import clock
from mozpool_site.access import audit
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

# New devices in one transaction: in one of each, eight thousand would take a minute.
_BATCH = 500
# An operation finds its way by these.
_OF_THE_WORK = frozenset({"name", "mac", "rack", "power_controller", "outlet"})
_REFERENCES = ("rack", "hardware_type", "power_controller")


@dataclass
class Done:
    """How many devices were entered, changed and retired; who is held, and retired later; what could not be done."""

    entered: int = 0
    changed: int = 0
    retired: int = 0
    leaving: list[str] = field(default_factory=list)
    # A device's name, and why something of the plan was left for the next time.
    left: list[tuple[str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON knows it."""
        return {
            "entered": self.entered,
            "changed": self.changed,
            "retired": self.retired,
            "retired_when_they_come_back": self.leaving,
            "left": [{"name": name, "reason": reason} for name, reason in self.left],
        }


def plan_of(source: Source, records: Sequence[Record]) -> Plan:
    """Plan what the records of a source make necessary."""
    return make_plan(stored(why_no_outlet), records, source.scope)


def check_usable(plan: Plan) -> None:
    """Raise RefusedError where none of a source's records can be used."""
    if not plan.usable:
        first = plan.refused[0]
        raise RefusedError(
            f"no record of {plan.source} can be used, nothing is changed; {first.where}: {first.reasons[0]}"
        )


def carry_out(plan: Plan, *, by: Actor, ship_it: bool = False, digest: str | None = None) -> Done:
    """Do what a plan says. What has changed meanwhile is left alone, and told.

    Raises RefusedError, with nothing done, where no record can be used, where the plan is too much and nobody said
    `ship_it`, or where it is not the one with the `digest` that was looked at.
    """
    check_usable(plan)
    if digest is not None and digest != plan.digest:
        raise RefusedError("the plan is no longer the one that was shown: look at it again", field="digest")
    if plan.too_much and not ship_it:
        raise RefusedError(
            f"{plan.touched} devices would be entered, changed or retired, and {plan.stored} are stored: that is more "
            f"than {FEW} and more than one in {ONE_IN}. Look at the plan, and say --ship-it if it is meant",
            field="ship_it",
        )
    names = _Names.load()
    done = Done()
    for gone in plan.gone:
        with _told(gone.name, done):
            if retire(gone.pk, plan.source, by=by, free_outlet=gone.frees_outlet):
                done.retired += 1
            else:
                done.leaving.append(gone.name)
    for item in plan.changed:
        with _told(item.name, done):
            left = _change(item, plan.source, names, by, owns=plan.owns)
            done.left += [(item.name, reason) for reason in left]
            done.changed += len(left) < len(item.changes) or item.returns
    _enter_all(plan, names, by, done)
    Device.objects.filter(pk__in=plan.adopted, inventory_source="").update(inventory_source=plan.source)
    return done


@dataclass(frozen=True)
class _Names:
    """Primary keys of what a device refers to, by their names, and the names by the keys."""

    keys: Mapping[str, Mapping[object, int]]
    names: Mapping[str, Mapping[int, str]]

    @classmethod
    def load(cls) -> "_Names":
        """Read them in three queries."""
        names = {
            "rack": dict(Rack.objects.values_list("pk", "name")),
            "hardware_type": {
                pk: f"{kind} {model}"
                for pk, kind, model in HardwareType.objects.values_list("pk", "kind", "model")
            },
            "power_controller": dict(PowerController.objects.values_list("pk", "name")),
        }
        return cls({kind: {name: pk for pk, name in of.items()} for kind, of in names.items()}, names)

    def read(self, device: Device, field: str) -> object:
        """Give a device's value as a plan has it."""
        if field in _REFERENCES:
            return self.names[field].get(getattr(device, f"{field}_id"))
        value = getattr(device, field)
        return tuple(sorted(value)) if field == "tags" else value

    def write(self, device: Device, field: str, value: object) -> None:
        """Set a device's value from what a plan has."""
        if field in _REFERENCES:
            setattr(device, f"{field}_id", None if value is None else self.keys[field][value])
        else:
            setattr(device, field, list(value) if isinstance(value, tuple) else value)


@contextmanager
def _told(name: str, done: Done) -> Iterator[None]:
    """Go on with the next device where this one can't be done."""
    try:
        yield
    except Device.DoesNotExist:
        done.left.append((name, "somebody has deleted it meanwhile"))
    except (IntegrityError, KeyError):
        done.left.append((name, "its name, MAC, outlet, rack or controller has become another's, or is gone"))
    except ValidationError as error:
        done.left.append((name, " ".join(error.messages)))


@retrying
def _change(item: Changed, source: str, names: _Names, by: Actor, *, owns: bool) -> list[str]:
    """Change a device as planned, and give a sentence for each field that is left for another time."""
    device, now = device_runner.lock(item.pk)
    standing = _standing(device, {change.field for change in item.changes})
    left = []
    changes = []
    for change in item.changes:
        why = standing(change.field)
        if names.read(device, change.field) != change.old:
            why = "somebody has changed it meanwhile"
        if why:
            left.append(f"{change.field}: {why}")
        else:
            changes.append(change)
            names.write(device, change.field, change.new)
    if owns:
        device.inventory_source = source
    columns = {change.field for change in changes} | {"inventory_source"}
    if columns & _OF_THE_WORK:
        device.clean()
    device.save(update_fields=sorted(columns))
    if item.returns:
        take_back(device, now, by=by)
    if changes or item.returns:
        _tell(device, changes, item, source, now, by)
    if (
        any(change.field == "mac" for change in changes)
        and device.state == "ready"
        and device.held_by is None
    ):
        # Most likely another board, with who knows what on it.
        please_locked(device, "self_test", now, by=by)
    return left


def _standing(device: Device, fields: set[str]) -> Callable[[str], str]:
    """Say why one of these fields may not be changed now."""
    work = None
    if fields & _OF_THE_WORK:
        work = Operation.objects.filter(device=device.pk, status__in=OPEN).first()

    def why(field: str) -> str:
        if kept := services.why_kept(device.held_by, field):
            return f"left: {kept}"
        if work is not None and field in _OF_THE_WORK:
            return f"left while {work} is under way"
        return ""

    return why


def _tell(
    device: Device, changes: Sequence[Change], item: Changed, source: str, now: datetime, by: Actor
) -> None:
    told = ", ".join(f"{one.field} changed from {text(one.old)} to {text(one.new)}" for one in changes)
    told = ("listed again; " if item.returns else "") + told
    line = journal.line(
        f"inventory {source}: {told}", now, device_id=device.pk, by=by, event="inventory_changed"
    )
    journal.append([line])
    audit.record(
        "inventory_change",
        "device",
        device.name,
        by=by,
        before={one.field: one.old for one in changes},
        after={**{one.field: one.new for one in changes}, "source": source, "returns": item.returns},
        request_id=device.held_by,
    )


def _enter_all(plan: Plan, names: _Names, by: Actor, done: Done) -> None:
    for start in range(0, len(plan.new), _BATCH):
        batch = plan.new[start : start + _BATCH]
        try:
            _enter(batch, plan.source, names, by, owns=plan.owns)
            done.entered += len(batch)
        except (IntegrityError, KeyError):
            # Somebody was quicker with one of them: the others are none the worse for it.
            for new in batch:
                with _told(new.name, done):
                    _enter([new], plan.source, names, by, owns=plan.owns)
                    done.entered += 1


@retrying
def _enter(batch: Sequence[New], source: str, names: _Names, by: Actor, *, owns: bool) -> None:
    """Enter new devices, all or none; they start in `new`, so that the pulse has them tested."""
    now = clock.now()
    owner = source if owns else ""
    devices = [Device(state="new", deadline=now, state_since=now, inventory_source=owner) for _ in batch]
    for device, new in zip(devices, batch, strict=True):
        for name, value in new.record.values.items():
            names.write(device, name, value)
    Device.objects.bulk_create(devices)
    # Not every database tells the keys of many new rows.
    keys = dict(Device.objects.filter(name__in=[new.name for new in batch]).values_list("name", "pk"))
    told = f"entered by inventory {source}"
    journal.append(
        journal.line(told, now, device_id=keys[new.name], by=by, event="inventory_new", to_state="new")
        for new in batch
    )
    audit.keep(
        audit.entry("inventory_add", "device", new.name, by=by, after={**new.record.values, "source": source})
        for new in batch
    )
