"""A booting device's own calls, below /boot/NAME/TOKEN/: it says how far it is, and asks what to do.

The token was put into its boot file, and dies with the boot that the file was written for.
"""

from django.http import HttpResponse

from bmm import bootfiles
from devices.listing import device_named
from devices.models import BootConfig, Device
from lifeguard import services
from lifeguard.api.events import hear
from lifeguard.effects import boot_config_for
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, WRITE, Call, endpoint, with_and_without_slash
from mozpool_site.api.errors import JSON_TYPE
from mozpool_site.api.legacy import answer
from mozpool_site.errors import NotAllowedError, UnknownNameError
from mozpool_site.statemachine.runner import Actor


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
    script = bootfiles.fill_in(boot_config.second_stage.replace("\r\n", "\n"), device)
    return HttpResponse(script, content_type="text/x-shellscript; charset=utf-8")


@endpoint(*READ, least=Role.NOBODY)
def config(call: Call, name: str, token: str) -> HttpResponse:
    """Give the values that the image being installed was asked for with; `{}` when none is."""
    return HttpResponse(_caller(name, token).next_boot_config or "{}", content_type=JSON_TYPE)


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
]
