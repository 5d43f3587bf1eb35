"""`manage.py renew_request`: gives a request more time."""

from argparse import ArgumentParser
from typing import Any

from mozpool_site.commands import MozpoolCommand, duration, moment, operator, span
from requests_app import lease
from requests_app.management.naming import find_request
from requests_app.services import renew


class Command(MozpoolCommand):
    """Renews a request."""

    help = "Set the time that a request has left, counted from now, or from the moment that it is ready."
    examples = "  manage.py renew_request 42 2h\n  manage.py renew_request panda-0123 90m"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the request and the time."""
        parser.add_argument(
            "request", metavar="REQUEST|DEVICE", help="a request's number or the device that it holds"
        )
        parser.add_argument("duration", type=duration, metavar="DURATION", help="90, 15m, 1h30m or 2d")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, **options: Any) -> None:
        """Renew."""
        request = find_request(options["request"])
        renewed = renew(request.pk, options["duration"], by=operator())
        end = lease.end(renewed.duration, renewed.ready_at, renewed.expires)
        if options["json"]:
            self.show_json({"request": renewed.pk, "state": renewed.state, "expires": end})
        elif end is None:
            self.say(
                f"request {renewed.pk} is {renewed.state} and expires {span(options['duration'])} after it is ready"
            )
        else:
            self.say(f"request {renewed.pk} is {renewed.state} and expires at {moment(end)}")
