"""Everything that goes wrong, and everybody who asks: killed processes, a dead broker, broken boards, people."""

from mozpool_site.statemachine.machine import Event
from requests_app.matching import turn
from tests.simulation.boards import FAULTS
from tests.simulation.pulse import Pulses
from tests.simulation.request_machine import Requests
from tests.simulation.rows import Device, Request
from tests.simulation.store import Store
from tests.simulation.workers import Workers

VERBS = ("self_test", "start_maintenance", "power_cycle", "image")
# What may break the pool itself while the storm lasts, and how often: seconds between, on average.
EVERY = {
    "file": 12,
    "worker": 45,
    "pulse": 150,
    "broker": 600,
    "controller": 900,
    "board": 120,
    "please": 60,
    "force": 240,
    "rack": 1800,
}


class Storm:
    """Makes trouble until it is told to stop; then repairs everything but the boards that are beyond repair."""

    def __init__(self, store: Store, requests: Requests, workers: Workers, pulses: Pulses) -> None:
        self.store = store
        self.requests = requests
        self.workers = workers
        self.pulses = pulses
        self.over = False
        self.night_until = store.now
        self._acts = {
            "file": self._file,
            "worker": self._kill_worker,
            "pulse": self._kill_pulse,
            "broker": self._stop_broker,
            "controller": self._silence_controller,
            "board": self._break_board,
            "please": self._please,
            "force": self._force,
            "rack": self._lose_rack,
        }

    def begin(self) -> None:
        """Let everything start to happen."""
        for name in EVERY:
            self._again(name)

    def end(self, *, dead: tuple[str, ...]) -> None:
        """Stop all trouble, and repair every board but a few, which stay as `dead` says."""
        self.over = True
        boards, workers = self.workers.boards, self.workers
        boards.hang = boards.event_lost = boards.event_doubled = boards.event_late = 0.0
        workers.bell_lost = workers.bell_doubled = workers.bell_late = workers.pause = 0.0
        workers.broker_up = True
        for controller in self.store.controllers.values():
            controller.silent = False
        beyond_repair = dict(
            zip(self.store.random.sample(sorted(boards.boards), len(dead)), dead, strict=True)
        )
        for pk, board in boards.boards.items():
            board.fault = beyond_repair.get(pk, "")

    def _again(self, name: str) -> None:
        self.store.later(self.store.random.expovariate(1 / EVERY[name]), self._act, name)

    def _act(self, name: str) -> bool:
        if self.over:
            return False
        self._again(name)
        self._acts[name]()
        return True

    # Clients.

    def _file(self) -> None:
        store = self.store
        if store.chance(0.004):
            # A night, so that devices idle long enough for their health checks.
            self.night_until = store.after(3600)
        if store.now < self.night_until:
            return
        image = store.random.choice([image for image in store.images.values() if image.pk > 2])
        named = store.random.choice(list(store.devices)) if store.chance(0.2) else None
        request = Request(
            pk=store.number(),
            image=image.pk,
            boot_config=store.random.choice(["{}", '{"build": 1}']),
            environment=store.random.choice(["any", "any", "prod", "staging"]),
            expires=store.after(store.random.choice([30, 900, 3600])),
            deadline=store.after(10),
            requested_device=named if named and store.devices[named].hardware in image.hardware else None,
            turn=turn(store.now, store.random.choice([0, 0, 0, 5])),
        )
        store.requests[request.pk] = request
        if not self.requests.try_to_match(request) and request.requested_device:
            self._turn_away(request, store.devices[request.requested_device])
        store.later(store.random.uniform(5, 1200), self._return, request)
        store.touched_requests.add(request.pk)

    def _turn_away(self, request: Request, device: Device) -> None:
        if device.held_by is not None:
            self.requests.deliver(request, Event("device_taken"))
        elif device.state.startswith("failed_"):
            self.requests.deliver(request, Event("device_failed"))

    def _return(self, request: Request) -> bool:
        if request.ended:
            return False
        if self.store.chance(0.3):
            request.expires = self.store.after(600)
            self.store.later(self.store.random.uniform(5, 900), self._return, request)
        elif self.store.chance(0.7):
            self.requests.deliver(request, Event("return"))
        return True

    # Faults.

    def _kill_worker(self) -> None:
        if self.workers.workers:
            worker = self.store.random.choice(self.workers.workers)
            self.workers.kill(worker)
            self.store.later(self.store.random.uniform(1, 60), self.workers.start, worker.rack)

    def _kill_pulse(self) -> None:
        if self.pulses.pulses:
            pulse = self.store.random.choice(self.pulses.pulses)
            self.pulses.kill(pulse)
            self.store.later(self.store.random.uniform(1, 20), self.pulses.start, pulse.rack)

    def _lose_rack(self) -> None:
        """Take a rack's host away: all its processes die, and come back minutes later."""
        rack = self.store.random.choice(list(self.store.racks))
        away = self.store.random.uniform(20, 180)
        for pulse in [pulse for pulse in self.pulses.pulses if pulse.rack == rack]:
            self.pulses.kill(pulse)
            self.store.later(away, self.pulses.start, rack)
        for worker in [worker for worker in self.workers.workers if worker.rack == rack]:
            self.workers.kill(worker)
            self.store.later(away, self.workers.start, rack)

    def _stop_broker(self) -> None:
        self.workers.broker_up = False
        self.store.later(self.store.random.uniform(5, 120), self._start_broker)

    def _start_broker(self) -> None:
        self.workers.broker_up = True

    def _silence_controller(self) -> None:
        controller = self.store.random.choice(list(self.store.controllers.values()))
        controller.silent = True
        self.store.later(self.store.random.uniform(30, 600), setattr, controller, "silent", False)

    def _break_board(self) -> None:
        board = self.store.random.choice(list(self.workers.boards.boards.values()))
        board.fault = self.store.random.choice(FAULTS)
        self.store.later(self.store.random.choice([60, 600, 7200]), self._repair, board.device)

    def _repair(self, device: Device) -> bool:
        """Somebody repairs a board, and asks for a test where it is out of the pool."""
        if self.over:
            return False
        self.workers.boards.boards[device.pk].fault = ""
        if device.state not in ("ready", "locked_out"):
            self.requests.devices.deliver(device, Event("please_self_test"))
        return True

    # Operators.

    def _please(self) -> None:
        device = self.store.random.choice(list(self.store.devices.values()))
        verb = self.store.random.choice(VERBS)
        # Image 5 fits all hardware: the real service refuses one that does not, before anything is delivered.
        arguments = {"image_id": 5, "boot_config": "{}"} if verb == "image" else {}
        self.requests.devices.deliver(device, Event(f"please_{verb}", arguments))
        if verb == "start_maintenance":
            self.store.later(300, self._bring_back, device)

    def _force(self) -> None:
        device = self.store.random.choice(list(self.store.devices.values()))
        self.requests.devices.force(device, self.store.random.choice(self.requests.devices.spec.stored()))
        self.store.later(self.store.random.uniform(1, 600), self._bring_back, device)

    def _bring_back(self, device: Device) -> bool:
        if self.over:
            return False
        self.requests.devices.deliver(device, Event("please_self_test"))
        if device.state == "locked_out":
            self.requests.devices.force(device, "ready")
        return True
