"""`manage.py power_cycle`: switches devices off and on again, and waits until they are up."""

from argparse import ArgumentParser
from typing import Any

from bmm import services
from bmm.management.naming import find_devices
from devices.models import Device
from lifeguard.management.asking import AskingCommand
from lifeguard.management.follow import follow_operations
from mozpool_site.commands import operator
from mozpool_site.errors import ConflictError
from mozpool_site.live import Progress


class Command(AskingCommand):
    """Cycles power through Lifeguard, or past it."""

    help = (
        "Switch devices off and on again, into their own storage, and wait until they are up.\n"
        "Several devices: all or none are asked; their power goes through one connection per relay board."
    )
    examples = (
        "  manage.py power_cycle panda-0123\n"
        "  manage.py power_cycle panda-0123 panda-0124 --no-wait\n"
        "  manage.py power_cycle panda-0123 --raw      the relay only, whatever state the device is in"
    )

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Take --raw."""
        parser.add_argument(
            "--raw",
            action="store_true",
            help="switch the power and nothing else: Lifeguard is not asked, and does not check the device",
        )

    def handle(self, **options: Any) -> None:
        """Cycle."""
        devices = find_devices(options["devices"])
        if options["raw"]:
            self._raw(devices, options)
        else:
            self.ask(devices, "power_cycle", options)

    def _raw(self, devices: list[Device], options: dict[str, Any]) -> None:
        bare = [device.name for device in devices if not (device.power_controller_id and device.outlet)]
        if bare:
            raise ConflictError(f"plugged into no power outlet that we know: {', '.join(bare)}")
        asked = [services.power_cycle(device.pk, by=operator()) for device in devices]
        if not options["wait"]:
            self.say(f"asked for {len(asked)} power cycles")
            return
        progress = Progress(self.console(to_stderr=options["json"]), [device.name for device in devices])
        self.report(follow_operations(asked, progress, here=options["here"]), options["json"])
