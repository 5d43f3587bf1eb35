"""Doorbells of Lifeguard: each carries an id, and one that finds nothing to do does nothing."""

from celery import shared_task

from bmm import bootfiles
from bmm.run import run
from lifeguard.machine import device_runner
from lifeguard.reports import report
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT


@shared_task
def run_operation(operation_id: int) -> None:
    """Run a queued operation."""
    run(operation_id, report)


@shared_task
def fire_timer(device_id: int, state_seq: int) -> None:
    """Let a device's deadline pass, unless the device has moved on since the bell was rung."""
    device_runner.deliver(device_id, Event(TIMEOUT), fence={"state_seq": state_seq})


@shared_task
def sync_boot_file(device_id: int) -> None:
    """Make a device's boot file match its row."""
    bootfiles.sync(device_id)
