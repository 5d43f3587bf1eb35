"""Device events as boot scripts and old clients send them, without a token. The contract is frozen."""

from django.http import HttpResponse

from devices.listing import device_named
from lifeguard.api.events import hear
from mozpool_site.api import errors
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import WRITE, Call, endpoint, with_and_without_slash
from mozpool_site.api.legacy import answer
from mozpool_site.errors import NotAllowedError


@endpoint("GET", *WRITE, least=Role.REQUESTER)
def event(call: Call, name: str, event: str) -> HttpResponse:
    """Tell Lifeguard what a device says: by operators, or by the device at its own address.

    A GET that changes something is for old boot scripts on trusted networks only.
    """
    if call.method == "GET" and not call.caller.by_network:
        return errors.wrong_method(WRITE)
    device = device_named(name)
    if not (call.caller.may(Role.OPERATOR) or call.caller.is_at(device.address)):
        raise NotAllowedError(f"events of {device.name} come from itself or from an operator")
    hear(device, event, token=None, by=call.caller.actor)
    return answer({})


urlpatterns = with_and_without_slash("device/<str:name>/event/<str:event>", event)
