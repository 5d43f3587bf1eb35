"""Inside a process with Django: takes devices through their self-test, step by step, as fast as it can."""

import time

from devices.models import Device
from lifeguard.machine import device_runner
from mozpool_site.statemachine.machine import Event
from tests.bench.child import Order

# From `ready` back to `ready`: each is one step in a transaction of its own, with operations, journal and bells.
_CYCLE = ("please_self_test", "mobile_init_started", "self_test_running", "self_test_ok")


def answer(order: Order) -> Order:
    """Carry out {names, seconds}: give the seconds that each step took, and how many moved nothing."""
    devices = list(Device.objects.filter(name__in=order["names"]).values_list("pk", flat=True))
    if order.get("warm_up"):
        _cycle(devices[0], [])
        return {}
    times: list[float] = []
    begun = time.perf_counter()
    end = begun + order["seconds"]
    still = 0
    while time.perf_counter() < end:
        for device in devices:
            still += _cycle(device, times)
    return {"seconds": time.perf_counter() - begun, "times": times, "still": still}


def _cycle(device: int, times: list[float]) -> int:
    still = 0
    for name in _CYCLE:
        begun = time.perf_counter()
        delivery = device_runner.deliver(device, Event(name))
        times.append(time.perf_counter() - begun)
        still += not delivery.moved
    return still
