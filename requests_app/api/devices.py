"""The legacy API's view of devices where it depends on who holds them: the list, and the next boot config."""

from collections.abc import Iterator, Mapping

from django.http import HttpResponse

from devices.listing import device_named
from devices.models import Device, Image, PowerController, Rack
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, Call, endpoint, with_and_without_slash
from mozpool_site.api.errors import JSON_TYPE
from mozpool_site.api.legacy import MASK, answer
from mozpool_site.errors import NotAllowedError
from requests_app.api.ownership import own_boot_configs, own_request_ids, shown

_COLUMNS = (
    "pk", "name", "fqdn", "inventory_id", "mac", "rack_id", "state", "comments", "image_id", "boot_config",
    "environment", "held_by", "power_controller_id", "outlet",
)  # fmt: skip
# What an address without a port means to a driver; old clients want to be told.
_DEFAULT_PORTS = {"proxr": ":2101"}


@endpoint(*READ, least=Role.VIEWER)
def listing(call: Call) -> HttpResponse:
    """List devices: names by name, or with `?details` what is known of each, by number."""
    if not call.asks_for("details"):
        return answer({"devices": list(Device.objects.order_by("name").values_list("name", flat=True))})
    sees_all = call.caller.may(Role.OPERATOR)
    own = {} if sees_all else own_boot_configs(call.caller)
    return answer({"devices": list(_entries(sees_all=sees_all, own=own))})


def _entries(*, sees_all: bool, own: Mapping[int, str]) -> Iterator[dict[str, object]]:
    """Read all devices. Racks, images and controllers are few: reading them apart is cheaper than a join for each."""
    # Devices first: whatever they point at is there when it is read, unless it went away in between.
    rows = list(Device.objects.order_by("pk").values_list(*_COLUMNS))
    servers = dict(Rack.objects.order_by().values_list("pk", "imaging_server"))
    images = dict(Image.objects.order_by().values_list("pk", "name"))
    controllers = PowerController.objects.order_by().values_list("pk", "address", "driver")
    boards = {pk: (address, driver) for pk, address, driver in controllers}
    for (
        pk, name, fqdn, inventory_id, mac, rack, state, comments, image, boot_config, environment, holder, board, outlet
    ) in rows:  # fmt: skip
        address, driver = boards.get(board, (None, None))
        yield {
            "id": pk,
            "name": name,
            "fqdn": fqdn,
            "inventory_id": inventory_id,
            "mac_address": mac,
            "imaging_server": servers.get(rack, ""),
            "relay_info": _relay_info(address, driver, outlet),
            "state": state,
            "comments": comments,
            "image": images.get(image),
            "boot_config": boot_config
            if sees_all
            else shown(boot_config, allowed=own.get(holder or 0) == boot_config),
            "environment": environment,
            "request_id": holder,
        }


@endpoint(*READ, least=Role.VIEWER, for_devices=True)
def boot_config(call: Call, name: str) -> HttpResponse:
    """Give the next image's boot config, raw: to operators, to the device itself, and to whoever holds it."""
    device = device_named(name)
    next_config = device.next_boot_config or "{}"
    caller = call.caller
    allowed = caller.may(Role.OPERATOR) or caller.is_at(device.address)
    if not allowed and (
        caller.by_device
        or (shown(next_config, allowed=False) == MASK and device.held_by not in own_request_ids(caller))
    ):
        raise NotAllowedError(f"the boot config of {name} is for itself, its holder, and operators")
    return HttpResponse(next_config, content_type=JSON_TYPE)


def _relay_info(address: str | None, driver: str | None, outlet: str) -> str:
    """Write `host:port:bank1:relay1`; nothing for a device without a power controller."""
    if not address:
        return ""
    port = "" if ":" in address else _DEFAULT_PORTS.get(driver or "", "")
    return f"{address}{port}:{outlet}"


urlpatterns = [
    *with_and_without_slash("device/list", listing),
    *with_and_without_slash("device/<str:name>/bootconfig", boot_config),
]
