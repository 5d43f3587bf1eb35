"""Device events as boot scripts and old clients send them, without a token; forced states. The contract is frozen."""

import re

from django.http import HttpResponse

from devices.listing import device_named
from lifeguard import services
from lifeguard.api.events import hear
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import WRITE, Call, endpoint, with_and_without_slash
from mozpool_site.api.legacy import answer
from mozpool_site.api.values import text
from mozpool_site.errors import InvalidInputError, NotAllowedError

_STATE = re.compile(r"[a-z0-9_]{1,64}")
_LONGEST_REASON = 300
_NO_REASON = "no reason given (legacy API)"


@endpoint(*WRITE, least=Role.REQUESTER, changes_by_get=True, for_devices=True)
def event(call: Call, name: str, event: str) -> HttpResponse:
    """Tell Lifeguard what a device says: by operators, or by the device at its own address.

    A GET that changes something is for old boot scripts on trusted networks only.
    """
    device = device_named(name)
    if not (call.caller.may(Role.OPERATOR) or call.caller.is_at(device.address)):
        raise NotAllowedError(f"events of {device.name} come from itself or from an operator")
    hear(device, event, token=None, by=call.caller.actor)
    return answer({})


@endpoint(*WRITE, least=Role.OPERATOR)
def state_change(call: Call, name: str, old: str, new: str) -> HttpResponse:
    """Force a device from one state into another; 409 when it is not in the old one.

    Old clients give no reason; `reason` in the body goes into the device's journal.
    """
    device = device_named(name)
    for field, state in (("old", old), ("new", new)):
        if not _STATE.fullmatch(state):
            raise InvalidInputError(f"{field}: the name of a state expected", field=field)
    reason = text(call.body, "reason", _LONGEST_REASON) if "reason" in call.body else _NO_REASON
    services.force_state(device.pk, old, new, by=call.caller.actor, reason=reason)
    return answer({})


urlpatterns = [
    *with_and_without_slash("device/<str:name>/event/<str:event>", event),
    *with_and_without_slash("device/<str:name>/state-change/<str:old>/to/<str:new>", state_change),
]
