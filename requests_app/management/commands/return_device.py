"""`manage.py return_device`: gives devices back."""

from argparse import ArgumentParser
from typing import Any

from mozpool_site.commands import MozpoolCommand, operator
from requests_app.management.naming import find_request
from requests_app.services import return_request


class Command(MozpoolCommand):
    """Ends requests."""

    help = "Give devices back: by the request's number, or by the name of the device that it holds."
    examples = "  manage.py return_device 42\n  manage.py return_device panda-0123 panda-0124"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take requests or devices."""
        parser.add_argument(
            "requests", nargs="+", metavar="REQUEST|DEVICE", help="a request's number or a device"
        )

    def handle(self, *, requests: list[str], **_: Any) -> None:
        """Return them."""
        # Two names may mean one request; all must be good before the first is ended.
        for request in {found.pk: found for found in map(find_request, requests)}.values():
            if request.ended is not None:
                self.say(f"request {request.pk} had ended already: it is {request.state}")
                continue
            closed = return_request(request.pk, by=operator())
            device = closed.last_device.name if closed.last_device else "no device"
            self.say(f"request {closed.pk} is {closed.state}: returned {device}")
