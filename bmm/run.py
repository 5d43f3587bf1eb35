"""Runs one operation from its row: claims it, touches the hardware, reports. Finding nothing to do is fine."""

from bmm.deadline import Deadline
from bmm.drain import Report, drain
from bmm.models import Kind, Operation, Status
from bmm.operations import POWER_KINDS, TIMES, claim
from bmm.perform import perform
from mozpool_site import clock
from mozpool_site.transactions import patiently


def run(operation_id: int, report: Report) -> bool:
    """Run an operation if it still waits and nobody else does; True when we did something.

    `report` stores the outcome and tells whoever asked. A power operation brings its whole controller's
    queue along.
    """
    waiting = Operation.objects.select_related("device__image", "device__next_image", "device__rack")
    operation = waiting.filter(pk=operation_id, status=Status.QUEUED).first()
    if operation is None:
        return False
    if operation.kind in POWER_KINDS and operation.controller_id is not None:
        return drain(operation.controller_id, report) > 0
    if not claim(operation, clock.now()):
        return False
    # Read again: the claim freezes the operation, but the device may have moved before it.
    deadline = Deadline.after(TIMES[Kind(operation.kind)].deadline)
    fields = ("image", "next_image", "netboot", "outlet")
    patiently(lambda: operation.device.refresh_from_db(fields=fields), deadline.remaining())
    report(operation, perform(operation, operation.device, deadline))
    return True
