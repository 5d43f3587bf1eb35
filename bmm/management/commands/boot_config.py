"""`manage.py boot_config`: what boards read when they boot from the network."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from bmm.boot_preview import filled_in
from bmm.errors import Misconfigured
from bmm.management.naming import find_boot_config, find_devices, find_hardware, find_image
from devices.models import BootConfig, Device, ImageBootConfig
from mozpool_site.commands import MozpoolCommand
from mozpool_site.errors import InvalidInputError

_LONGEST = 64 * 1024  # a boot loader reads no more than that, and nobody writes it


class Command(MozpoolCommand):
    """Keeps boot configs."""

    help = (
        "Add, list, show and modify boot configs: a PXELINUX file, and the second-stage script that the live image\n"
        "then fetches. %IPADDRESS%, %TOKEN%, %DEVICE% and %BASEURL% are filled in for each device."
    )
    examples = (
        "  manage.py boot_config list\n"
        "  manage.py boot_config add panda-b2g --file b2g.cfg --second-stage b2g.sh --use b2g panda/es-b3\n"
        "  manage.py boot_config show panda-b2g --for panda-0123\n"
        "  manage.py boot_config modify panda-b2g --file - < b2g.cfg\n"
        "  manage.py boot_config modify panda-b2g --deactivate"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one of four verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="add|list|show|modify")
        listing = verbs.add_parser("list", help="names, whether they are active, what they are for")
        listing.add_argument("--active", action="store_true", help="only those that are active")
        listing.add_argument("--json", action="store_true", help="print JSON")
        showing = verbs.add_parser("show", help="one of them in full")
        showing.add_argument("name", metavar="NAME")
        showing.add_argument(
            "--for", dest="device", metavar="DEVICE",
            help="as this device would read it at its next boot; its secret token is left out",
        )  # fmt: skip
        showing.add_argument("--json", action="store_true", help="print JSON")
        adding = verbs.add_parser("add", help="a new one")
        _take_parts(adding, required=True)
        adding.add_argument(
            "--inactive", dest="active", action="store_false", help="add it, but do not use it yet"
        )
        modifying = verbs.add_parser("modify", help="parts of one, or whether it is active")
        _take_parts(modifying, required=False)
        switch = modifying.add_mutually_exclusive_group()
        switch.add_argument(
            "--activate", dest="active", action="store_true", default=None, help="use it from now on"
        )
        switch.add_argument("--deactivate", dest="active", action="store_false", help="use it no longer")

    def handle(self, *, verb: str, **options: Any) -> None:
        """Do it."""
        {"list": self._list, "show": self._show, "add": self._add, "modify": self._modify}[verb](options)

    def _list(self, options: dict[str, Any]) -> None:
        rows = BootConfig.objects.prefetch_related("uses__image", "uses__hardware_type")
        if options["active"]:
            rows = rows.filter(active=True)
        if options["json"]:
            self.show_json([_described(row) for row in rows])
        else:
            self.show_table(
                ("NAME", "ACTIVE", "DESCRIPTION", "USED FOR"),
                [
                    (row.name, "yes" if row.active else "no", row.description, "; ".join(_uses(row)))
                    for row in rows
                ],
            )

    def _show(self, options: dict[str, Any]) -> None:
        row = find_boot_config(options["name"])
        if options["device"]:
            (device,) = find_devices([options["device"]])
            row.contents = _preview(row, row.contents, device)
            row.second_stage = _preview(row, row.second_stage, device)
        if options["json"]:
            texts = {"contents": row.contents, "second_stage": row.second_stage}
            self.show_json({**_described(row), **texts})
            return
        self.say(
            f"{row.name}: {row.description or 'no description'}; {'active' if row.active else 'not active'}"
        )
        self.say(f"used for {'; '.join(_uses(row)) or 'nothing yet'}")
        for title, text in (("contents", row.contents), ("second stage", row.second_stage)):
            self.say(f"--- {title}")
            for line in text.splitlines():
                self.say(line)

    def _add(self, options: dict[str, Any]) -> None:
        if BootConfig.objects.filter(name=options["name"]).exists():
            raise InvalidInputError(
                f"there is a boot config {options['name']} already; modify changes it", field="name"
            )
        row = BootConfig(name=options["name"], active=options["active"])
        _store(row, options)
        self.say(f"added {row.name}, {'active' if row.active else 'not active'}")

    def _modify(self, options: dict[str, Any]) -> None:
        row = find_boot_config(options["name"])
        parts = ("file", "second_stage", "description", "use", "active")
        if all(options[part] in (None, []) for part in parts):
            raise InvalidInputError(
                "nothing to modify: --file, --second-stage, --description, --use, --activate ..."
            )
        if options["active"] is not None:
            row.active = options["active"]
        _store(row, options)
        self.say(f"modified {row.name}, {'active' if row.active else 'not active'}")


def _take_parts(parser: ArgumentParser, *, required: bool) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--file", required=required, metavar="FILE", help="the PXELINUX text; - reads it from stdin"
    )
    parser.add_argument("--second-stage", metavar="FILE", help="the script that the live image fetches")
    parser.add_argument("--description", metavar="TEXT", help="what it is for")
    parser.add_argument(
        "--use", nargs=2, action="append", default=[], metavar=("IMAGE", "KIND/MODEL"),
        help="install this image on this hardware by it, instead of what did so far; may be repeated",
    )  # fmt: skip


def _store(row: BootConfig, options: dict[str, Any]) -> None:
    """Fill a row in from what was given, check it whole, and store it with its uses, or nothing."""
    uses = [(find_image(image), find_hardware(hardware)) for image, hardware in options["use"]]
    if options["file"] is not None:
        row.contents = _read(options["file"])
    if options["second_stage"] is not None:
        row.second_stage = _read(options["second_stage"])
    if options["description"] is not None:
        row.description = options["description"]
    try:
        row.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidInputError(f"{field}: {' '.join(messages)}", field=field) from error
    with transaction.atomic():
        row.save()
        for image, hardware in uses:
            ImageBootConfig.objects.update_or_create(
                image=image, hardware_type=hardware, defaults={"boot_config": row}
            )


def _read(name: str) -> str:
    try:
        data = sys.stdin.buffer.read(_LONGEST + 1) if name == "-" else Path(name).read_bytes()
        text = data.decode()
    except OSError as error:
        raise InvalidInputError(f"{name} cannot be read: {error.strerror}", field="file") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name} is no text in UTF-8: {error.reason}", field="file") from error
    if len(data) > _LONGEST:
        raise InvalidInputError(f"{name} is longer than {_LONGEST} bytes", field="file")
    return text


def _preview(row: BootConfig, text: str, device: Device) -> str:
    """Fill a text in as for the device's next boot from the network, but without its secret."""
    try:
        return filled_in(text, row, device)
    except Misconfigured as error:
        raise InvalidInputError(str(error), field="name") from error


def _uses(row: BootConfig) -> list[str]:
    return [f"{use.image.name} on {use.hardware_type}" for use in row.uses.all()]


def _described(row: BootConfig) -> dict[str, object]:
    return {
        "name": row.name,
        "description": row.description,
        "active": row.active,
        "uses": [
            {"image": use.image.name, "hardware": f"{use.hardware_type.kind}/{use.hardware_type.model}"}
            for use in row.uses.all()
        ],
    }
