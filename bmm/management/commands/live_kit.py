"""`manage.py live_kit`: the scripts and the live image that devices are installed, tested and repaired with."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from bmm.live import cpio, initramfs, kit
from mozpool_site.commands import MozpoolCommand
from mozpool_site.errors import InvalidInputError


class Command(MozpoolCommand):
    """Prints second-stage scripts and builds live images."""

    help = (
        "Print a second-stage script of the live kit, for a boot config; or build the live image that runs it: an\n"
        "initramfs of a static busybox, kernel modules and the kit's own programs. The same input gives the same bytes."
    )
    examples = (
        '  manage.py live_kit script install --image linux --settings \'{"disk": "/dev/mmcblk0"}\' > install.sh\n'
        "  manage.py live_kit initramfs --busybox root/bin/busybox --modules root/lib/modules/6.1.0-40-armmp \\\n"
        "      --add root/usr/sbin/dropbear:bin/dropbear --output /srv/tftp/panda/live.gz"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one of two verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="script|initramfs")
        script = verbs.add_parser("script", help="print a second stage, or mobile-init")
        script.add_argument("part", choices=(*kit.SECOND_STAGES, "mobile-init"))
        script.add_argument("--image", help="the image's name, as its events tell it (default: the part)")
        script.add_argument(
            "--settings", default="{}", metavar="JSON",
            help="an object that a request can't change; each script tells at its head what it knows",
        )  # fmt: skip
        image = verbs.add_parser("initramfs", help="build a live image")
        image.add_argument(
            "--busybox", required=True, metavar="FILE", help="static, for the device's processor"
        )
        image.add_argument("--modules", metavar="FOLDER", help="of the device's kernel: /lib/modules/VERSION")
        image.add_argument(
            "--module", action="append", metavar="NAME",
            help=f"to load, in this order; may be repeated (default: {' '.join(initramfs.VIRTUAL_MACHINE)})",
        )  # fmt: skip
        image.add_argument(
            "--add", action="append", default=[], metavar="FILE:PATH",
            help="another file, and its path in the image; may be repeated",
        )  # fmt: skip
        image.add_argument("--output", required=True, metavar="FILE")

    def handle(self, *, verb: str, **options: Any) -> None:
        """Do it."""
        if verb == "script":
            self._out.write(_script(options["part"], options["image"], options["settings"]))
            return
        try:
            content = _image(options)
            Path(options["output"]).write_bytes(content)
        except OSError as error:
            raise InvalidInputError(str(error), field="file") from error
        self.say(f"wrote {options['output']}, {len(content)} bytes")


def _script(part: str, image: str | None, text: str) -> str:
    if part == "mobile-init":
        return kit.mobile_init()
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(f"--settings: {error}", field="settings") from error
    if not isinstance(settings, dict) or "\0" in text or "\\u0000" in text:
        raise InvalidInputError("--settings: a JSON object without NUL expected", field="settings")
    try:
        return kit.second_stage(part, image or part, settings)
    except ValueError as error:
        raise InvalidInputError(f"--image: {error}", field="image") from error


def _image(options: dict[str, Any]) -> bytes:
    names = options["module"] or initramfs.VIRTUAL_MACHINE
    modules = initramfs.find_modules(Path(options["modules"]), names) if options["modules"] else {}
    more = {}
    for pair in options["add"]:
        source, colon, path = pair.rpartition(":")
        if not colon or not source:
            raise InvalidInputError(f"--add: FILE:PATH expected, got {pair!r}", field="add")
        file = Path(source)
        more[path.lstrip("/")] = cpio.file(file.read_bytes(), executable=bool(file.stat().st_mode & 0o100))
    try:
        return initramfs.build(Path(options["busybox"]).read_bytes(), modules, more)
    except ValueError as error:
        raise InvalidInputError(f"--add: {error}", field="add") from error
