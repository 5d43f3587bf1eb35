"""Which device is best for a demand, and whose turn it is, as one sort: what searches along indexes must come to."""

from collections.abc import Iterable

from requests_app.matching import Demand, Offer, fits


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
