"""The legacy API's hardware: power off, ping, network boot, relay boards, boot configs. The contract is frozen.

A power cycle is in requests_app, for whoever holds a device may ask for it too.
"""

from django.http import HttpResponse
from django.urls import URLPattern

from bmm import services
from bmm.api.pending import Pending, in_a_thread, in_no_thread
from bmm.asking import controller_answered, device_answered
from bmm.models import Kind
from devices.listing import device_named
from devices.models import BootConfig, PowerController
from devices.names import SLUG
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, WRITE, Call, endpoint, with_and_without_slash
from mozpool_site.api.legacy import answer
from mozpool_site.errors import UnknownNameError


@endpoint(*WRITE, least=Role.OPERATOR, changes_by_get=True)
def power_off(call: Call, name: str) -> HttpResponse:
    """Take a device's power away. A GET that changes something is for old scripts on trusted networks only."""
    services.power_off(device_named(name).pk, by=call.caller.actor)
    return answer({})


@endpoint(*WRITE, least=Role.OPERATOR)
def clear_pxe(call: Call, name: str) -> HttpResponse:
    """Let a device boot from its own storage next."""
    services.clear_netboot(device_named(name).pk, by=call.caller.actor)
    return answer({})


@endpoint("GET", least=Role.OPERATOR)
def ping(call: Call, name: str) -> HttpResponse:
    """Have a device pinged from its rack, and wait for it."""
    device, by = device_named(name), call.caller.actor
    services.demand_few_open(by, (Kind.PING,))
    return Pending(services.ping(device.pk, by=by), device_answered)


@endpoint("GET", least=Role.OPERATOR)
def relay_test(call: Call, name: str) -> HttpResponse:
    """Have a relay board asked for its two-way test from its rack, and wait for it."""
    found = PowerController.objects.filter(name=name).first() if SLUG.fullmatch(name) else None
    if found is None:
        raise UnknownNameError(f"there is no relay board {name[:64]!r}", field="relay")
    asked = services.ask_controller(found.pk, Kind.TEST_CONTROLLER, by=call.caller.actor)
    return Pending(asked, controller_answered)


@endpoint(*READ, least=Role.OPERATOR)
def pxe_config_list(call: Call) -> HttpResponse:
    """Name the boot configs; with `?active_only` those in use."""
    configs = BootConfig.objects.order_by("name")
    if call.asks_for("active_only"):
        configs = configs.filter(active=True)
    return answer({"pxe_configs": list(configs.values_list("name", flat=True))})


@endpoint(*READ, least=Role.OPERATOR)
def pxe_config_details(call: Call, name: str) -> HttpResponse:
    """Give one boot config; its second stage is newer than this API."""
    config = boot_config_named(name)
    details = {
        "name": config.name,
        "description": config.description,
        "contents": config.contents,
        "active": config.active,
    }
    return answer({"details": details})


def boot_config_named(name: str) -> BootConfig:
    """Give the boot config of a name. Raises UnknownNameError, by the word that old clients know."""
    found = BootConfig.objects.filter(name=name).first() if SLUG.fullmatch(name) else None
    if found is None:
        raise UnknownNameError(f"there is no PXE config {name[:64]!r}", field="pxe_config")
    return found


urlpatterns = [
    *with_and_without_slash("device/<str:name>/power-off", power_off),
    *with_and_without_slash("device/<str:name>/clear-pxe", clear_pxe),
    *with_and_without_slash("device/<str:name>/ping", in_a_thread(ping)),
    *with_and_without_slash("relay/<str:name>/test", in_a_thread(relay_test)),
    *with_and_without_slash("bmm/pxe_config/list", pxe_config_list),
    *with_and_without_slash("bmm/pxe_config/<str:name>/details", pxe_config_details),
]
# The two that wait, where the server can (asgi.py).
waiting_urlpatterns: list[URLPattern] = [
    *with_and_without_slash("device/<str:name>/ping", in_no_thread(ping)),
    *with_and_without_slash("relay/<str:name>/test", in_no_thread(relay_test)),
]
