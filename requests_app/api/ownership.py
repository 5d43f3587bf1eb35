"""Whose request is it, and who may read the boot config that it was filed with."""

from collections.abc import Iterable, Mapping

from django.db.models import Q, QuerySet

from devices.models import BootConfig, Device, Image
from mozpool_site.api.access import LEGACY, Caller, Role
from mozpool_site.api.legacy import MASK
from mozpool_site.errors import InvalidInputError, NotAllowedError
from requests_app.models import Request

# These tell nothing.
_EMPTY = ("", "{}")


def owns(caller: Caller, owner: str) -> bool:
    """Whether the caller may treat a request filed by `owner` as theirs; operators may with every one."""
    return caller.may(Role.OPERATOR) or (caller.may(Role.REQUESTER) and caller.owns(owner))


def demand_ownership(caller: Caller, request: Request) -> None:
    """Raise NotAllowedError unless the request is the caller's."""
    if not owns(caller, request.owner):
        raise NotAllowedError(f"request {request.pk} belongs to {request.owner or 'nobody'}", field="request")


def shown(boot_config: str, *, allowed: bool) -> str:
    """Give a boot config as the caller sees it."""
    return boot_config if allowed or boot_config in _EMPTY else MASK


def own_request_ids(caller: Caller) -> frozenset[int]:
    """Give the ids of the caller's live requests; the devices that they hold are the caller's for a time."""
    return frozenset(_own_requests(caller).values_list("pk", flat=True))


def demand_holder(caller: Caller, device: Device) -> int | None:
    """Raise NotAllowedError unless the caller is an operator, or holds the device: then give the request that does.

    Whoever acts on the device later, under its lock, asks whether that request still has it.
    """
    if caller.may(Role.OPERATOR):
        return None
    if device.held_by is None or device.held_by not in own_request_ids(caller):
        raise NotAllowedError(
            f"a power cycle of {device.name} is for its holder and for operators", field="device"
        )
    return device.held_by


def demand_own_netboot(
    request_id: int | None, device: Device, netboot: BootConfig, keys: Iterable[str]
) -> None:
    """Raise unless a holder's boot from the network brings what their request asked for; operators have none.

    NotAllowedError where another boot config is meant, for it may let them in where they do not belong;
    InvalidInputError where a value is given that the image does not take: the boot config may have fixed it.
    """
    if request_id is None:
        return
    image = Image.objects.get(requests=request_id)
    if image.installers.get(device.hardware_type_id) != netboot.pk:
        raise NotAllowedError(
            f"{netboot.name} is not the boot config of image {image.name} on {device.name}, which is all that"
            f" request {request_id} may boot there",
            field="boot_config",
        )
    if others := sorted(set(keys) - set(image.boot_config_keys)):
        raise InvalidInputError(f"image {image.name} takes no value {others[0]!r}", field="boot_config")


def own_boot_configs(caller: Caller) -> Mapping[int, str]:
    """Give the boot configs of the caller's live requests, by their ids: what they may read on a device.

    Until its own is installed, a device has that of whoever held it before.
    """
    return dict(_own_requests(caller).values_list("pk", "boot_config"))


def _own_requests(caller: Caller) -> QuerySet[Request]:
    if not caller.may(Role.REQUESTER):
        return Request.objects.none()
    whose = Q(owner__startswith=LEGACY) if caller.by_network else Q(owner=caller.name)
    return Request.objects.filter(whose, ended=None)
