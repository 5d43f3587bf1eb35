"""Operations as bmm/operations.py keeps them: queued, claimed with a lease, finished, lost or called off."""

from collections.abc import Callable
from datetime import datetime

from mozpool_site.statemachine.spec import Work
from tests.simulation.rows import OPEN, POWER, Device, Operation
from tests.simulation.store import Store

LEASES = {POWER: 30.0, "verify_agent": 30.0, "check_storage": 38.0, "check_health": 35.0}
SHORT_LEASE = 10.0


class Operations:
    """The rows of operations; `ring` is set by whoever carries the bells."""

    ring: Callable[[Operation], None]

    def __init__(self, store: Store) -> None:
        self.store = store

    def queue(self, device: Device, work: Work, not_before: datetime) -> Operation:
        """Store an operation, and ring unless it is to wait."""
        store = self.store
        operation = Operation(
            pk=store.number(),
            device=device.pk,
            rack=device.rack,
            controller=device.controller if work.kind == POWER else None,
            kind=work.kind,
            netboot=bool(work.arguments.get("netboot")),
            poll=work.poll,
            state_seq=device.state_seq,
            not_before=not_before,
            waits=not_before > store.now,
        )
        store.operations[operation.pk] = operation
        if not operation.waits:
            self.ring(operation)
        return operation

    def of(self, device: int) -> list[Operation]:
        """Give a device's open operations."""
        return [op for op in self.store.operations.values() if op.device == device and op.status in OPEN]

    def never_begun(self, device: Device) -> bool:
        """Whether nobody has ever begun the operation of the device's state."""
        return any(
            op.state_seq == device.state_seq and op.status == "queued" and op.attempts == 0
            for op in self.of(device.pk)
        )

    def supersede(self, device: int) -> None:
        """Call off what a device's machine has open."""
        for operation in self.of(device):
            self._close(operation, "superseded")

    def claim(self, operation: Operation, runner: str) -> bool:
        """Become the runner of a queued operation, unless somebody else is or the device is busy."""
        store = self.store
        if operation.status != "queued" or operation.not_before > store.now or self.is_busy(operation.device):
            return False
        operation.status = "running"
        operation.runner = runner
        operation.attempts += 1
        operation.lease_until = store.after(LEASES.get(operation.kind, SHORT_LEASE))
        store.running_on[operation.device] = operation
        return True

    def is_busy(self, device: int) -> bool:
        """Whether the unique column says that somebody touches the device."""
        return device in self.store.running_on

    def is_ours(self, operation: Operation, runner: str) -> bool:
        """Whether an operation still runs, and for us."""
        return operation.status == "running" and operation.runner == runner

    def finish(self, operation: Operation, runner: str, status: str) -> bool:
        """Close an operation that is still ours; False when it was called off or lost meanwhile."""
        if not self.is_ours(operation, runner):
            self.let_go(operation, runner)
            return False
        self._close(operation, status)
        self._free(operation)
        return True

    def try_again_later(self, operation: Operation, runner: str) -> bool:
        """Put a polling operation back for its next try."""
        if not self.is_ours(operation, runner):
            self.let_go(operation, runner)
            return False
        self._free(operation)
        operation.status, operation.runner = "queued", ""
        operation.not_before = self.store.after(operation.poll or 0)
        operation.waits = True
        return True

    def let_go(self, operation: Operation, runner: str) -> None:
        """Free the device of an operation that was called off while it ran, for the one that waits behind it."""
        if operation.runner == runner and operation.status != "running":
            self._free(operation)
        for waiting in self.of(operation.device):
            if waiting.status == "queued":
                self.ring(waiting)

    def _free(self, operation: Operation) -> None:
        operation.lease_until = None
        if self.store.running_on.get(operation.device) is operation:
            del self.store.running_on[operation.device]
        self._forget(operation)

    def _close(self, operation: Operation, status: str) -> None:
        if operation.status not in OPEN:
            device = self.store.devices[operation.device]
            raise self.store.fail(
                f"operation {operation.pk}, {operation.status}, is closed again as {status}", device
            )
        operation.status = status
        self._forget(operation)

    def _forget(self, operation: Operation) -> None:
        """Keep only rows that anybody may still look for; runners keep their own reference."""
        if operation.status not in OPEN and operation.lease_until is None:
            self.store.operations.pop(operation.pk, None)
