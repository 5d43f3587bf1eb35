"""`manage.py maintenance`: boots devices into the live image, where administrators log in."""

from typing import Any

from bmm.management.naming import find_devices
from lifeguard.management.asking import AskingCommand


class Command(AskingCommand):
    """Asks for the maintenance mode."""

    help = (
        "Boot devices into the live image, where SSH lets administrators in, and wait until it is up.\n"
        "They stay there, out of the pool, until self_test, reimage or power_cycle leads them back."
    )
    examples = "  manage.py maintenance panda-0123\n  ssh root@panda-0123\n  manage.py self_test panda-0123"

    def handle(self, **options: Any) -> None:
        """Ask."""
        self.ask(find_devices(options["devices"]), "start_maintenance", options, goal="maintenance_mode")
