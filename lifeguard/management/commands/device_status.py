"""`manage.py device_status`: how devices are, and everything about one of them."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from bmm.management.naming import find_devices
from bmm.models import OPEN, Operation
from devices.models import Device, Journal, Rack
from devices.models.rack import pulse_is_silent
from lifeguard.states import DEVICE
from mozpool_site import clock
from mozpool_site.commands import MozpoolCommand, moment, span
from mozpool_site.errors import InvalidInputError, UnknownNameError


class Command(MozpoolCommand):
    """Shows devices."""

    help = (
        "Show how devices are: one in full with its latest journal lines, several or all of them as a table."
    )
    examples = (
        "  manage.py device_status panda-0123\n"
        "  manage.py device_status --rack p1 --state 'failed_*'\n"
        "  manage.py device_status --json | jq '.[].state'"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take names or filters."""
        parser.add_argument(
            "devices", nargs="*", metavar="DEVICE", help="a device's name (default: all devices)"
        )
        parser.add_argument(
            "--state", help="only those in this state; `failed_*` means every state that begins so"
        )
        parser.add_argument("--rack", help="only those of this rack")
        parser.add_argument(
            "--log", type=int, default=10, metavar="N", help="journal lines to show (default: 10)"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, **options: Any) -> None:
        """Show."""
        if options["log"] < 0:
            raise InvalidInputError("--log: 0 or more lines expected", field="log")
        rows = _chosen(options)
        now = clock.now()
        if len(options["devices"]) == 1 and len(rows) == 1:
            lines = _journal(rows[0], options["log"])
            if options["json"]:
                self.show_json(
                    {**_described(rows[0], now, _operations(rows)), "log": [_line(line) for line in lines]}
                )
            else:
                self._show_one(rows[0], lines, now)
        elif options["json"]:
            operations = _operations(rows)
            self.show_json([_described(row, now, operations) for row in rows])
        else:
            self._show_many(rows, now)

    def _show_one(self, device: Device, lines: list[Journal], now: datetime) -> None:
        facts = {**_described(device, now, _operations([device])), "meaning": DEVICE[device.state].doc}
        for key, value in facts.items():
            if isinstance(value, datetime):
                shown_as: object = moment(value)
            elif key == "in_state_seconds":
                shown_as = span(float(str(value)))
            elif isinstance(value, list):
                shown_as = "; ".join(str(item) for item in value)
            else:
                shown_as = value
            self.say(f"{key.replace('_', ' '):18} {'-' if shown_as in (None, '') else shown_as}")
        if lines:
            self.show_table(
                ("TIME", "BY", "MESSAGE"),
                [(moment(line.time), line.actor or line.source, line.message) for line in lines],
            )

    def _show_many(self, rows: list[Device], now: datetime) -> None:
        self.show_table(
            ("DEVICE", "RACK", "STATE", "SINCE", "HELD BY", "IMAGE", "HEALTH", "REASON"),
            [
                (
                    row.name,
                    row.rack.name,
                    row.state,
                    span((now - row.state_since).total_seconds()),
                    _holder(row),
                    row.image.name if row.image else None,
                    row.health,
                    row.quarantine_reason,
                )
                for row in rows
            ],
        )
        self.say(f"{len(rows)} devices")


def _chosen(options: dict[str, Any]) -> list[Device]:
    rows: QuerySet[Device] = Device.objects.select_related(
        "rack", "hardware_type", "power_controller", "image", "next_image", "netboot"
    )
    if options["devices"]:
        rows = rows.filter(pk__in=[device.pk for device in find_devices(options["devices"])])
    if rack := options["rack"]:
        if not Rack.objects.filter(name=rack).exists():
            there_are = ", ".join(Rack.objects.values_list("name", flat=True)) or "none"
            raise UnknownNameError(f"there is no rack {rack!r}; there are: {there_are}", field="rack")
        rows = rows.filter(rack__name=rack)
    if state := options["state"]:
        rows = rows.filter(state__in=_states(state))
    return list(rows.order_by("name"))


def _states(text: str) -> list[str]:
    known = DEVICE.stored()
    found = [name for name in known if name.startswith(text[:-1])] if text.endswith("*") else [text]
    if not found or found[0] not in known:
        raise InvalidInputError(f"there is no state {text!r}; there are: {', '.join(known)}", field="state")
    return found


def _described(device: Device, now: datetime, operations: dict[int | None, list[str]]) -> dict[str, object]:
    """Say everything about a device, by the names of its columns."""
    return {
        "name": device.name,
        "state": device.state,
        "state_since": device.state_since,
        "in_state_seconds": round((now - device.state_since).total_seconds(), 1),
        "deadline": device.deadline,
        "held_by": _holder(device),
        "health": device.health,
        "quarantine_reason": device.quarantine_reason,
        "quarantine_by": device.quarantine_by,
        "quarantine_bug": device.quarantine_bug,
        "quarantine_since": device.quarantine_since,
        "result": device.result,
        "counters": ", ".join(f"{name} {count}" for name, count in device.counters.items()),
        "image": device.image.name if device.image else None,
        "next_image": device.next_image.name if device.next_image else None,
        "netboot": device.netboot.name if device.netboot else None,
        "operations": operations.get(device.pk, []),
        "fqdn": device.fqdn,
        "address": device.address,
        "mac": device.mac,
        "rack": device.rack.name,
        "rack_silent": pulse_is_silent(device.rack.pulse_seen, now),
        "hardware": str(device.hardware_type),
        "power": _outlet(device, now),
        "environment": device.environment,
        "tags": device.tags,
        "comments": device.comments,
    }


def _holder(device: Device) -> str | None:
    return f"request {device.held_by}" if device.held_by is not None else None


def _outlet(device: Device, now: datetime) -> str | None:
    board = device.power_controller
    return f"{board.name} ({board.address}, {board.health(now).label}) {device.outlet}" if board else None


def _operations(rows: list[Device]) -> dict[int | None, list[str]]:
    """Describe what is being done to each of these devices, and what comes next."""
    waiting = Operation.objects.filter(status__in=OPEN, device__isnull=False).order_by("not_before", "pk")
    if len(rows) == 1:
        waiting = waiting.filter(device=rows[0])
    found: dict[int | None, list[str]] = {}
    for operation in waiting:
        by = f" by {operation.runner}" if operation.runner else f" for {moment(operation.not_before)}"
        text = f"{operation.get_kind_display()} {operation.status}{by}"
        found.setdefault(operation.device_id, []).append(text)
    return found


def _journal(device: Device, count: int) -> list[Journal]:
    lines = Journal.objects.filter(device_id=device.pk).order_by("-time", "-pk")[:count]
    return list(reversed(lines))


def _line(line: Journal) -> dict[str, object]:
    return {
        "time": line.time,
        "source": line.source,
        "actor": line.actor,
        "event": line.event,
        "from_state": line.from_state,
        "to_state": line.to_state,
        "message": line.message,
    }
