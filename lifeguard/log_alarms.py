"""What Lifeguard makes of a serious alarm in a device's log: its health is in doubt; an idle device is asked at once.

A held device is left to whoever has it; one that is being worked on has its own deadlines.
"""

from datetime import datetime, timedelta
from typing import Any

from django.dispatch import receiver

from bmm.syslog.signals import device_alarmed
from devices.models import Device
from devices.models.device import Health
from lifeguard.machine import device_runner
from lifeguard.states import DEVICE
from mozpool_site.transactions import retrying

# A board that panics again and again is asked no more often than this.
_BETWEEN_CHECKS = timedelta(seconds=30)
_READY = "ready"


@receiver(device_alarmed, dispatch_uid="lifeguard.log_alarms")
def device_was_alarmed(sender: Any, *, device_id: int, name: str, received: datetime, **_: Any) -> None:
    """Heed an alarm in the transaction that stores its line."""
    heed(device_id, name, received)


@retrying
def heed(device_id: int, alarm: str, received: datetime) -> bool:
    """Doubt a device's health since its log told of `alarm`; give whether it will be asked earlier for that.

    An alarm from before the device entered its present state is late and does nothing: that boot may be over.
    `received` is by the database's clock. A device that is no longer there has no health.
    """
    try:
        device, now = device_runner.lock(device_id)
    except Device.DoesNotExist:
        return False
    if received < device.state_since:
        return False
    changes: dict[str, Any] = {}
    if device.health == Health.GOOD:
        changes["health"] = Health.UNKNOWN
        changes["quarantine_reason"] = f"its log told of {alarm}"
        changes["quarantine_since"] = now
    deadline = _earlier(device, now)
    if deadline is not None:
        changes["deadline"] = deadline
    if changes:
        Device.objects.filter(pk=device.pk, state_seq=device.state_seq).update(**changes)
    return deadline is not None


def _earlier(device: Device, now: datetime) -> datetime | None:
    """Give when an idle device should be asked whether it is well, when that is before its turn; None else."""
    timeout = DEVICE[_READY].timeout
    if device.state != _READY or device.held_by is not None or device.deadline is None or timeout is None:
        return None
    if device.deadline <= now + _BETWEEN_CHECKS:
        # Soon enough, perhaps because of an earlier alarm.
        return None
    asked_last = device.deadline - timedelta(seconds=float(timeout))
    return max(now, asked_last + _BETWEEN_CHECKS)
