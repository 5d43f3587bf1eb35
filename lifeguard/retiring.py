"""Takes devices that their inventory no longer lists out of the pool, and back into it when they are listed again.

Nothing is deleted: a retired device is locked out, with its story; one that is held is retired when it comes back.
"""

from datetime import datetime

from bmm import services as hardware
from devices import journal
from devices.inventory.planning import RETIRED
from devices.models import Device
from lifeguard.machine import device_runner
from mozpool_site.access import audit
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying


def retire(device_id: int, source: str, *, by: Actor, free_outlet: bool = False) -> bool:
    """Note that an inventory no longer lists a device, and lock it out unless it is held; give whether it is out.

    With `free_outlet` its outlet is another's from now on, unless it is held. Raises the model's DoesNotExist.
    """

    @retrying
    def transact() -> bool:
        device, now = device_runner.lock(device_id)
        old = device.state
        columns = ["gone_since", "inventory_source"]
        device.gone_since, device.inventory_source = device.gone_since or now, source
        before: dict[str, object] = {"state": old}
        if free_outlet and device.held_by is None:
            before |= {"power_controller": str(device.power_controller), "outlet": device.outlet}
            device.power_controller, device.outlet = None, ""
            columns += ["power_controller", "outlet"]
        device.save(update_fields=columns)
        told = f"no longer in inventory {source}"
        if device.held_by is not None:
            told += f"; retired when request {device.held_by} gives it back"
        journal.append([journal.line(told, now, device_id=device.pk, by=by, event="inventory_gone")])
        if device.held_by is None:
            retire_locked(device, now, by=by)
        after = {"source": source, "state": device.state}
        audit.record(
            "retire", "device", device.name, by=by, before=before, after=after, request_id=device.held_by
        )
        return device.held_by is None

    return transact()


def retire_locked(device: Device, now: datetime, *, by: Actor | None = None) -> None:
    """Lock out a device that is gone and held by nobody, in the transaction that has locked its row."""
    by = by or Actor(f"inventory {device.inventory_source}")
    if device.netboot_id is not None:
        hardware.clear_netboot(device.pk, by=by)
        device.netboot = None
    if device.state != RETIRED:
        device_runner.force(device, RETIRED, now, by=by)


def take_back(device: Device, now: datetime, *, by: Actor) -> None:
    """Let a device whose row is locked back in, since it is listed again: it starts as a new one, and is tested.

    What a person has quarantined, or leads elsewhere by hand, stays where it is.
    """
    was_out = device.state == RETIRED and not device.quarantine_by
    device.gone_since = None
    device.save(update_fields=["gone_since"])
    if was_out:
        device_runner.force(device, "new", now, by=by)
