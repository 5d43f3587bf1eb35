"""`manage.py reimage`: puts an image onto devices, and waits until it is up."""

import json
from argparse import ArgumentParser
from typing import Any

from bmm.management.naming import find_devices, find_image
from lifeguard.management.asking import AskingCommand
from lifeguard.management.values import add_set_argument, values_for


class Command(AskingCommand):
    """Asks for an image."""

    help = (
        "Install an image on devices over the network, and wait until it is up.\n"
        "Several devices: all or none are asked. A device that a request holds is reimaged under its user's hands."
    )
    examples = (
        "  manage.py reimage panda-0123 android\n"
        "  manage.py reimage panda-0123 panda-0124 b2g --set b2gbase=http://images.example.com/b2g/42/"
    )

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Take the image and its values."""
        parser.add_argument("image", metavar="IMAGE", help="the image's name")
        add_set_argument(parser)

    def handle(self, **options: Any) -> None:
        """Install."""
        devices = find_devices(options["devices"])
        image = find_image(options["image"])
        boot_config = values_for(image, options["set"])
        self.ask(devices, "image", options, image=image, boot_config=json.dumps(boot_config, sort_keys=True))
