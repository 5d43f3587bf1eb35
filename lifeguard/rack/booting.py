"""Boot configs for every image on the rack's hardware, the files that they name, and the folder that TFTP serves."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from bmm import netboot
from bmm.bootfiles import pxelinux_text
from bmm.errors import Misconfigured
from bmm.tftp.asking import ask
from devices.models import BootConfig, Device, HardwareType, Image, ImageBootConfig
from devices.models.image import MAINTENANCE, SELF_TEST
from lifeguard.rack.findings import Finding, Findings, Place, fail, ok, warn

# Lines of a PXELINUX text that name files; U-Boot knows the last ones.
_FILES = re.compile(r"^\s*(KERNEL|LINUX|INITRD|FDT|DEVICETREE)\s+(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)
_INITRD = re.compile(r"(?:^|\s)initrd=(\S+)")
_GIB = 1024**3
# A live image and a few hundred boot files are far smaller; a log that fills the disk is not.
_LITTLE, _TOO_LITTLE = 1.0, 0.1
_OWN = {SELF_TEST: "devices are then tested by booting only", MAINTENANCE: "nobody can log in to repair one"}


def boot_configs(place: Place) -> Findings:
    """See whether every image can be put on every type of hardware here, and whether each text can be filled in."""
    hardware = {device.hardware_type_id: device.hardware_type for device in place.devices}
    cells = ImageBootConfig.objects.filter(hardware_type__in=hardware).select_related("boot_config")
    by_pair = {(cell.image_id, cell.hardware_type_id): cell.boot_config for cell in cells}
    wrong = 0
    for image in Image.objects.order_by("name"):
        for kind in hardware.values():
            finding = _pair(image, kind, by_pair.get((image.pk, kind.pk)))
            if finding:
                wrong += 1
                yield finding
    for config, device in _in_use(place):
        try:
            _filled(config, device)
        except Misconfigured as error:
            wrong += 1
            yield fail(
                "boot configs", str(error), "correct the boot config, the rack's address or its base URL"
            )
    if not wrong:
        yield ok(
            "boot configs", f"every image can be put on {', '.join(map(str, hardware.values())) or 'nothing'}"
        )


def _pair(image: Image, kind: HardwareType, config: BootConfig | None) -> Finding | None:
    if config is not None and config.active:
        return None
    what = f"boot config {config} is not active" if config else "there is no boot config"
    follows = _OWN.get(image.name, "nobody can request it here")
    return warn(
        "boot configs",
        f"{image} on {kind}: {what}; {follows}",
        "add or activate one, if that is meant to work",
    )


def _in_use(place: Place) -> list[tuple[BootConfig, Device]]:
    """Give the boot configs that devices here may boot, each with one of the devices."""
    sample = {device.hardware_type_id: device for device in place.devices}
    cells = ImageBootConfig.objects.filter(hardware_type__in=sample, boot_config__active=True)
    found = {
        cell.boot_config_id: (cell.boot_config, sample[cell.hardware_type_id])
        for cell in cells.select_related("boot_config")
    }
    return [found[pk] for pk in sorted(found)]


def _filled(config: BootConfig, device: Device) -> str:
    device.netboot = config
    return pxelinux_text(device)


def files_of(text: str) -> list[str]:
    """Give the files that a PXELINUX text has fetched by TFTP, as it names them; URLs are others' business."""
    named: list[str] = []
    for keyword, value in _FILES.findall(text):
        # An image tree may have its parts behind a #.
        named += value.split(",") if keyword.upper() == "INITRD" else [value.partition("#")[0]]
    for line in text.splitlines():
        if line.strip().upper().startswith("APPEND"):
            named += [name for part in _INITRD.findall(line) for name in part.split(",")]
    return [name for name in dict.fromkeys(named) if name and "://" not in name]


def tftp(place: Place) -> Findings:
    """Ask the rack's TFTP server for what its boot configs name, and for what this host has just written there."""
    server = f"{place.rack.address}:{place.tftp_port}" if place.tftp_port != 69 else place.rack.address  # noqa: PLR2004
    named = dict(_named(place))
    try:
        if ask(place.rack.address, "mozpool-check", place.tftp_port) is None:
            yield fail(
                "tftp",
                f"nobody answers at {server}",
                "start the TFTP server (docs/operators/rack.md), open UDP port 69",
            )
            return
        lacking = 0
        for name, config in named.items():
            answer = ask(place.rack.address, name, place.tftp_port)
            if answer is None or not answer.there:
                lacking += 1
                said = answer.text if answer else "no answer"
                yield fail(
                    "tftp",
                    f"{server} has no {name}, which {config} names ({said})",
                    "put it below the TFTP root, readable for all",
                )
    except OSError as error:
        yield fail("tftp", f"{server} can't be asked: {error}", "correct the rack's address, or the network")
        return
    if not lacking:
        yield ok("tftp", f"{server} has the {len(named)} files that boot configs name")
    if place.here:
        yield from _same_folder(place, server)


def _named(place: Place) -> Iterator[tuple[str, str]]:
    for config, device in _in_use(place):
        try:
            text = _filled(config, device)
        except Misconfigured:
            continue  # told among the boot configs
        for name in files_of(text):
            if name.isascii() and name.isprintable():
                yield name, f"boot config {config}"


def _same_folder(place: Place, server: str) -> Findings:
    """Write a file where the worker writes, and see whether the server gives it."""
    folder = Path(settings.MOZPOOL_TFTP_ROOT) / netboot.PXELINUX
    probe = folder / f"mozpool-check-{secrets.token_hex(8)}"
    mend = (
        f"let MOZPOOL_TFTP_ROOT and the server's root be the same folder, and {folder} be the worker's user's"
    )
    try:
        probe.write_text("written by check_rack\n")
        probe.chmod(0o644)
        answer = ask(place.rack.address, f"{netboot.PXELINUX}/{probe.name}", place.tftp_port)
    except OSError as error:
        yield fail("tftp", f"{folder} can't be written as user {os.geteuid()}: {error.strerror}", mend)
        return
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    if answer is None or not answer.there:
        yield fail("tftp", f"what is written to {folder} is not what {server} serves", mend)
    else:
        yield ok("tftp", f"what is written to {folder} is served")


def disk(place: Place) -> Findings:
    """See how much room the TFTP root's disk has."""
    root = Path(settings.MOZPOOL_TFTP_ROOT)
    if not place.here:
        told = f"this host is not {place.rack.imaging_server} ({place.rack.address}): its TFTP folder is not looked at"
        yield warn("disk", told, "run check_rack there")
        return
    try:
        free = shutil.disk_usage(root).free / _GIB
    except OSError as error:
        yield fail("disk", f"{root}: {error.strerror}", "make the folder, or correct MOZPOOL_TFTP_ROOT")
        return
    found = f"{free:.1f} GiB are free below {root}"
    if free < _TOO_LITTLE:
        yield fail("disk", found, "make room: boot files can't be written for long")
    elif free < _LITTLE:
        yield warn("disk", found, "make room")
    else:
        yield ok("disk", found)
