"""`manage.py force_state`: puts a device into a state, whatever the table says."""

from argparse import ArgumentParser
from typing import Any

from bmm.management.naming import find_devices
from lifeguard.services import force_state
from lifeguard.states import DEVICE
from mozpool_site.commands import MozpoolCommand, operator


class Command(MozpoolCommand):
    """Forces a state."""

    help = (
        "Put a device into a state, whatever the state table says, provided that it is in OLD (or in `unknown`).\n"
        "Use it for `troubleshooting` and `locked_out`, and to lead a device back; self_test is the safer way back."
    )
    examples = (
        "  manage.py force_state panda-0123 ready troubleshooting --reason 'loose cable'\n"
        "  manage.py force_state panda-0123 troubleshooting ready --reason 'cable replaced'"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the device, both states and the reason."""
        states = ", ".join(DEVICE.stored())
        parser.add_argument("device", metavar="DEVICE", help="the device's name")
        parser.add_argument("old", metavar="OLD", help="the state that it is in now")
        parser.add_argument("new", metavar="NEW", help=f"the state to put it into: {states}")
        parser.add_argument("--reason", required=True, help="why; goes into the device's journal")

    def handle(self, *, device: str, old: str, new: str, reason: str, **_: Any) -> None:
        """Force it."""
        (row,) = find_devices([device])
        forced = force_state(row.pk, old, new, by=operator(), reason=reason)
        self.say(f"{forced.name} was {row.state}, is {forced.state}")
