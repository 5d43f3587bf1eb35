"""The request table bound to simulated rows, as requests_app/machine.py binds it; matching as in claims.py."""

from functools import cache

from lifeguard.bounds import patience
from lifeguard.states import DEVICE, PLEASE_EVENTS, DeviceFacts
from mozpool_site.statemachine.machine import Event, Verdict, stale, step
from mozpool_site.statemachine.spec import Spec
from requests_app.matching import Demand
from requests_app.news import news_of_device, was_asked
from requests_app.states import ENDED_STATES, REQUEST, RequestFacts
from tests.simulation.device_machine import Devices, Fence, of_the_image
from tests.simulation.ranking import Offer, fits, in_turn, ranked
from tests.simulation.rows import Device, Image, Request
from tests.simulation.store import Store

_FAILED = frozenset(DEVICE.tagged("failed"))
_RESULTS = {"failed-bad-image": "bad_image", "failed-bad-device": "bad_device"}
RACK_DOWN_AFTER = 30.0


@cache
def _facts(*, named: bool, failed: bool, answer: str, image: Image) -> RequestFacts:
    return RequestFacts(
        named=named,
        named_device_failed=failed,
        device_answer=answer,
        search_seconds=30 if named else 600,
        device_patience=patience(DeviceFacts(**of_the_image(image)), with_faults=named),
    )


class Requests:
    """Runs the life of simulated requests, and brings them together with free devices."""

    def __init__(self, store: Store, devices: Devices, spec: Spec = REQUEST) -> None:
        self.store = store
        self.devices = devices
        self.spec = spec
        self._seen: list[Offer] = []
        self._seen_long_ago: list[Offer] = []

    # The machine.

    def deliver(self, request: Request, event: Event, fence: Fence | None = None) -> bool:
        """Let an event happen, as Runner.deliver does; True when the request moved."""
        late = stale(fence, request)
        if self.refuses(fence, request):
            return False
        decision = step(self.spec, request.snapshot, event, self.facts(request), self.store.now)
        if late and decision.verdict is not Verdict.IGNORED:
            raise self.store.fail(f"{event.name} acted although it is late: {late}", request)
        if decision.verdict is Verdict.IGNORED:
            return False
        for name in decision.writes:
            self.write(name, request)
        self.store.touched_requests.add(request.pk)
        if decision.verdict is not Verdict.MOVED:
            return False
        request.state, request.deadline = decision.state, decision.deadline
        request.counters = dict(decision.counters)
        request.state_seq += 1
        request.ended = request.state in ENDED_STATES
        path = " > ".join(decision.path)
        request.trace.append((self.store.now, event.name, path, request.state_seq, dict(request.counters)))
        return True

    def refuses(self, fence: Fence | None, request: Request) -> bool:
        """Whether a fence shuts an event out."""
        return stale(fence, request) is not None

    def facts(self, request: Request) -> RequestFacts:
        """Load what the table may ask."""
        named = request.requested_device
        searching = request.state == "finding_device"
        failed = named is not None and searching and self.store.devices[named].state in _FAILED
        answer = "gone" if searching else self.device_answer(request)
        image = self.store.images[request.image]
        return _facts(named=named is not None, failed=failed, answer=answer, image=image)

    def device_answer(self, request: Request) -> str:
        """Say what the device that a request holds makes of its task."""
        device = self.store.holder_of(request.pk)
        if device is None:
            return "gone"
        if device.task_seq == request.task_seq and device.result in _RESULTS:
            return _RESULTS[device.result]
        if device.state in _FAILED:
            return "bad_device"
        if device.state == "ready":
            has_image = (device.image, device.boot_config) == (request.image, request.boot_config)
            return "complete" if has_image else "wrong_image"
        if "away" in DEVICE[device.state].tags:
            return "away"
        return "under_repair" if device.result == "withdrawn" else "waiting"

    def write(self, name: str, request: Request) -> None:
        """Ask Lifeguard, follow the device to another task, or let go of it."""
        {
            "ask_lifeguard": self._ask_lifeguard,
            "follow_device": self._follow_device,
            "release": self._release,
            "search_on": self._search_on,
        }[name](request)

    def _follow_device(self, request: Request) -> None:
        device = self.store.holder_of(request.pk)
        request.task_seq = device.task_seq if device is not None else request.task_seq

    def _ask_lifeguard(self, request: Request) -> None:
        device = self.store.holder_of(request.pk)
        if device is None:
            raise self.store.fail("a request asks Lifeguard but holds no device", request)
        on_it_already = (device.image, device.boot_config) == (request.image, request.boot_config)
        if self.store.images[request.image].reusable and on_it_already:
            event = Event("please_power_cycle")
        else:
            event = Event("please_image", {"image_id": request.image, "boot_config": request.boot_config})
        if not self.devices.deliver(device, event):
            raise self.store.fail(f"{event.name} was refused to request {request.pk}", device, request)
        request.task_seq = device.task_seq

    def _release(self, request: Request) -> None:
        device = self.store.holder_of(request.pk)
        if device is not None:
            device.held_by = None
            device.idle_since = self.store.now if device.state == "ready" else None
            device.trace.append((self.store.now, "released by", request.pk))
            self.store.touched_devices.add(device.pk)
            self.store.later(0.002, self.match_device, device)

    def _search_on(self, request: Request) -> None:
        """Do nothing: each search here has its whole time."""

    # Matching.

    def demand_of(self, request: Request) -> Demand:
        """Read what a request wants."""
        image = self.store.images[request.image]
        return Demand(
            request.pk,
            request.turn,
            request.image,
            request.boot_config,
            image.reusable,
            image.hardware,
            request.environment,
            device_id=request.requested_device,
        )

    def try_to_match(self, request: Request) -> bool:
        """Find and claim a device for a request that waits."""
        for offer in ranked(self.demand_of(request), self.candidates(request)):
            if self.claim(request, self.store.devices[offer.device_id]):
                self.deliver(request, Event("matched"))
                return True
        return False

    def candidates(self, request: Request) -> list[Offer]:
        """Give the free devices, perhaps as they were a moment ago, or before this process was frozen for minutes.

        A read takes no locks, so whatever was seen may have changed before the claim.
        """
        chance = self.store.chance
        if chance(0.7):
            free = [self.offer_of(device) for device in self.store.devices.values()]
            self._seen = [offer for offer in free if offer is not None]
        if self._seen and chance(0.02):
            self._seen_long_ago = self._seen
        seen = self._seen_long_ago if chance(0.02) else self._seen
        if request.requested_device is not None:
            return seen
        return [offer for offer in seen if not self.is_down(self.store.devices[offer.device_id].rack)]

    def offer_of(self, device: Device) -> Offer | None:
        """Read a free device."""
        if device.state != "ready" or device.held_by is not None or device.idle_since is None:
            return None
        return Offer(
            device.pk,
            device.idle_since,
            device.environment,
            device.hardware,
            device.image,
            device.boot_config,
        )

    def claim(self, request: Request, device: Device) -> bool:
        """Take a free device; False when it is free no longer."""
        if device.state != "ready" or device.held_by is not None:
            return False
        self.take(request, device)
        return True

    def take(self, request: Request, device: Device) -> None:
        """Write `held_by`."""
        device.held_by, device.idle_since = request.pk, None
        device.trace.append((self.store.now, "claimed by", request.pk))
        self.store.touched_devices.add(device.pk)
        self.store.touched_requests.add(request.pk)

    def match_device(self, device: Device) -> bool:
        """Give a device that came free to the first waiting request that it fits."""
        offer = self.offer_of(device)
        if offer is None or self.is_down(device.rack):
            return False
        for demand in in_turn([self.demand_of(request) for request in self.waiting()]):
            if fits(demand, offer) and self.try_to_match(self.store.requests[demand.request_id]):
                return True
        return False

    def match_waiting(self) -> bool:
        """Try for every waiting request, in turn; what one wanted in vain, another like it wants in vain too."""
        in_vain: set[tuple[object, ...]] = set()
        matched = 0
        for demand in in_turn([self.demand_of(request) for request in self.waiting()]):
            alike = (demand.image_id, demand.boot_config, demand.environment, demand.device_id)
            if alike in in_vain:
                continue
            if self.try_to_match(self.store.requests[demand.request_id]):
                matched += 1
            else:
                in_vain.add(alike)
        return matched > 0

    def waiting(self) -> list[Request]:
        """Give the requests that look for a device."""
        return [request for request in self.store.requests.values() if request.state == "finding_device"]

    def is_down(self, rack: int) -> bool:
        """Whether a rack's pulses have stopped."""
        return (self.store.now - self.store.racks[rack].pulse_seen).total_seconds() > RACK_DOWN_AFTER

    # What a device's move tells.

    def hear_of(self, device: Device, holder: int | None, old_state: str, event: str) -> bool:
        """Tell the holder of a device that moved, or offer a device that came free."""
        if holder is None:
            return device.state == "ready" and old_state != "ready" and self.match_device(device)
        asked = was_asked(event)
        news = news_of_device(device.state, device.result, old_state, asked=asked)
        request = self.store.requests.get(holder)
        if request is None or request.state not in news:
            return False
        own_task = device.task_seq == request.task_seq and event in PLEASE_EVENTS and old_state == "ready"
        if not own_task:
            self.deliver(request, Event(news[request.state]))
        return not own_task
