"""Who does the rack's work: its worker, its pulse, and its power controllers."""

import time
from datetime import timedelta

from bmm import operations, services
from bmm.controllers import driver_of
from bmm.errors import Misconfigured
from bmm.models import OPEN, Kind, Operation, Status
from bmm.operations import Answer
from bmm.questions import ask_from_here
from devices.models import PowerController
from lifeguard.rack.findings import Finding, Findings, Place, fail, ok, warn
from mozpool_site import clock
from mozpool_site.errors import ConflictError
from mozpool_site.statemachine.runner import Actor

# A worker hears its bell within milliseconds. Less than the ten seconds after which the pulse does the work itself.
_WORKER_SECONDS = 8.0
_LOOK_SECONDS = 0.1
_PULSE_LATE = timedelta(seconds=15)


def worker(place: Place) -> Findings:
    """Have the worker ping one of its devices: the row is its bell, and who took it is in the row."""
    busy = Operation.objects.filter(rack=place.rack, status__in=OPEN).values_list("device_id", flat=True)
    free = [device for device in place.devices if device.pk not in set(busy)]
    if not free:
        told = (
            "no device is without work: there is none to try the worker with"
            if place.devices
            else "it has no device yet"
        )
        yield warn("worker", told, "add devices" if not place.devices else "look again in a minute")
        return
    operation = services.ping(free[0].pk, by=Actor("check_rack")).operation
    began = time.monotonic()
    while time.monotonic() - began < _WORKER_SECONDS:
        operation.refresh_from_db(fields=["status", "runner"])
        if operation.runner:
            host = operation.runner.partition(":")[0]
            yield ok(
                "worker", f"{host} had a ping of {free[0]} in hand after {time.monotonic() - began:.1f} s"
            )
            return
        if operation.status != Status.QUEUED:
            break
        time.sleep(_LOOK_SECONDS)
    operations.call_off(operation)
    mend = f"systemctl status mozpool-worker@{place.rack}; can it reach Redis (MOZPOOL_BROKER_URL)? Can this host?"
    yield fail("worker", f"nobody took a ping within {_WORKER_SECONDS:g} s", mend)


def pulse(place: Place) -> Findings:
    """See when a pulse of the rack has last looked."""
    place.rack.refresh_from_db(fields=["pulse_seen"])
    seen, mend = place.rack.pulse_seen, f"systemctl status mozpool-pulse@{place.rack}"
    if seen is None:
        yield fail("pulse", "no pulse has ever looked after it", mend)
        return
    ago = clock.now() - seen
    found = f"a pulse has looked {max(0.0, ago.total_seconds()):.0f} s ago"
    yield fail("pulse", found, mend) if ago > _PULSE_LATE else ok("pulse", found)


def power(place: Place) -> Findings:
    """Ask each power controller for a sign of life, and find devices that hang on none."""
    controllers = list(PowerController.objects.filter(rack=place.rack).order_by("name"))
    yield from map(_controller, controllers)
    bare = [device.name for device in place.devices if device.power_controller_id is None]
    if bare:
        some = ", ".join(bare[:5]) + (", ..." if len(bare) > 5 else "")  # noqa: PLR2004 - enough to find them
        yield warn(
            "power", f"{len(bare)} devices have no outlet: {some}", "give each its controller and outlet"
        )
    if not controllers and not bare:
        yield warn("power", "it has no power controller", "add one in the admin")


def _controller(controller: PowerController) -> Finding:
    what = f"{controller.name} ({controller.driver} at {controller.address})"
    try:
        driver_of(controller)
    except Misconfigured as error:
        return fail("power", f"{what}: {error}", error.advice)
    try:
        outcome = ask_from_here(Kind.TEST_CONTROLLER, controller)
    except ConflictError as error:
        return warn("power", f"{what}: {error.detail}", "look again in a minute")
    if outcome.answer == Answer.MISCONFIGURED:
        return warn("power", f"{what} can't be asked whether it is well", "cycle one of its outlets to see")
    if outcome.answer != Answer.OK:
        return fail("power", f"{what}: {outcome.message}", outcome.advice)
    return ok("power", f"{what} is well")
