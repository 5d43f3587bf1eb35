"""The invariants of the design, asserted on the rows that a step touched, and now and then on all rows."""

from datetime import datetime, timedelta

from mozpool_site.statemachine.spec import REPEATS, Spec
from tests.simulation.ranking import fits
from tests.simulation.request_machine import Requests
from tests.simulation.rows import OPEN, Device, Request
from tests.simulation.store import Store

# A ready request whose device left hears of it by a signal; when that is lost, by a pulse's sweep.
HEARS_WITHIN = timedelta(seconds=60)


class Invariants:
    """Remembers what must not go back; raises Broken with the law's number."""

    def __init__(self, store: Store, requests: Requests, device_spec: Spec) -> None:
        self.store = store
        self.requests = requests
        request_spec = requests.spec
        self.stored = {"device": set(device_spec.stored()), "request": set(request_spec.stored())}
        self.specs = {"device": device_spec, "request": request_spec}
        self._sequences: dict[int, tuple[int, int]] = {}
        self._estranged: dict[int, datetime] = {}
        self._bereft: dict[int, datetime] = {}
        self._waiting_in_vain: dict[int, datetime] = {}

    def check_touched(self) -> None:
        """Check the rows that the last step changed."""
        store = self.store
        for pk in store.touched_devices:
            self._device(store.devices[pk])
        for pk in store.touched_requests:
            if request := store.requests.get(pk):
                self._request(request)
                if request.ended:
                    del store.requests[pk]
        store.touched_devices.clear()
        store.touched_requests.clear()

    def check_all(self) -> None:
        """Check every row, and what concerns several."""
        for device in self.store.devices.values():
            self._device(device)
        for request in self.store.requests.values():
            self._request(request)
            self._faithful(request)
            self._patient(request)
        self._nobody_waits_in_vain()

    def _device(self, device: Device) -> None:
        store = self.store
        self._rests_well(device, "device")
        state_seq, boot_seq = self._sequences.get(device.pk, (0, 0))
        if device.state_seq < state_seq or device.boot_seq < boot_seq:
            raise store.fail(f"I7: went back from {state_seq}, {boot_seq}", device)
        self._sequences[device.pk] = (device.state_seq, device.boot_seq)
        if (device.idle_since is not None) != (device.state == "ready" and device.held_by is None):
            raise store.fail("the list of idle devices is wrong", device)
        self._held(device)
        self._works(device)

    def _held(self, device: Device) -> None:
        if device.held_by is None:
            return
        request = self.store.requests.get(device.held_by)
        if request is None or request.ended:
            raise self.store.fail(f"I2, I4: held by request {device.held_by}, which has ended", device)
        if request.requested_device not in (None, device.pk):
            raise self.store.fail(
                f"I2: request {request.pk} asked for {request.requested_device}", device, request
            )

    def _works(self, device: Device) -> None:
        steady = "steady" in self.specs["device"][device.state].tags
        running = 0
        for op in self.store.operations.values():
            if op.device != device.pk:
                continue
            running += op.status == "running"
            if op.status in OPEN and op.state_seq != device.state_seq:
                law = "I6" if steady else "superseded work"
                raise self.store.fail(f"{law}: operation {op.pk} of state_seq {op.state_seq} is open", device)
            if op.status in OPEN and steady:
                raise self.store.fail(f"I6: operation {op.pk} is open", device)
        if running > 1:
            raise self.store.fail(f"I8: {running} operations run", device)

    def _rests_well(self, row: Device | Request, machine: str) -> None:
        if row.state not in self.stored[machine]:
            raise self.store.fail(f"I5: {row.state} is no state to rest in", row)
        if (row.deadline is not None) != self.specs[machine][row.state].waits:
            raise self.store.fail(f"I5: deadline {row.deadline} in {row.state}", row)

    def _request(self, request: Request) -> None:
        held = [device for device in self.store.devices.values() if device.held_by == request.pk]
        self._rests_well(request, "request")
        if len(held) > 1:
            raise self.store.fail(f"I1: request {request.pk} holds {len(held)} devices", request, *held)
        if held and request.ended:
            raise self.store.fail("I4: it ended and holds a device", request, *held)
        if held and request.state == "finding_device":
            raise self.store.fail("it looks for a device and holds one", request, *held)
        if not held and request.state in ("pending", "ready"):
            raise self.store.fail("I3: it holds no device", request)

    def _patient(self, request: Request) -> None:
        """A request hears when its device is taken away, and leaves no device before that one gives up."""
        device = self.store.holder_of(request.pk)
        away = device is not None and "away" in self.specs["device"][device.state].tags
        if not away:
            self._bereft.pop(request.pk, None)
        elif self.store.now - self._bereft.setdefault(request.pk, self.store.now) > HEARS_WITHIN:
            raise self.store.fail("it holds a device that was taken away", request)
        if (
            request.state != "pending"
            or device is None
            or device.deadline is None
            or REPEATS in device.counters
        ):
            return
        if request.deadline is not None and request.deadline < device.deadline and device.state != "ready":
            raise self.store.fail("it would leave its device before that one gives up", request, device)

    def _faithful(self, request: Request) -> None:
        """I3: who has a device has it ready, with the image that was asked for; news travel for a moment."""
        device = self.store.holder_of(request.pk) if request.state == "ready" else None
        faithful = device is None or (
            (device.state, device.image, device.boot_config) == ("ready", request.image, request.boot_config)
        )
        if faithful:
            self._estranged.pop(request.pk, None)
            return
        since = self._estranged.setdefault(request.pk, self.store.now)
        if device is not None and self.store.now - since > HEARS_WITHIN:
            raise self.store.fail(f"I3: ready since {since}, its device is not", request, device)

    def _nobody_waits_in_vain(self) -> None:
        """A request that looks for a device and a free device that fits find each other, whatever was lost."""
        free = [self.requests.offer_of(device) for device in self.store.devices.values()]
        offers = [
            offer
            for offer in free
            if offer and not self.requests.is_down(self.store.devices[offer.device_id].rack)
        ]
        waiting = {request.pk: request for request in self.requests.waiting()} if offers else {}
        for pk in set(self._waiting_in_vain) - set(waiting):
            del self._waiting_in_vain[pk]
        for pk, request in waiting.items():
            demand = self.requests.demand_of(request)
            if not any(fits(demand, offer) for offer in offers):
                self._waiting_in_vain.pop(pk, None)
            elif self.store.now - self._waiting_in_vain.setdefault(pk, self.store.now) > HEARS_WITHIN:
                raise self.store.fail("it waits although a device that fits is free", request)

    def unsettled(self) -> list[Device | Request]:
        """I12: give what has not come to rest."""
        devices = [
            device
            for device in self.store.devices.values()
            if device.state != "ready" and "steady" not in self.specs["device"][device.state].tags
        ]
        return [*devices, *(r for r in self.store.requests.values() if not r.ended and r.state != "ready")]
