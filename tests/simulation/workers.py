"""Workers and the bells that call them: who hears, claims, touches hardware and reports; and who dies on the way."""

from dataclasses import dataclass

from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT
from tests.simulation.boards import Boards
from tests.simulation.device_machine import Devices
from tests.simulation.operations import Operations
from tests.simulation.rows import POWER, Controller, Device, Operation
from tests.simulation.store import Store

CONTROLLER_LEASE = 30.0
REST = 1.0
SUSPECT_DEVICES, SUSPECT_WITHIN, SUSPECT_FOR = 3, 120.0, 600.0
SECONDS = {"ping": 2.0, "verify_port": 2.0, "verify_agent": 15.0, "check_storage": 20.0, "check_health": 10.0}
STATUSES = {"operation_lost": "lost"}


@dataclass(slots=True)
class Runner:
    """A process that runs operations; its name dies with it. `line` is the controller it is connected to."""

    name: str
    rack: int
    alive: bool = True
    busy: bool = False
    line: Controller | None = None


class Workers:
    """All workers, the broker between, and the work itself."""

    def __init__(self, store: Store, operations: Operations, devices: Devices, boards: Boards) -> None:
        self.store = store
        self.operations = operations
        self.devices = devices
        self.boards = boards
        self.workers: list[Runner] = []
        self.broker_up = True
        self.bell_lost = 0.03
        self.bell_doubled = 0.05
        self.bell_late = 0.02
        self.pause = 0.01
        # What really goes on: which living process has its hands on which device.
        self.hands: dict[int, Runner] = {}
        operations.ring = self.ring

    # Bells.

    def ring(self, operation: Operation) -> None:
        """Ring for an operation."""
        self.bell(operation.rack, operation, 0)

    def ring_timer(self, device: Device) -> None:
        """Ring for a device's deadline."""
        self.bell(device.rack, device, device.state_seq)

    def bell(self, rack: int, about: Operation | Device, seq: int) -> None:
        """Send a bell through the broker, which may lose, delay and repeat it."""
        chance, uniform = self.store.chance, self.store.random.uniform
        if not self.broker_up or chance(self.bell_lost):
            return
        for _ in range(2 if chance(self.bell_doubled) else 1):
            pause = uniform(1, 3600) if chance(self.bell_late) else uniform(0.001, 0.05)
            self.store.later(pause, self._hear, rack, about, seq, 20)

    def _hear(self, rack: int, about: Operation | Device, seq: int, patience: int) -> bool:
        if isinstance(about, Operation) and about.status != "queued":
            return False
        free = [worker for worker in self.workers if worker.rack == rack and worker.alive and not worker.busy]
        if not free:
            if patience:
                self.store.later(0.3, self._hear, rack, about, seq, patience - 1)
            return False
        if isinstance(about, Device):
            self.devices.deliver(about, Event(TIMEOUT), {"state_seq": seq})
            return True
        return self.run(free[0], about)

    # Life and death.

    def start(self, rack: int) -> None:
        """Start a worker."""
        self.workers.append(Runner(f"worker-{self.store.number()}", rack))

    def kill(self, runner: Runner) -> None:
        """Kill -9: connections close, leases stay."""
        runner.alive = False
        self._hang_up(runner)
        for device in [device for device, hand in self.hands.items() if hand is runner]:
            del self.hands[device]
        if runner in self.workers:
            self.workers.remove(runner)

    # Work.

    def run(self, runner: Runner, operation: Operation) -> bool:
        """Run an operation if it still waits; a power operation brings its controller's whole queue along."""
        if operation.status != "queued" or operation.not_before > self.store.now:
            return False
        if operation.kind == POWER and operation.controller is not None:
            return self._drain(runner, self.store.controllers[operation.controller], 1)
        if not self.operations.claim(operation, runner.name):
            return False
        runner.busy = True
        self._lay_hands(runner, operation)
        seconds = self.store.random.uniform(0.05, SECONDS[operation.kind])
        self.store.later(seconds, self._check, runner, operation)
        return True

    def _check(self, runner: Runner, operation: Operation) -> bool:
        if not runner.alive:
            return False
        device = self.store.devices[operation.device]
        self.hands.pop(device.pk, None)
        ok = self.boards.answers(device, operation.kind)
        self._report_soon(runner, operation, f"{operation.kind}_{'ok' if ok else 'failed'}")
        self.store.later(0.06, self._rest, runner)
        return True

    def _rest(self, runner: Runner) -> bool:
        runner.busy = False
        return False

    def _drain(self, runner: Runner, controller: Controller, patience: int) -> bool:
        """Take the controller's lease and work through what waits, in batches."""
        if not runner.alive:
            return False
        if controller.lease_until is not None and self.is_leased(controller):
            if controller.lease_owner == "resting" and patience:
                wait = (controller.lease_until - self.store.now).total_seconds()
                self.store.later(wait, self._drain, runner, controller, 0)
            return False
        controller.lease_owner, controller.lease_until = runner.name, self.store.after(CONTROLLER_LEASE)
        runner.busy = True
        return self._batch(runner, controller)

    def is_leased(self, controller: Controller) -> bool:
        """Whether somebody else talks to a controller, or it rests."""
        return controller.lease_until is not None and controller.lease_until > self.store.now

    def _batch(self, runner: Runner, controller: Controller) -> bool:
        if not runner.alive or controller.lease_owner != runner.name:
            self._hang_up(runner)
            runner.busy = False
            return False
        due = [
            op
            for op in self.store.operations.values()
            if op.controller == controller.pk and op.status == "queued"
        ]
        batch = [op for op in due if self.operations.claim(op, runner.name)]
        if not batch:
            controller.lease_owner, controller.lease_until = "resting", self.store.after(REST)
            self._hang_up(runner)
            runner.busy = False
            return False
        controller.lease_until = self.store.after(CONTROLLER_LEASE)
        self._connect(runner, controller)
        seconds = self.store.random.uniform(5, 19) if controller.silent else self.store.random.uniform(1, 3)
        able = [op for op in batch if not self._refusal(runner, op)]
        self.store.later(seconds, self._switch, runner, controller, able)
        return True

    def _refusal(self, runner: Runner, operation: Operation) -> bool:
        device = self.store.devices[operation.device]
        refusal = "" if device.outlet else "misconfigured"
        if operation.netboot and device.netboot is None:
            refusal = refusal or "no_boot_config"
        if refusal:
            self._report_soon(runner, operation, refusal)
        else:
            self._lay_hands(runner, operation)
            self.boards.sync_boot_file(device)
        return bool(refusal)

    def _switch(self, runner: Runner, controller: Controller, batch: list[Operation]) -> bool:
        """Touch the hardware, once for all; what was learnt is reported a moment later, if we still live."""
        if not runner.alive:
            return False
        for operation in batch:
            self.hands.pop(operation.device, None)
            event = "hardware_unreachable"
            if not controller.silent:
                event = self.boards.cycle_power(self.store.devices[operation.device])
            if event == "power_cycle_failed" and self._suspect(controller, operation.device):
                event = "hardware_unreachable"
            self._report_soon(runner, operation, event)
        self.store.later(0.07, self._batch, runner, controller)
        return True

    def _suspect(self, controller: Controller, device: int) -> bool:
        now = self.store.now
        failed = controller.lately_failed
        failed.append((now, device))
        while (now - failed[0][0]).total_seconds() > SUSPECT_WITHIN:
            failed.popleft()
        if len({pk for _, pk in failed}) >= SUSPECT_DEVICES:
            controller.suspect_until = self.store.after(SUSPECT_FOR)
        return controller.suspect_until is not None and controller.suspect_until > now

    def _report_soon(self, runner: Runner, operation: Operation, event: str) -> None:
        """Commit the outcome a moment after the hardware was touched, or a minute after if the machine froze."""
        frozen = self.store.chance(self.pause)
        pause = self.store.random.uniform(20, 90) if frozen else self.store.random.uniform(0.001, 0.05)
        self.store.later(pause, self._report_alive, runner, operation, event)

    def _report_alive(self, runner: Runner, operation: Operation, event: str) -> bool:
        return runner.alive and self.report(operation, runner.name, event)

    def report(self, operation: Operation, runner: str, event: str) -> bool:
        """Store an outcome and let it act, in one transaction, as lifeguard/reports.py does."""
        missed = event in (f"{operation.kind}_failed", "hardware_unreachable")
        if operation.poll is not None and missed:
            return self.operations.try_again_later(operation, runner)
        status = STATUSES.get(event, "done" if event.endswith("_ok") else "failed")
        if not self.operations.finish(operation, runner, status):
            return False
        device = self.store.devices[operation.device]
        self.devices.deliver(device, Event(event), {"state_seq": operation.state_seq})
        return True

    def _connect(self, runner: Runner, controller: Controller) -> None:
        if runner.line is None:
            runner.line = controller
            controller.connections += 1
            if controller.connections > 1:
                raise self.store.fail(
                    f"I8: controller {controller.pk} has {controller.connections} connections"
                )

    def _lay_hands(self, runner: Runner, operation: Operation) -> None:
        if operation.device in self.hands:
            device = self.store.devices[operation.device]
            raise self.store.fail(
                f"I8: {runner.name} and {self.hands[device.pk].name} touch device {device.pk}", device
            )
        self.hands[operation.device] = runner

    def _hang_up(self, runner: Runner) -> None:
        if runner.line is not None:
            runner.line.connections -= 1
            runner.line = None
