"""A whole pool: two racks, their devices, boards, processes and people, wired as the real one is."""

from datetime import timedelta

from lifeguard.states import DEVICE
from mozpool_site.statemachine.spec import Spec
from requests_app.states import REQUEST
from tests.simulation.boards import Boards
from tests.simulation.device_machine import MAINTENANCE, SELF_TEST, Devices
from tests.simulation.invariants import Invariants
from tests.simulation.operations import Operations
from tests.simulation.pulse import Pulses
from tests.simulation.request_machine import Requests
from tests.simulation.rows import Broken, Controller, Device, Image, Rack
from tests.simulation.store import Store
from tests.simulation.storm import Storm
from tests.simulation.workers import Workers

# Hardware 3 has neither self-test nor agent; only some images fit it.
OLD, NEW = frozenset({1, 2}), frozenset({1, 2, 3})
IMAGES = (
    Image(SELF_TEST, "self-test", "none", hardware=OLD),
    Image(MAINTENANCE, "maintenance", "none", hardware=NEW),
    Image(3, "b2g", "agent", reusable=True, hardware=OLD),
    Image(4, "android", "tcp", hardware=frozenset({1})),
    Image(5, "bare", "ping", reusable=True, hardware=NEW),
    Image(6, "blind", "none", hardware=NEW),
    # A bad image needs three boards to be found out, and nobody waits an hour and a half for it.
    Image(7, "rotten", "agent", hardware=OLD, verify_timeout=10, verify_limit=2, bad=True),
)
WHOLE_WORLD_EVERY = 50
SIGNAL_LOST = 0.02
# Of each rack. Several workers, so that two can want the same device.
WORKERS, PULSES = 5, 2


class World:
    """Runs one seeded history. The tables may be replaced, to see whether a wrong one is found."""

    def __init__(self, seed: int, device_spec: Spec = DEVICE, request_spec: Spec = REQUEST) -> None:
        self.store = store = Store(seed)
        self._build()
        self.operations = Operations(store)
        self.devices = Devices(store, self.operations, device_spec)
        self.boards = Boards(store, self.devices)
        self.workers = Workers(store, self.operations, self.devices, self.boards)
        self.requests = Requests(store, self.devices, request_spec)
        self.pulses = Pulses(store, self.devices, self.requests, self.workers)
        self.storm = Storm(store, self.requests, self.workers, self.pulses)
        self.invariants = Invariants(store, self.requests, device_spec)
        self.devices.announce = self._announce
        for rack in store.racks:
            for start in (*[self.workers.start] * WORKERS, *[self.pulses.start] * PULSES):
                start(rack)
        self.storm.begin()

    def run(self, steps: int) -> None:
        """Let so many steps happen, and check the laws at each. Raises Broken."""
        until = self.store.steps + steps
        while self.store.steps < until:
            self._one()

    def settle(self, *, dead: tuple[str, ...], bound: timedelta) -> float:
        """End the storm, with a few boards that stay dead, and wait until everything rests; give the seconds it took.

        Raises Broken past the bound.
        """
        self.storm.end(dead=dead)
        begun = self.store.now
        while self.store.now - begun < bound:
            if self._one() and not self.invariants.unsettled():
                self.invariants.check_all()
                return (self.store.now - begun).total_seconds()
        raise self.store.fail(f"I12: not settled within {bound}", *self.invariants.unsettled())

    def _one(self) -> bool:
        store = self.store
        try:
            counted = store.advance()
        except Broken:
            raise
        except Exception as error:
            raise store.fail(f"an error in the machine: {error!r}") from error
        self.invariants.check_touched()
        if counted and store.steps % WHOLE_WORLD_EVERY == 0:
            self.invariants.check_all()
        return counted

    def _announce(self, device: Device, old_state: str, event: str) -> None:
        """Tell the requests after the commit, unless the process dies in between."""
        if self.storm.over or not self.store.chance(SIGNAL_LOST):
            pause = self.store.random.uniform(0.001, 0.02)
            self.store.later(pause, self.requests.hear_of, device, device.held_by, old_state, event)

    def _build(self) -> None:
        store = self.store
        store.images = {image.pk: image for image in IMAGES}
        for rack in (1, 2):
            store.racks[rack] = Rack(rack, store.now)
            for number in range(2):
                controller = rack * 10 + number
                store.controllers[controller] = Controller(controller, rack)
                for outlet in range(4):
                    pk = controller * 10 + outlet
                    store.devices[pk] = Device(
                        pk=pk,
                        rack=rack,
                        controller=controller,
                        hardware={3: 2}.get(outlet, 1) if controller != 21 else outlet % 3 + 1,
                        environment="prod" if outlet % 2 else "staging",
                        deadline=store.now,
                        outlet=pk != 203,
                    )
