"""What a given device would read of a boot config at its next boot, for each boot loader; its secret token left out."""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from bmm import bootfiles, loaders, netboot
from bmm.errors import Misconfigured
from devices.models import BootConfig, Device

HIDDEN_TOKEN = "<token>"  # noqa: S105 - stands where the token was


@dataclass(frozen=True)
class Reading:
    """What one reader is given: `text`, or `problem`, which says why it can be told nothing. `where` is its address."""

    reader: str
    where: str
    text: str = ""
    problem: str = ""


def filled_in(text: str, boot_config: BootConfig, device: Device) -> str:
    """Fill a boot config's text in as the device's next boot will read it, but for its token. Raises Misconfigured.

    The device must come with its rack.
    """
    return _filled_in(text, _booting(boot_config, device))


def readings(boot_config: BootConfig, device: Device) -> list[Reading]:
    """Render a boot config, stored or not, as each loader would read it at the device's next boot; writes nothing.

    The device must come with its rack. Placeholders are filled in as they would be then, but for the token, which
    is shown as `<token>`.
    """
    booting = _booting(boot_config, device)
    file = netboot.boot_file_name(device.mac)
    web = _hidden(bootfiles.base_url(booting), booting)

    def plain() -> str:
        return _hidden(bootfiles.pxelinux_text(booting), booting)

    def scripted(write: Callable[[loaders.Entry, str], str]) -> Callable[[], str]:
        return lambda: write(loaders.read(plain()), device.rack.address)

    def second_stage() -> str:
        return _filled_in(boot_config.second_stage, booting)

    return [
        _reading("PXELINUX and U-Boot", f"TFTP: {netboot.PXELINUX}/{file}", plain),
        _reading("iPXE", f"{web}/ipxe", scripted(loaders.ipxe)),
        _reading("GRUB", f"{web}/grub.cfg", scripted(loaders.grub)),
        _reading("The live image, as its second stage", f"{web}/second-stage", second_stage),
    ]


def not_understood(boot_config: BootConfig) -> list[str]:
    """Say which of the loaders that this pool serves could not be told a boot config, and why; a sentence each."""
    found = bootfiles.not_understood(boot_config.contents, "192.0.2.1")
    return [f"{name} cannot be told this boot config: {error}" for name, error in found.items()]


def _booting(boot_config: BootConfig, device: Device) -> Device:
    """Give the device as it will be when it boots by this: a row of its own, which nobody stores."""
    return Device(
        name=device.name, mac=device.mac, rack=device.rack, netboot=boot_config, boot_seq=device.boot_seq + 1
    )


def _reading(reader: str, where: str, render: Callable[[], str]) -> Reading:
    try:
        return Reading(reader, where, text=render())
    except (Misconfigured, loaders.NotUnderstoodError) as error:
        return Reading(reader, where, problem=str(error))


def _filled_in(text: str, device: Device) -> str:
    # Browsers' forms send CRLF; the boot calls take it out, too.
    return _hidden(bootfiles.fill_in(text.replace("\r\n", "\n"), device), device)


def _hidden(text: str, device: Device) -> str:
    token = netboot.boot_token(settings.MOZPOOL_BOOT_KEYS[0], device.name, device.boot_seq)
    return text.replace(token, HIDDEN_TOKEN)
