"""A booting device's own calls, below /boot/NAME/TOKEN/: it says how far it is, and asks what to do.

The token was put into its boot file, and dies with the boot that the file was written for. What a loader finds without
one, from DHCP, only sends it to its boot file: who knows a MAC address learns nothing here.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.urls import re_path

from bmm import bootfiles, loaders, netboot
from bmm.errors import Misconfigured
from devices.listing import device_named
from devices.models import BootConfig, Device
from lifeguard import device_log, services
from lifeguard.api.events import hear
from lifeguard.effects import boot_config_for
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, WRITE, Call, endpoint, with_and_without_slash
from mozpool_site.api.errors import JSON_TYPE
from mozpool_site.api.legacy import answer
from mozpool_site.errors import ConflictError, InvalidInputError, NotAllowedError, UnknownNameError
from mozpool_site.statemachine.runner import Actor

_MAC = re.compile(r"[0-9a-f]{2}(?:[:-]?[0-9a-f]{2}){5}")
_SCRIPT_TYPE = "text/plain; charset=utf-8"
# Where DHCP has named no TFTP server, as in UEFI's HTTP boot, ours is taken to be on this host.
_IPXE = """#!ipxe
isset ${{next-server}} || set next-server {host}
chain --autofree tftp://${{next-server}}/ipxe/{file} ||
exit 1
"""
_GRUB = """if [ -z "$net_default_server" ]; then set net_default_server={host}; fi
configfile (tftp,$net_default_server)/grub/{file}
{disk}"""


@endpoint(*WRITE, least=Role.NOBODY)
def event(call: Call, name: str, token: str, event: str) -> HttpResponse:
    """Tell Lifeguard what the device says. One that comes twice, or too late to matter, is answered alike."""
    device = _caller(name, token)
    hear(device, event, token=token, by=Actor(device.name, "api"))
    return answer({})


@endpoint(*READ, least=Role.NOBODY)
def second_stage(call: Call, name: str, token: str) -> HttpResponse:
    """Give the script that the live image runs next."""
    device = _caller(name, token, "rack", "netboot")
    # The first event of the live image switches netboot off; what it booted is what its next image asks for.
    boot_config = device.netboot or _boot_config_of_next_image(device)
    if boot_config is None:
        raise NotAllowedError(f"this boot of {device.name} is over", field="token")
    if not boot_config.second_stage:
        raise UnknownNameError(f"boot config {boot_config.name} has no second stage", field="boot_config")
    # Browsers' forms send CRLF, which no shell takes.
    script = _filled_in(boot_config.second_stage.replace("\r\n", "\n"), device)
    return HttpResponse(script, content_type="text/x-shellscript; charset=utf-8")


@endpoint(*READ, least=Role.NOBODY)
def config(call: Call, name: str, token: str) -> HttpResponse:
    """Give the values that the image being installed was asked for with; `{}` when none is."""
    return HttpResponse(_caller(name, token).next_boot_config or "{}", content_type=JSON_TYPE)


@endpoint(*WRITE, least=Role.NOBODY)
def log(call: Call, name: str, token: str) -> HttpResponse:
    """Write what the device tells, the text `message`, into its journal."""
    return answer({"lines": device_log.take(_caller(name, token), call.body.get("message"))})


@endpoint(*READ, least=Role.NOBODY)
def ipxe(call: Call, name: str, token: str) -> HttpResponse:
    """Give the boot config as an iPXE script; one that leads on to the disk when the device shall boot that."""
    return _script(name, token, loaders.ipxe, loaders.IPXE_DISK)


@endpoint(*READ, least=Role.NOBODY)
def grub(call: Call, name: str, token: str) -> HttpResponse:
    """Give the boot config as a GRUB config; one that leads on to the disk when the device shall boot that."""
    return _script(name, token, loaders.grub, loaders.GRUB_DISK)


@endpoint(*READ, least=Role.NOBODY)
def check(call: Call, token: str) -> HttpResponse:
    """Say whether tokens that another host signs are known here; `check_rack` asks on its boards' way."""
    if not netboot.token_matches(settings.MOZPOOL_BOOT_KEYS, "", 0, token):
        raise NotAllowedError("the token was signed with another key", field="token")
    return answer({"status": "ok"})


@endpoint(*READ, least=Role.NOBODY)
def ipxe_entry(call: Call) -> HttpResponse:
    """Give the script that DHCP names to every iPXE; alike for every MAC, known or not."""
    mac = call.request.GET.get("mac", "").lower()
    if mac and not _MAC.fullmatch(mac):
        raise InvalidInputError("a MAC address such as 02:00:7f:00:00:01 expected", field="mac")
    # Without one, iPXE puts in that of the card it has booted from.
    file = netboot.boot_file_name(re.sub("[:-]", "", mac)) if mac else "01-${netX/mac:hexhyp}"
    return _entry(_IPXE, file)


@endpoint(*READ, least=Role.NOBODY)
def grub_entry(call: Call, file: str) -> HttpResponse:
    """Give what GRUB, loaded by HTTP from below /boot/grub/, asks for first; alike for every MAC, known or not."""
    return _entry(_GRUB, file)


def _entry(text: str, file: str) -> HttpResponse:
    host = urlsplit(settings.MOZPOOL_BASE_URL).hostname
    return HttpResponse(text.format(host=host, file=file, disk=loaders.GRUB_DISK), content_type=_SCRIPT_TYPE)


def _script(name: str, token: str, write: Callable[[loaders.Entry, str], str], disk: str) -> HttpResponse:
    device = _caller(name, token, "rack", "netboot")
    if device.netboot is None:
        return HttpResponse(disk, content_type=_SCRIPT_TYPE)
    try:
        script = write(loaders.read(bootfiles.pxelinux_text(device)), device.rack.address)
    except Misconfigured as error:
        raise ConflictError(str(error), field="boot_config") from error
    except loaders.NotUnderstoodError as error:
        raise ConflictError(f"boot config {device.netboot.name}: {error}", field="boot_config") from error
    return HttpResponse(script, content_type=_SCRIPT_TYPE)


def _filled_in(text: str, device: Device) -> str:
    try:
        return bootfiles.fill_in(text, device)
    except Misconfigured as error:
        raise ConflictError(str(error), field="boot_config") from error


def _boot_config_of_next_image(device: Device) -> BootConfig | None:
    found = boot_config_for(device)
    return None if found is None else BootConfig.objects.filter(pk=found).first()


def _caller(name: str, token: str, *related: str) -> Device:
    """Give the device that a token belongs to; a wrong name is told like a wrong token, so that none can be guessed."""
    try:
        device = device_named(name, *related)
        services.check_token(device, token)
    except (UnknownNameError, NotAllowedError) as error:
        raise NotAllowedError("the token is not that of a present boot", field="token") from error
    return device


urlpatterns = [
    *with_and_without_slash("<str:name>/<str:token>/event/<str:event>", event),
    *with_and_without_slash("<str:name>/<str:token>/second-stage", second_stage),
    *with_and_without_slash("<str:name>/<str:token>/config", config),
    *with_and_without_slash("<str:name>/<str:token>/log", log),
    *with_and_without_slash("<str:name>/<str:token>/ipxe", ipxe),
    *with_and_without_slash("<str:name>/<str:token>/grub.cfg", grub),
    *with_and_without_slash("check/<str:token>", check),
    *with_and_without_slash("ipxe", ipxe_entry),
    re_path(r"^grub/grub\.cfg-(?P<file>01(?:-[0-9a-f]{2}){6})\Z", grub_entry),
]
