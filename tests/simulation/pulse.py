"""The pulses: what lifeguard/pulse/ does for a rack, and requests_app/pulse.py for the pool, once a second."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lifeguard.states import DEVICE
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT
from tests.simulation.device_machine import Devices, Fence
from tests.simulation.request_machine import Requests
from tests.simulation.rows import Device, Operation, Request
from tests.simulation.store import Store
from tests.simulation.workers import Runner, Workers

FIRE_AFTER = timedelta(seconds=3)
RING_AFTER = timedelta(seconds=3)
RUN_AFTER = timedelta(seconds=10)
POOL_LEASE = 5.0
SWEEP_EVERY = timedelta(seconds=3)
RESTS = ("ready", *DEVICE.tagged("steady"))
MATCH_EVERY = timedelta(seconds=2)


@dataclass(slots=True)
class Pulse:
    """One process. It forgets whom it has rung for when it dies."""

    rack: int
    runner: Runner
    alive: bool = True
    rung: dict[int, tuple[int, datetime]] | None = None


class Pulses:
    """All pulses."""

    def __init__(self, store: Store, devices: Devices, requests: Requests, workers: Workers) -> None:
        self.store = store
        self.devices = devices
        self.requests = requests
        self.workers = workers
        self.pulses: list[Pulse] = []
        self.pool_owner = ""
        self.pool_until = store.now
        self.swept = self.matched = store.now

    def start(self, rack: int) -> None:
        """Start a pulse over one rack."""
        pulse = Pulse(rack, Runner(f"pulse-{self.store.number()}", rack), rung={})
        self.pulses.append(pulse)
        self.store.later(self.store.random.random(), self._beat, pulse)

    def kill(self, pulse: Pulse) -> None:
        """Kill -9."""
        pulse.alive = False
        self.pulses.remove(pulse)
        self.workers.kill(pulse.runner)

    def _beat(self, pulse: Pulse) -> bool:
        if not pulse.alive:
            return False
        self.store.later(1, self._beat, pulse)
        self.store.racks[pulse.rack].pulse_seen = self.store.now
        # Every chore is to be done, whatever the others found.
        found = [self._timers(pulse), self._operations(pulse), self._boot_files(pulse), self._pool(pulse)]
        return any(found)

    def _timers(self, pulse: Pulse) -> bool:
        now = self.store.now
        due = [
            device
            for device in self.store.devices.values()
            if device.rack == pulse.rack and device.deadline is not None and device.deadline <= now
        ]
        for device in due:
            if device.deadline is not None and now - device.deadline >= FIRE_AFTER:
                self.devices.deliver(device, Event(TIMEOUT), {"state_seq": device.state_seq})
            elif self._wants_bell(pulse, device.pk, device.state_seq, None):
                self.workers.ring_timer(device)
        return bool(due)

    def _wants_bell(self, pulse: Pulse, pk: int, seq: int, again: timedelta | None) -> bool:
        rung = pulse.rung if pulse.rung is not None else {}
        last = rung.get(pk)
        if last is not None and last[0] == seq and (again is None or self.store.now - last[1] < again):
            return False
        rung[pk] = (seq, self.store.now)
        return True

    def _operations(self, pulse: Pulse) -> bool:
        now = self.store.now
        found = False
        for op in [op for op in self.store.operations.values() if op.rack == pulse.rack]:
            if op.lease_until is not None and op.lease_until < now:
                found = self._lost(op)
            elif op.status == "queued" and op.not_before <= now:
                found = self._queued(pulse, op, now) or found
        return found

    def _lost(self, operation: Operation) -> bool:
        if operation.status == "running":
            self.workers.report(operation, operation.runner, "operation_lost")
        else:
            self.workers.operations.let_go(operation, operation.runner)
        return True

    def _queued(self, pulse: Pulse, operation: Operation, now: datetime) -> bool:
        waited = now - operation.not_before
        if waited >= RUN_AFTER:
            return self.workers.run(pulse.runner, operation)
        if (operation.waits or waited >= RING_AFTER) and self._wants_bell(
            pulse, operation.pk, operation.attempts, RING_AFTER
        ):
            self.workers.ring(operation)
            return True
        return False

    def _boot_files(self, pulse: Pulse) -> bool:
        rack = [device for device in self.store.devices.values() if device.rack == pulse.rack]
        return sum([self.workers.boards.sync_boot_file(device) for device in rack]) > 0

    # The pool.

    def _pool(self, pulse: Pulse) -> bool:
        now = self.store.now
        if self.pool_owner != pulse.runner.name and self.pool_until > now:
            return False
        self.pool_owner, self.pool_until = pulse.runner.name, self.store.after(POOL_LEASE)
        found = False
        # Each is a transaction of its own, a moment after it was found to be due; much may happen in between.
        for request in self.store.requests.values():
            pause = self.store.random.uniform(0.001, 0.05)
            if request.expires <= now:
                self.store.later(pause, self._deliver, request, Event("expire"), None)
            elif request.deadline is not None and request.deadline <= now:
                self.store.later(
                    pause, self._deliver, request, Event(TIMEOUT), {"state_seq": request.state_seq}
                )
        if now - self.swept >= SWEEP_EVERY:
            self.swept = now
            found = self._sweep() or found
        if now - self.matched >= MATCH_EVERY:
            self.matched = now
            found = self.requests.match_waiting() or found
        return found

    def _deliver(self, request: Request, event: Event, fence: Fence | None) -> bool:
        return not request.ended and self.requests.deliver(request, event, fence)

    def _sweep(self) -> bool:
        """Find requests that a lost signal would leave waiting for their next timer."""
        held = [device for device in self.store.devices.values() if device.held_by is not None]
        return sum([self._tell(device) for device in held]) > 0

    def _tell(self, device: Device) -> bool:
        if device.held_by is None:
            return False
        request = self.store.requests[device.held_by]
        settled = device.state in RESTS or bool(device.result)
        moved = False
        another_task = request.state == "pending" and request.task_seq < device.task_seq
        if request.state == "pending" and settled:
            moved = self.requests.deliver(request, Event("device_settled"))
        elif another_task or (request.state == "ready" and device.state != "ready"):
            moved = self.requests.deliver(request, Event("device_left"))
        if request.state == "pending" and self.requests.is_down(device.rack):
            moved = self.requests.deliver(request, Event("device_out_of_reach")) or moved
        return moved
