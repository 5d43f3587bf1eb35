"""Boot files follow the database: a device's row says what its next boot reads, the TFTP folder is made to match."""

import logging
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import QuerySet

from bmm import loaders, netboot
from bmm.errors import Misconfigured
from devices import pxelinux
from devices.models import Device, Rack
from mozpool_site.compiled import CompiledQuery, Parameter

logger = logging.getLogger(__name__)

# Loaders that are told a translation, by their folders: names, and what writes it.
TRANSLATED = {netboot.IPXE: ("iPXE", loaders.ipxe), netboot.GRUB: ("GRUB", loaders.grub)}


def web_of(rack: Rack) -> str:
    """Return where the rack's boards find the web server, without a slash at the end.

    Many boards have no TLS. Unless the rack says otherwise they use the pool's own URL by plain HTTP, on its usual
    port, where the server answers their calls without a redirect; a port of its own is kept with its scheme.
    """
    if rack.base_url:
        return rack.base_url.rstrip("/")
    own = urlsplit(settings.MOZPOOL_BASE_URL)
    return (own if own.port else own._replace(scheme="http")).geturl()


def base_url(device: Device) -> str:
    """Give the URL below which this device, in its present boot, finds its own calls. No slash at the end."""
    token = netboot.boot_token(settings.MOZPOOL_BOOT_KEYS[0], device.name, device.boot_seq)
    return f"{web_of(device.rack)}/boot/{device.name}/{token}"


def fill_in(text: str, device: Device) -> str:
    """Fill a boot config's placeholders in for a device; raises Misconfigured where a value can't be used."""
    values = {
        "IPADDRESS": device.rack.address,
        "TOKEN": netboot.boot_token(settings.MOZPOOL_BOOT_KEYS[0], device.name, device.boot_seq),
        "DEVICE": device.name,
        "BASEURL": web_of(device.rack),
    }
    try:
        return netboot.substitute(text, values)
    except ValueError as error:
        raise Misconfigured(f"boot config {device.netboot} for {device.name}: {error}") from error


def pxelinux_text(device: Device) -> str:
    """Return what PXELINUX and U-Boot read at a device's next boot. Raise Misconfigured for a bad value."""
    return fill_in(pxelinux.tidy(device.netboot.contents if device.netboot else ""), device)


def sync(device_id: int) -> bool:
    """Make one device's boot files match its row as it is now; True when something changed.

    Raises Misconfigured where no file can be made of the row, OSError where the folder can't be written.
    """
    device = next(_one(device=device_id), None)
    if device is None:
        raise Device.DoesNotExist(f"there is no device {device_id}")
    root = Path(settings.MOZPOOL_TFTP_ROOT)
    changed = False
    try:
        texts = _texts(device)
        for folder in netboot.FOLDERS:
            text = texts.get(folder)
            if text is None:
                changed |= netboot.remove_boot_file(root, device.mac, folder)
            else:
                changed |= netboot.write_boot_file(root, device.mac, text, folder)
    except ValueError as error:
        raise Misconfigured(f"boot file of {device.name}: {error}") from error
    return changed


def withheld(device: Device) -> list[str]:
    """Say which loaders have no boot file for the device's next boot from the network, and why; a sentence each."""
    if device.netboot is None:
        return []
    return [
        f"no boot file for {name}, which cannot be told boot config {device.netboot}: {error}"
        for name, error in not_understood(pxelinux_text(device), device.rack.address).items()
    ]


def not_understood(text: str, server: str) -> dict[str, str]:
    """Say which of the loaders that this pool serves can't be told a PXELINUX text, and why, by their names."""
    found = {}
    for folder, (name, write) in TRANSLATED.items():
        if folder in settings.MOZPOOL_BOOT_LOADERS:
            try:
                write(loaders.read(text), server)
            except loaders.NotUnderstoodError as error:
                found[name] = str(error)
    return found


def _texts(device: Device) -> dict[str, str]:
    """Return what each loader's boot file says, by its folder; nothing when the device boots from its own storage.

    A loader that cannot be told what the boot config asks for has none; those of the others are as good as ever.
    """
    if device.netboot is None:
        return {}
    text = pxelinux_text(device)
    texts = {netboot.PXELINUX: text}
    for folder, (_, write) in TRANSLATED.items():
        if folder in settings.MOZPOOL_BOOT_LOADERS:
            with suppress(loaders.NotUnderstoodError):
                texts[folder] = write(loaders.read(text), device.rack.address)
    if netboot.IPXE in texts:
        # The script itself comes from the web process; the way to it is told to the rack's network only. GRUB's is
        # given as a whole: before 2.12 it fetches nothing by HTTP from a port other than 80.
        texts[netboot.IPXE] = f"#!ipxe\nchain --autofree {base_url(device)}/ipxe ||\nexit 1\n"
    return texts


def reconcile(rack_ids: Collection[int] | None) -> int:
    """Make the boot files of whole racks (None: of all) match the database; give how many devices' had to change.

    Files of devices of other racks and of strangers are left alone: several racks may share a folder.
    """
    root = Path(settings.MOZPOOL_TFTP_ROOT)
    present = {folder: netboot.present_boot_files(root, folder) for folder in netboot.FOLDERS}
    booting = list(_booting(None if rack_ids is None else frozenset(rack_ids))())
    over = {mac for files in present.values() for mac in files} - {device.mac for device in booting}
    if over:
        booting += _of_racks(rack_ids).filter(mac__in=over)
    changed = 0
    for device in booting:
        try:
            texts = _texts(device)
            if any(present[folder].get(device.mac) != texts.get(folder) for folder in netboot.FOLDERS):
                # From the row as it is by now: another process may have moved the device and written the next file.
                changed += sync(device.pk)
        except (Misconfigured, OSError) as error:
            logger.warning("boot file of device %s is not as it should be: %s", device.pk, error)
    return changed


def _of_racks(rack_ids: Collection[int] | None) -> QuerySet[Device]:
    devices = Device.objects.select_related("rack", "netboot")
    return devices if rack_ids is None else devices.filter(rack_id__in=rack_ids)


_one = CompiledQuery(lambda: _of_racks(None).filter(pk=Parameter("device", Device._meta.pk)).order_by())


@lru_cache(maxsize=8)
def _booting(rack_ids: frozenset[int] | None) -> CompiledQuery[Device]:
    return CompiledQuery(lambda: _of_racks(rack_ids).filter(netboot__isnull=False).order_by())
