"""The device table bound to the device's row: facts, writes, operations and journal of one step."""

from datetime import datetime
from typing import ClassVar, cast

from bmm import operations
from bmm.models import OPEN, Operation
from devices import journal
from devices.models import Device
from devices.models.device import Result
from devices.queues import queue_of
from lifeguard import effects, facts
from lifeguard.blame import acquit
from lifeguard.facts import StoredFacts
from lifeguard.signals import device_entering, device_moved
from lifeguard.states import DEVICE
from mozpool_site import clock, doorbell
from mozpool_site.statemachine.machine import Event, Step
from mozpool_site.statemachine.runner import Actor, Runner
from mozpool_site.statemachine.spec import Spec, Work

SYNC_TASK = "lifeguard.tasks.sync_boot_file"


class DeviceRunner(Runner[Device]):
    """Runs the life of devices."""

    spec: ClassVar[Spec] = DEVICE
    model = Device
    columns: ClassVar[tuple[str, ...]] = effects.COLUMNS

    def facts(self, row: Device, event: Event, now: datetime) -> StoredFacts:
        """Load what the table may ask."""
        return facts.load(row, now)

    def work_waiting(self, row: Device, now: datetime) -> bool:
        """Whether the operation of the device's state waits for a runner that does not come, or has lost it."""
        work = Operation.objects.filter(device_id=row.pk, state_seq=row.state_seq, status__in=OPEN)
        return any(operations.abandoned(operation, now) for operation in work)

    def write(self, name: str, row: Device, event: Event, facts: object, now: datetime, by: Actor) -> None:
        """Change the row as the table says."""
        had_netboot = row.netboot_id
        effects.WRITES[name](effects.Context(row, event, cast("StoredFacts", facts), now))
        if had_netboot is not None and row.netboot_id is None:
            # The pulse would do it within a second; a fast board may reboot sooner.
            doorbell.ring(queue_of(row.rack_id), SYNC_TASK, row.pk)

    def settle(self, row: Device, now: datetime) -> None:
        """Keep the list of idle devices: ready and held by nobody."""
        idle = row.state == "ready" and row.held_by is None
        row.idle_since = (row.idle_since or now) if idle else None

    def start(self, row: Device, work: Work, not_before: datetime, now: datetime) -> None:
        """Queue the operation of the state just entered."""
        operations.queue(
            row,
            work.kind,
            now,
            arguments=dict(work.arguments),
            poll=work.poll,
            state_seq=row.state_seq,
            not_before=not_before,
        )

    def supersede(self, row: Device) -> None:
        """Call off what the state just left had started, and what a former holder has asked for."""
        operations.supersede(row)

    def journal(
        self, row: Device, event: Event, decision: Step, old_state: str, now: datetime, by: Actor
    ) -> None:
        """Append a line for each state entered, and let the layers above store what they want to tell of it."""
        if row.state != old_state:
            device_entering.send(DeviceRunner, device=row, old_state=old_state, now=now)
        if decision.path == (old_state,) and "quiet" in DEVICE[old_state].tags:
            return
        lines = journal.steps(decision, event, old_state, now, by, device_id=row.pk, request_id=row.held_by)
        if event.name == "please_image" and lines:
            lines.insert(
                0,
                journal.line(
                    # Not the boot config: it may hold secrets, and the journal is read by many.
                    f"setting next image to {event.arguments.get('image')}",
                    now,
                    device_id=row.pk,
                    request_id=row.held_by,
                    by=by,
                    event=event.name,
                ),
            )
        journal.append(lines)

    def note(self, row: Device, event: Event, message: str, now: datetime, by: Actor) -> None:
        """Append that an event had no effect."""
        journal.append_ignored(journal.line(message, now, device_id=row.pk, by=by, event=event.name))

    def announce(self, row: Device, event: Event, old_state: str, by: Actor) -> None:
        """Tell the layers above that the device moved, and acquit those that a bad image failed on before it."""
        device_moved.send(DeviceRunner, device=row, old_state=old_state, by=by, event=event.name)
        if row.result == Result.BAD_IMAGE and "installing" in DEVICE[old_state].tags:
            acquit(row, clock.now())


device_runner = DeviceRunner()
