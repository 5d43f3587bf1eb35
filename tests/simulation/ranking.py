"""Which device is best for a demand, and whose turn it is, as one sort: what searches along indexes must come to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from requests_app.matching import Demand, suits
from requests_app.planning.pool import Kind


@dataclass(frozen=True)
class Offer:
    """A free device: ready, held by nobody, since `idle_since`."""

    device_id: int
    idle_since: datetime
    environment: str
    hardware_type_id: int
    image_id: int | None = None
    boot_config: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)


def fits(demand: Demand, offer: Offer) -> bool:
    """Whether a device can serve a request."""
    if demand.device_id is not None and demand.device_id != offer.device_id:
        return False
    return suits(demand, Kind(offer.environment, offer.hardware_type_id, offer.tags))


def has_image(demand: Demand, offer: Offer) -> bool:
    """Whether what is asked for is on the device already and may be used again."""
    return demand.reusable and demand.image_id == offer.image_id and demand.boot_config == offer.boot_config


def ranked(demand: Demand, offers: Iterable[Offer]) -> list[Offer]:
    """Give the devices that fit, best first: those with the image, then the longest idle."""
    fitting = [offer for offer in offers if fits(demand, offer)]
    return sorted(
        fitting, key=lambda offer: (not has_image(demand, offer), offer.idle_since, offer.device_id)
    )


def in_turn(demands: Iterable[Demand]) -> list[Demand]:
    """Give waiting requests in the order in which they are served."""
    return sorted(demands, key=lambda demand: (demand.turn, demand.request_id))
