"""Boot files follow the database: a device's row says what its next boot reads, the TFTP folder is made to match."""

import logging
from collections.abc import Collection
from pathlib import Path

from django.conf import settings

from bmm import loaders, netboot
from bmm.errors import Misconfigured
from devices.models import Device

logger = logging.getLogger(__name__)


def base_url(device: Device) -> str:
    """Give the URL below which this device, in its present boot, finds its own calls. No slash at the end."""
    token = netboot.boot_token(settings.MOZPOOL_BOOT_KEYS[0], device.name, device.boot_seq)
    return f"{_web(device)}/boot/{device.name}/{token}"


def fill_in(text: str, device: Device) -> str:
    """Fill a boot config's placeholders in for a device; raises Misconfigured where a value can't be used."""
    values = {
        "IPADDRESS": device.rack.address,
        "TOKEN": netboot.boot_token(settings.MOZPOOL_BOOT_KEYS[0], device.name, device.boot_seq),
        "DEVICE": device.name,
        "BASEURL": _web(device),
    }
    try:
        return netboot.substitute(text, values)
    except ValueError as error:
        raise Misconfigured(f"boot config {device.netboot} for {device.name}: {error}") from error


def sync(device_id: int) -> bool:
    """Make one device's boot files match its row as it is now; True when something changed.

    Raises Misconfigured where no file can be made of the row, OSError where the folder can't be written.
    """
    device = Device.objects.select_related("rack", "netboot").get(pk=device_id)
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


def _texts(device: Device) -> dict[str, str]:
    """Give what each loader's boot file says, by its folder; nothing when the device boots from its own storage."""
    if device.netboot is None:
        return {}
    text = fill_in(device.netboot.contents, device)
    texts = {netboot.PXELINUX: text}
    if netboot.IPXE in settings.MOZPOOL_BOOT_LOADERS:
        # The script itself comes from the web process; the way to it is told to the rack's network only.
        texts[netboot.IPXE] = f"#!ipxe\nchain --autofree {base_url(device)}/ipxe ||\nexit\n"
    if netboot.GRUB in settings.MOZPOOL_BOOT_LOADERS:
        # As a whole: GRUB before 2.12 fetches nothing by HTTP from a port other than 80.
        texts[netboot.GRUB] = loaders.grub(loaders.read(text), device.rack.address)
    return texts


def reconcile(rack_ids: Collection[int] | None) -> int:
    """Make the boot files of whole racks (None: of all) match the database; give how many devices' had to change.

    Files of devices of other racks and of strangers are left alone: several racks may share a folder.
    """
    root = Path(settings.MOZPOOL_TFTP_ROOT)
    present = {mac for folder in netboot.FOLDERS for mac in netboot.present_boot_files(root, folder)}
    devices = Device.objects.all() if rack_ids is None else Device.objects.filter(rack_id__in=rack_ids)
    wanted = set(devices.filter(netboot__isnull=False).values_list("pk", flat=True))
    on_disk = set(devices.filter(mac__in=present).values_list("pk", flat=True)) if present else set()
    changed = 0
    for device_id in wanted | on_disk:
        try:
            changed += sync(device_id)
        except (Misconfigured, OSError) as error:
            logger.warning("boot file of device %s is not as it should be: %s", device_id, error)
    return changed


def _web(device: Device) -> str:
    return device.rack.base_url.rstrip("/") or str(settings.MOZPOOL_BASE_URL)
