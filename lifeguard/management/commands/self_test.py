"""`manage.py self_test`: lets devices test themselves, and waits for their verdict."""

from typing import Any

from bmm.management.naming import find_devices
from lifeguard.management.asking import AskingCommand


class Command(AskingCommand):
    """Asks for self-tests."""

    help = (
        "Let devices test their storage, memory and network, and wait for the verdict. A device that passes is ready.\n"
        "Hardware without a self-test is power-cycled instead. A failed device comes back into the pool this way."
    )
    examples = "  manage.py self_test panda-0123\n  manage.py self_test panda-0123 panda-0124 --json"

    def handle(self, **options: Any) -> None:
        """Test."""
        self.ask(find_devices(options["devices"]), "self_test", options)
