"""Doorbells of Lifeguard: each carries an id, and one that finds nothing to do does nothing."""

from contextlib import suppress

from celery import Task, shared_task

from bmm import bootfiles
from bmm.operations import RUN_TASK
from bmm.run import run
from lifeguard import inventory_readings
from lifeguard.machine import device_runner
from lifeguard.reports import report
from mozpool_site import doorbell
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT
from mozpool_site.transactions import RowLockedError, impatient


@shared_task
def run_operation(operation_id: int) -> None:
    """Run a queued operation."""
    run(operation_id, report)


@shared_task(bind=True)
def fire_timer(self: "Task[[int, int], None]", device_id: int, state_seq: int) -> None:
    """Let a device's deadline pass, unless the device has moved on since the bell was rung.

    An operation that this starts on the same rack is run at once: most of what an idle pool does is a timer that
    leads to a health check, and a second message would double its cost.
    """
    queue = str((self.request.delivery_info or {}).get("routing_key"))
    # A row that is locked is left to the pulse: threads that wait for it would be missed by all others.
    with doorbell.keeping_one(queue, RUN_TASK) as bell, suppress(RowLockedError), impatient():
        device_runner.deliver_unless_locked(device_id, Event(TIMEOUT), fence={"state_seq": state_seq})
    for operation_id in bell.args or ():
        run_operation(int(operation_id))


@shared_task
def read_inventory(reading_id: int) -> None:
    """Read an inventory for somebody who looks at what it would change."""
    inventory_readings.run(reading_id)


@shared_task
def sync_boot_file(device_id: int) -> None:
    """Make a device's boot file match its row."""
    bootfiles.sync(device_id)
