"""`manage.py request_device`: files a request, and waits until its device is ready."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any, NoReturn

from bmm.management.naming import find_devices, find_image
from devices.models import Device, Image, ImageBootConfig
from lifeguard.management.asking import add_waiting_arguments
from lifeguard.management.values import add_set_argument, values_for
from lifeguard.services import check_image_fits
from mozpool_site import clock
from mozpool_site.commands import (
    INTERRUPTED,
    MozpoolCommand,
    duration,
    moment,
    operator,
    span,
    uninterrupted,
    waiting_time,
)
from mozpool_site.errors import InvalidInputError
from mozpool_site.live import Progress
from requests_app import lease
from requests_app.management.waiting import RequestWatch
from requests_app.models import Request
from requests_app.planning.pool import ANY
from requests_app.services import Order, file_request, return_request

_HOUR = 3600
_LONGEST_ASSIGNEE = 100  # its column's length


class Command(MozpoolCommand):
    """Requests a device."""

    help = (
        "Request a device with an image on it, show how it gets on, and end when it is ready (status 0) or the\n"
        "request has failed (status 1). The request lives on after this command, until it is returned or expires."
    )
    examples = (
        "  manage.py request_device android --duration 2h\n"
        "  manage.py request_device b2g --set b2gbase=http://images.example.com/b2g/42/ --environment staging\n"
        "  manage.py request_device android --device panda-0123 --no-wait --json"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what is wanted, for how long, and how to wait."""
        parser.add_argument("image", metavar="IMAGE", help="the image's name")
        parser.add_argument(
            "--device", metavar="NAME", help="this device and no other (default: any that fits)"
        )
        parser.add_argument(
            "--environment", default=ANY, metavar="E", help="a device of this environment only"
        )
        parser.add_argument(
            "--tag", action="append", default=[], metavar="T", help="with this tag; may be repeated"
        )
        add_set_argument(parser)
        parser.add_argument(
            "--duration", type=duration, default=_HOUR, metavar="TIME",
            help="how long you have it, from the moment that it is ready: 3600, 90m, 1h30m, 2d (default: 1h)",
        )  # fmt: skip
        parser.add_argument(
            "--max-wait", type=waiting_time, default=lease.USUAL_WAIT, metavar="TIME",
            help="how long the request waits for a free device until it fails (default: 1d; 0: now or never)",
        )  # fmt: skip
        parser.add_argument("--assignee", metavar="WHO", help="for whom (default: you)")
        parser.add_argument(
            "--wait", action="store_true", default=True, help="wait until it is ready (default)"
        )
        parser.add_argument("--no-wait", dest="wait", action="store_false", help="file it and leave at once")
        parser.add_argument(
            "--return-on-interrupt", action="store_true",
            help="give the device back when Ctrl-C, SIGTERM or --timeout ends the waiting",
        )  # fmt: skip
        add_waiting_arguments(parser, _HOUR)

    def handle(self, **options: Any) -> None:
        """File, wait, tell."""
        order = _order(options)
        since = clock.now()
        request: Request | None = None
        try:
            with uninterrupted():
                request = file_request(order, by=operator())
            if options["wait"]:
                request = self._wait(request, since, options)
        except KeyboardInterrupt:
            if request is None:
                raise
            self._leave(Request.objects.get(pk=request.pk), options, "interrupted", INTERRUPTED)
        held = Device.objects.filter(held_by=request.pk).first()
        if options["json"]:
            self.show_json(_described(request, held))
        if request.ended is not None:
            self.fail(f"request {request.pk} is {request.state}", 1)
        if options["wait"] and request.state != "ready":
            self._leave(request, options, f"not ready after {options['timeout']} s", 1)
        if not options["json"]:
            self._tell(request, held)

    def _wait(self, request: Request, since: datetime, options: dict[str, Any]) -> Request:
        progress = Progress(self.console(to_stderr=options["json"]), [f"request {request.pk}"])
        watch = RequestWatch(request.pk, since, progress)
        return watch.wait(seconds=options["timeout"], here=options["here"])

    def _leave(self, request: Request, options: dict[str, Any], why: str, status: int) -> NoReturn:
        """End without a ready device, and say what becomes of the request."""
        if options["return_on_interrupt"]:
            closed = return_request(request.pk, by=operator())
            self.fail(f"{why}; request {closed.pk} is returned", status)
        self.fail(
            f"{why}; request {request.pk} stays, in state {request.state}; "
            f"`manage.py return_device {request.pk}` gives it up",
            status,
        )

    def _tell(self, request: Request, held: Device | None) -> None:
        what = f"{held.name} ({held.fqdn})" if held else "no device yet"
        self.say(f"request {request.pk} is {request.state}: {what} with {request.image.name}")
        end = lease.end(request.duration, request.ready_at, request.expires)
        if end is not None:
            self.say(f"it expires at {moment(end)}")
        elif request.duration is not None:
            self.say(f"it expires {span(request.duration)} after it is ready")
        self.say(f"  more time:  manage.py renew_request {request.pk} 2h")
        self.say(f"  give back:  manage.py return_device {request.pk}")


def _order(options: dict[str, Any]) -> Order:
    """Check everything that is asked for; a request that nothing can ever meet is refused."""
    image = find_image(options["image"])
    device = find_devices([options["device"]])[0] if options["device"] else None
    assignee = options["assignee"] or operator().name
    if len(assignee) > _LONGEST_ASSIGNEE:
        raise InvalidInputError(f"--assignee: {_LONGEST_ASSIGNEE} characters at most", field="assignee")
    order = Order(
        image=image,
        assignee=assignee,
        duration=options["duration"],
        max_wait=options["max_wait"],
        device=device,
        environment=options["environment"],
        boot_config=values_for(image, options["set"]),
        tags=tuple(options["tag"]),
    )
    _check_possible(order, image)
    return order


def _check_possible(order: Order, image: Image) -> None:
    matrix = ImageBootConfig.objects.filter(image=image, boot_config__active=True)
    hardware = set(matrix.values_list("hardware_type_id", flat=True))
    if not hardware:
        raise InvalidInputError(f"image {image.name} has no boot config, for any hardware", field="image")
    if order.device is not None:
        check_image_fits(order.device, image)
        return
    fitting = Device.objects.filter(hardware_type_id__in=hardware)
    if order.environment != ANY:
        fitting = fitting.filter(environment=order.environment)
    wanted = set(order.tags)
    if not any(wanted <= set(tags) for tags in fitting.values_list("tags", flat=True).distinct()):
        tags = f" and tags {', '.join(sorted(wanted))}" if wanted else ""
        raise InvalidInputError(
            f"no device of environment {order.environment}{tags} can have the image {image.name}",
            field="environment",
        )


def _described(request: Request, held: Device | None) -> dict[str, object]:
    return {
        "request": request.pk,
        "state": request.state,
        "device": held.name if held else None,
        "fqdn": held.fqdn if held else None,
        "address": held.address if held else None,
        "image": request.image.name,
        "assignee": request.assignee,
        "expires": lease.end(request.duration, request.ready_at, request.expires),
        "waits_until": request.waits_until if request.state == "finding_device" else None,
    }
