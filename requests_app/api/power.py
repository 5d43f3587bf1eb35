"""The legacy API's power cycle: for operators, and for whoever holds the device. The contract is frozen."""

import json

from django.http import HttpResponse

from bmm import services
from bmm.api.legacy import boot_config_named
from devices.listing import device_named
from devices.models import BootConfig
from devices.names import SLUG
from mozpool_site.api import bodies
from mozpool_site.api.access import Role
from mozpool_site.api.bodies import Body
from mozpool_site.api.endpoint import WRITE, Call, endpoint, with_and_without_slash
from mozpool_site.api.legacy import answer
from mozpool_site.api.values import build_value, text
from mozpool_site.errors import InvalidInputError
from requests_app.api.ownership import demand_holder, demand_own_netboot

_LONGEST_NAME = 64
# Images ask for one or two values.
_MOST_VALUES = 32


@endpoint(*WRITE, least=Role.REQUESTER)
def power_cycle(call: Call, name: str) -> HttpResponse:
    """Cycle a device's power: into the network with `pxe_config`, else into its own storage.

    `boot_config` is what the booting device is told of its image; without `pxe_config` nobody would ask for it.
    Other keys are left alone: old clients send who they are, and for how long.
    """
    device = device_named(name)
    caller = call.caller
    held_by = demand_holder(caller, device)
    boot_config = _boot_config(call.body)
    values: dict[str, object] = {}
    if boot_config:
        values = _values(call.body)
        demand_own_netboot(held_by, device, boot_config, values)
    services.power_cycle(
        device.pk,
        by=caller.actor,
        boot_config=boot_config,
        boot_config_values=json.dumps(values, sort_keys=True),
        held_by=held_by,
    )
    return answer({})


def _boot_config(body: Body) -> BootConfig | None:
    if body.get("pxe_config") is None:
        return None
    found = boot_config_named(text(body, "pxe_config", _LONGEST_NAME))
    if not found.active:
        raise InvalidInputError(f"PXE config {found.name} is not active", field="pxe_config")
    return found


def _values(body: Body) -> dict[str, object]:
    """Read `boot_config`: a JSON object, which old clients send as text."""
    given = body.get("boot_config")
    if isinstance(given, str):
        try:
            given = bodies.parse(given.encode())
        except InvalidInputError as error:
            raise InvalidInputError(f"boot_config, as text: {error.detail}", field="boot_config") from error
    if given is None:
        given = {}
    if not isinstance(given, dict) or not all(SLUG.fullmatch(key) for key in given):
        raise InvalidInputError(
            "boot_config: an object with plain names expected, or its text", field="boot_config"
        )
    if len(given) > _MOST_VALUES:
        raise InvalidInputError(f"boot_config: at most {_MOST_VALUES} values", field="boot_config")
    return {key: build_value(given, key) for key in given}


urlpatterns = with_and_without_slash("device/<str:name>/power-cycle", power_cycle)
