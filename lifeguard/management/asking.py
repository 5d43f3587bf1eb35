"""What the commands share that ask Lifeguard for something: all devices or none are asked, then waited for."""

from abc import abstractmethod
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from bmm.management.naming import find_devices
from devices.models import Device, Image
from lifeguard.machine import device_runner
from lifeguard.management.follow import Ending, Goal, follow
from lifeguard.services import check_image_fits, please_locked
from mozpool_site import clock
from mozpool_site.commands import INTERRUPTED, MozpoolCommand, duration, operator, shown, uninterrupted
from mozpool_site.errors import ConflictError
from mozpool_site.live import Progress
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

_HALF_AN_HOUR = 1800


class AskingCommand(MozpoolCommand):
    """Asks for the same of each named device, shows how it goes, and ends when all have got there or failed."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the devices, and how to wait."""
        parser.add_argument(
            "devices", nargs="+", metavar="DEVICE", help="a device's name; any number of them"
        )
        self.add_own_arguments(parser)
        parser.add_argument("--no-wait", dest="wait", action="store_false", help="ask and leave at once")
        add_waiting_arguments(parser, _HALF_AN_HOUR)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Take what only this command takes."""

    @abstractmethod
    def handle(self, *args: Any, **options: Any) -> None:
        """Ask."""

    def ask(
        self,
        devices: Sequence[Device],
        verb: str,
        options: dict[str, Any],
        *,
        goal: str = "ready",
        image: Image | None = None,
        boot_config: str = "{}",
    ) -> None:
        """Ask all devices at once, and wait unless told not to; a status of 1 when any does not get there."""
        since = clock.now()
        asked: list[Device] = []
        try:
            with uninterrupted():
                asked = ask_all(devices, verb, by=operator(), image=image, boot_config=boot_config)
            endings = self._follow(asked, goal, verb, since, options)
        except KeyboardInterrupt:
            if not asked:
                raise
            self.fail("interrupted; what was asked for goes on, `device_status` shows it", INTERRUPTED)
        self.report(endings, options["json"])

    def _follow(
        self, asked: Sequence[Device], goal: str, verb: str, since: datetime, options: dict[str, Any]
    ) -> list[Ending]:
        if not options["wait"]:
            return [Ending(row.name, True, row.state, 0.0, "asked for") for row in asked]
        has_task = verb != "self_test"
        goals = {row.pk: Goal(row.name, goal, row.task_seq if has_task else None) for row in asked}
        progress = Progress(self.console(to_stderr=options["json"]), [row.name for row in asked])
        return follow(goals, progress, since, seconds=options["timeout"], here=options["here"])

    def report(self, endings: Sequence[Ending], as_json: bool) -> None:
        """Show how it ended for each, and end with status 1 when it went wrong for any."""
        report(self, endings, as_json=as_json)


def add_waiting_arguments(parser: ArgumentParser, seconds: int) -> None:
    """Take --timeout, --here and --json."""
    parser.add_argument(
        "--timeout", type=duration, default=seconds, metavar="TIME",
        help=f"leave with status 1 after so long; the work goes on (default: {seconds // 60}m)",
    )  # fmt: skip
    parser.add_argument(
        "--here", action="store_true",
        help="do the work in this process at once, on whatever host this is, instead of after 2 s without a worker",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the results as JSON, progress on stderr")


@retrying
def ask_all(
    devices: Sequence[Device], verb: str, *, by: Actor, image: Image | None = None, boot_config: str = "{}"
) -> list[Device]:
    """Ask all devices in one transaction, or none: ConflictError names each that refuses, with its state.

    Raises InvalidInputError where the image has no boot config for a device's hardware.
    """
    asked: dict[int, Device] = {}
    refused: list[str] = []
    # Everybody locks devices in this order.
    for pk in sorted(device.pk for device in devices):
        device, now = device_runner.lock(pk)
        if image is not None:
            check_image_fits(device, image)
        try:
            asked[pk] = please_locked(device, verb, now, by=by, image=image, boot_config=boot_config)
        except ConflictError as error:
            refused.append(error.detail)
    if refused:
        raise ConflictError("; ".join(refused), field="state")
    return [asked[device.pk] for device in devices]


def report(command: MozpoolCommand, endings: Sequence[Ending], *, as_json: bool) -> None:
    """Show how it ended for each device, and end with status 1 when it went wrong for any."""
    if as_json:
        command.show_json([asdict(ending) for ending in endings])
    elif len(endings) == 1:
        (ending,) = endings
        tail = f": {ending.message}" if ending.message else ""
        if ending.ok:
            command.say(f"{ending.device} is {ending.state} after {ending.seconds:.1f} s{tail}")
    else:
        command.show_table(
            ("DEVICE", "RESULT", "STATE", "SECONDS", "MESSAGE"),
            [
                (end.device, "ok" if end.ok else "FAILED", end.state, f"{end.seconds:.1f}", end.message)
                for end in endings
            ],
        )
    failed = [ending for ending in endings if not ending.ok]
    if failed:
        first = failed[0]
        told = f"{first.device} is in state {first.state}: {shown(first.message)}"
        more = f"; {len(failed)} of {len(endings)} devices failed" if len(endings) > 1 else ""
        command.fail(told + more, 1)


__all__ = ["AskingCommand", "add_waiting_arguments", "ask_all", "find_devices", "report"]
