"""Whose request is it, and who may read the boot config that it was filed with."""

from django.db.models import Q

from mozpool_site.api.access import LEGACY, Caller, Role
from mozpool_site.api.legacy import MASK
from mozpool_site.errors import NotAllowedError
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
    if not caller.may(Role.REQUESTER):
        return frozenset()
    whose = Q(owner__startswith=LEGACY) if caller.by_network else Q(owner=caller.name)
    return frozenset(Request.objects.filter(whose, ended=None).values_list("pk", flat=True))
