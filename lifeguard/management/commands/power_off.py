"""`manage.py power_off`: takes the power from devices."""

from argparse import ArgumentParser
from typing import Any

from bmm import services
from bmm.management.naming import find_devices
from lifeguard.management.asking import add_waiting_arguments, report
from lifeguard.management.follow import follow_operations
from mozpool_site.commands import MozpoolCommand, operator
from mozpool_site.errors import ConflictError
from mozpool_site.live import Progress


class Command(MozpoolCommand):
    """Switches devices off."""

    help = (
        "Take the power from devices, and wait until the relay board confirms it. A device that a request holds\n"
        "is refused without --force. The state is left as it is: to keep a device out of the pool while it is off,\n"
        "force it to `troubleshooting` or `locked_out` first."
    )
    examples = (
        "  manage.py force_state panda-0123 ready troubleshooting --reason 'smells burnt'\n"
        "  manage.py power_off panda-0123 --reason 'smells burnt'"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the devices and the reason."""
        parser.add_argument(
            "devices", nargs="+", metavar="DEVICE", help="a device's name; any number of them"
        )
        parser.add_argument("--reason", required=True, help="why; goes into the device's journal")
        parser.add_argument("--force", action="store_true", help="even if a request holds the device")
        add_waiting_arguments(parser, 90)

    def handle(self, **options: Any) -> None:
        """Switch off."""
        devices = find_devices(options["devices"])
        held = [
            f"{device.name} by request {device.held_by}" for device in devices if device.held_by is not None
        ]
        if held and not options["force"]:
            raise ConflictError(f"held: {', '.join(held)}; --force switches it off under its user's hands")
        bare = [device.name for device in devices if not (device.power_controller_id and device.outlet)]
        if bare:
            raise ConflictError(f"plugged into no power outlet that we know: {', '.join(bare)}")
        asked = [services.power_off(device.pk, by=operator(), reason=options["reason"]) for device in devices]
        progress = Progress(self.console(to_stderr=options["json"]), [device.name for device in devices])
        endings = follow_operations(asked, progress, here=options["here"])
        if not options["json"]:
            self._warn([device.name for device in devices if device.state == "ready"])
        report(self, endings, as_json=options["json"])

    def _warn(self, ready: list[str]) -> None:
        if ready:
            self.say(
                f"still in state ready, so a request may get and switch on: {', '.join(ready)}; "
                "force_state NAME ready troubleshooting keeps a device out of the pool"
            )
