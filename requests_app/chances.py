"""Turns away a request that nothing could ever meet, with the reason; asked only when no free device was found."""

from datetime import datetime

from devices.models import HardwareType, ImageBootConfig
from mozpool_site.errors import ImpossibleError
from requests_app.claims import demands_of
from requests_app.impossible import Asked, reason
from requests_app.models import Request
from requests_app.planning.pool import Kind
from requests_app.stock import stock


def demand_possible(request: Request, now: datetime) -> None:
    """Raise ImpossibleError unless some device may meet the request some day.

    What is remembered of the pool may let one pass that is impossible since a moment ago, but turns nobody away.
    """
    (demand,) = demands_of([request])
    asked = _asked(request)
    if reason(demand, asked, stock.get(now)) is None:
        return
    found = reason(demand, asked, stock.anew(now))
    if found is not None:
        raise ImpossibleError(found.detail, field=found.field)


def _asked(request: Request) -> Asked:
    matrix = ImageBootConfig.objects.filter(image=request.image_id, boot_config__active=True)
    device = request.requested_device
    return Asked(
        image=request.image.name,
        installable=frozenset(matrix.values_list("hardware_type_id", flat=True)),
        hardware_names={type_.pk: f"{type_.kind}/{type_.model}" for type_ in HardwareType.objects.order_by()},
        hardware=request.hardware_id,
        device=device.name if device else None,
        kind=Kind(device.environment, device.hardware_type_id, frozenset(device.tags)) if device else None,
    )
