"""The device table bound to simulated rows: facts as in lifeguard/facts.py, writes as in lifeguard/effects.py."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from lifeguard.states import DEVICE, EVIDENCE_FOR, DeviceFacts
from mozpool_site.statemachine.machine import Event, Step, Verdict, enter, stale, step
from mozpool_site.statemachine.spec import REPEATS, TIMEOUT, Spec
from tests.simulation.operations import Operations
from tests.simulation.rows import Device, Image, Install
from tests.simulation.store import Store

SELF_TEST, MAINTENANCE = OWN_IMAGES = 1, 2
# What is told of a device with nothing on it.
NO_IMAGE = Image(0, "none")
HOPELESS_FAILURES = 3
Fence = Mapping[str, object]


def of_the_image(image: Image) -> dict[str, Any]:
    """Return the facts that are columns of an image."""
    return {name: getattr(image, name) for name in ("verification", "verify_timeout", "verify_limit")}


@cache
def _facts(*, held: bool, image: Image, self_test: bool, may_help: bool, suspect: bool) -> DeviceFacts:
    return DeviceFacts(
        held=held,
        **of_the_image(image),
        self_test_available=self_test,
        self_test_may_help=may_help,
        image_suspect=suspect,
    )


class Devices:
    """Runs the life of simulated devices; `announce` is set by whoever listens after the commit."""

    announce: Callable[[Device, str, str], None]

    def __init__(self, store: Store, operations: Operations, spec: Spec = DEVICE) -> None:
        self.store = store
        self.operations = operations
        self.spec = spec
        self.taken: set[tuple[str, str, str]] = set()

    def deliver(self, device: Device, event: Event, fence: Fence | None = None) -> bool:
        """Let an event happen, as Runner.deliver does; True when the device moved."""
        late = stale(fence, device)
        if self.refuses(fence, device):
            device.trace.append((self.store.now, event.name, "late:", late))
            return False
        facts = self.facts(device)
        if event.name == TIMEOUT and self.spec[device.state].work:
            event = Event(event.name, event.arguments, work_waiting=self.operations.never_begun(device))
        decision = step(self.spec, device.snapshot, event, facts, self.store.now)
        if late and decision.verdict is not Verdict.IGNORED:
            raise self.store.fail(f"{event.name} acted although it is late: {late}", device)
        self._check_blame(device, event, decision)
        return self._carry_out(device, event, decision, facts)

    def refuses(self, fence: Fence | None, device: Device) -> bool:
        """Whether a fence shuts an event out."""
        return stale(fence, device) is not None

    def force(self, device: Device, state: str) -> None:
        """Put a device into a state, whatever the table says."""
        facts = self.facts(device)
        decision = enter(self.spec, device.snapshot, state, facts, self.store.now)
        self._carry_out(device, Event("forced"), decision, facts)

    def facts(self, device: Device) -> DeviceFacts:
        """Load what the table may ask."""
        images = self.store.images
        image = images.get(device.next_image or device.image or 0, NO_IMAGE)
        self_test = device.hardware in images[SELF_TEST].hardware
        return _facts(
            held=device.held_by is not None,
            image=image,
            self_test=self_test,
            may_help=self_test and device.failures + 1 < HOPELESS_FAILURES,
            suspect=self._image_is_suspect(device),
        )

    def _image_is_suspect(self, device: Device) -> bool:
        if device.next_image in (None, *OWN_IMAGES) or "installing" not in self.spec[device.state].tags:
            return False
        since = self.store.now - EVIDENCE_FOR
        evidence = [i for i in self.store.installs.get(device.next_image or 0, ()) if i.finished >= since]
        good = [i.finished for i in evidence if i.succeeded]
        bad = [i.finished for i in evidence if not i.succeeded and i.healthy_before and i.device != device.pk]
        return bool(bad) and (not good or max(bad) > max(good))

    def _check_blame(self, device: Device, event: Event, decision: Step) -> None:
        """I10: the infrastructure's fault raises no counter."""
        unbegun = event.name == TIMEOUT and any(
            op.state_seq == device.state_seq and op.status == "queued" and op.attempts == 0
            for op in self.operations.of(device.pk)
        )
        infrastructure = event.name in ("operation_lost", "hardware_unreachable") or unbegun
        raised = {**decision.counters, REPEATS: 0} != {**device.counters, REPEATS: 0}
        if infrastructure and decision.verdict is Verdict.MOVED and raised:
            raise self.store.fail(f"I10: {event.name} raised a counter: {dict(decision.counters)}", device)

    def _carry_out(self, device: Device, event: Event, decision: Step, facts: DeviceFacts) -> bool:
        if decision.verdict is Verdict.IGNORED:
            device.trace.append((self.store.now, event.name, "ignored in", device.state))
            return False
        old_state = device.state
        self.taken.add((old_state, event.name, decision.path[0] if decision.path else old_state))
        for name in decision.writes:
            self.write(name, device, event, facts)
        moved = decision.verdict is Verdict.MOVED
        if moved:
            device.state, device.deadline = decision.state, decision.deadline
            device.counters = dict(decision.counters)
            device.state_seq += 1
            self.settle(device)
            self.operations.supersede(device.pk)
        if decision.work:
            self.operations.queue(device, decision.work, decision.not_before or self.store.now)
        path = " > ".join(decision.path) or "stays"
        device.trace.append((self.store.now, event.name, path, device.state_seq, dict(device.counters)))
        self.store.touched_devices.add(device.pk)
        self.announce(device, old_state, event.name)
        return moved

    def settle(self, device: Device) -> None:
        """Keep the list of idle devices."""
        idle = device.state == "ready" and device.held_by is None
        device.idle_since = (device.idle_since or self.store.now) if idle else None

    def write(self, name: str, device: Device, event: Event, facts: DeviceFacts) -> None:
        """Change the row as the table says."""
        WRITES[name](self, device, event, facts)

    def record(self, device: Device, *, succeeded: bool) -> None:
        """Remember what became of an image on a device."""
        if device.next_image is not None and device.next_image not in OWN_IMAGES:
            install = Install(device.pk, self.store.now, succeeded, device.failures == 0)
            kept = self.store.installs.setdefault(device.next_image, [])
            kept.append(install)
            since = self.store.now - EVIDENCE_FOR
            kept[:] = [old for old in kept if old.finished >= since]


Write = Callable[[Devices, Device, Event, DeviceFacts], None]


def _begin_task(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    device.task_seq += 1
    device.result = ""


def _set_next_image(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    device.next_image = int(str(event.arguments["image_id"]))
    device.next_boot_config = str(event.arguments["boot_config"])


def _next_is(image: int) -> Write:
    def write(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
        device.next_image, device.next_boot_config = image, "{}"

    return write


def _forget_next_image(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    device.next_image, device.next_boot_config = None, ""


def _forget_image(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    device.image, device.boot_config = None, ""


def _adopt_next_image(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    if device.next_image is not None:
        devices.record(device, succeeded=True)
        device.image, device.boot_config = device.next_image, device.next_boot_config
        device.next_image, device.next_boot_config = None, ""


def _netboot_on(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    _netboot_stays_on(devices, device, event, facts)
    device.boot_seq += 1


def _netboot_stays_on(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    image = devices.store.images.get(device.next_image or 0)
    device.netboot = image.pk if image and device.hardware in image.hardware else None


def _netboot_off(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    device.netboot = None


def _report_complete(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    device.result, device.failures = "complete", 0


def _report_healthy(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    device.trace.append((devices.store.now, "healthy"))


def _report_failure(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    devices.record(device, succeeded=False)
    device.result = "failed-bad-image" if facts.image_suspect else "failed-bad-device"
    device.failures += 0 if facts.image_suspect else 1


def _report_unreachable(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    device.result = "failed-bad-device"


def _withdraw(devices: Devices, device: Device, event: Event, facts: DeviceFacts) -> None:
    if device.held_by is not None and device.result in ("", "complete"):
        device.result = "withdrawn"


WRITES: dict[str, Write] = {
    "begin_task": _begin_task,
    "set_next_image": _set_next_image,
    "next_is_self_test": _next_is(SELF_TEST),
    "next_is_maintenance": _next_is(MAINTENANCE),
    "forget_next_image": _forget_next_image,
    "forget_image": _forget_image,
    "adopt_next_image": _adopt_next_image,
    "netboot_on": _netboot_on,
    "netboot_stays_on": _netboot_stays_on,
    "netboot_off": _netboot_off,
    "report_complete": _report_complete,
    "report_healthy": _report_healthy,
    "report_failure": _report_failure,
    "report_unreachable": _report_unreachable,
    "withdraw": _withdraw,
}
