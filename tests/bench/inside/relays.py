"""Inside a process with Django: asks for the power cycle of a whole relay board at once, at either level."""

import time

from bmm import operations
from bmm.models import Kind, Operation
from devices.models import Device
from lifeguard import services
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from tests.bench.child import Order

_BENCH = Actor("bench", "user")


def answer(order: Order) -> Order:
    """Carry out {level: lifeguard or bmm}: ask for each device in turn; give the wall times of begin and end."""
    devices = list(Device.objects.select_related("rack").order_by("pk"))
    ask = {"lifeguard": _please, "bmm": _queue}[order["level"]]
    begun = time.time()
    for device in devices:
        ask(device)
    return {"begun": begun, "asked": time.time(), "last_operation": _last_operation()}


def _please(device: Device) -> None:
    services.please(device.pk, "power_cycle", by=_BENCH)


def _queue(device: Device) -> None:
    operations.queue(device, Kind.POWER_CYCLE, clock.now(), actor=_BENCH.name)


def _last_operation() -> int:
    return Operation.objects.order_by("-pk").values_list("pk", flat=True)[0]
