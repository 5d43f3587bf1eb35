"""Runs one operation from its row: claims it, touches the hardware, reports. Finding nothing to do is fine."""

from functools import partial

from bmm.deadline import Deadline
from bmm.drain import Report, drain
from bmm.models import Kind, Operation, Status
from bmm.operations import TIMES, claim
from bmm.perform import perform
from devices.models import Device
from mozpool_site import clock
from mozpool_site.compiled import CompiledQuery, Parameter
from mozpool_site.transactions import patiently

# How long the restart of a database takes.
_PATIENCE_SECONDS = 5.0


def run(operation_id: int, report: Report) -> bool:
    """Run an operation if it still waits and nobody else does; True when we did something.

    `report` stores the outcome and tells whoever asked. What concerns a power controller brings its
    whole queue along.
    """
    operation = next(_waiting(pk=operation_id), None)
    if operation is None:
        return False
    if operation.controller_id is not None:
        return drain(operation.controller_id, report) > 0
    deadline = Deadline.after(TIMES[Kind(operation.kind)].deadline)
    # A database that dies between our commit and its answer has made the claim ours: ask until it is known.
    if not patiently(
        partial(claim, operation, clock.now()), max(_PATIENCE_SECONDS, deadline.remaining() / 2)
    ):
        return False
    # Read after the claim, which freezes the operation: the device may have moved before it.
    device = patiently(lambda: next(_device(pk=operation.device_id), None), deadline.remaining())
    if device is None:
        return False  # it has been deleted, and its operations with it
    report(operation, perform(operation, device, deadline))
    return True


_waiting = CompiledQuery(
    lambda: Operation.objects.filter(pk=Parameter("pk", Operation._meta.pk), status=Status.QUEUED).order_by()
)
_device = CompiledQuery(
    lambda: (
        Device.objects.select_related("image", "next_image")
        .filter(pk=Parameter("pk", Device._meta.pk))
        .order_by()
    )
)
