"""What no device could ever meet, and how it is said."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from requests_app.matching import Demand
from requests_app.planning.availability import Reason, Stock
from requests_app.planning.impossible import Asked, Impossible, impossible
from requests_app.planning.pool import Kind

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PANDA, TEGRA = 1, 2
DEMAND = Demand(7, NOON, image_id=3, boot_config="{}", reusable=True, hardware=frozenset({PANDA}))
ASKED = Asked("b2g", frozenset({PANDA}), {PANDA: "panda/es", TEGRA: "tegra/250"})
GPU = frozenset({"gpu"})


def pool(*kinds: Kind, found: Reason = Reason.IN_USE) -> Stock:
    return {kind: Counter({found: 2}) for kind in kinds}


MIXED = pool(Kind("prod", PANDA, GPU), Kind("prod", TEGRA), Kind("staging", TEGRA, frozenset({"usb"})))
STORIES = {
    "a device that is in use now": (DEMAND, ASKED, MIXED, None),
    "an image for no hardware": (
        replace(DEMAND, hardware=frozenset()),
        replace(ASKED, installable=frozenset()),
        MIXED,
        Impossible("image b2g has no active boot config for any hardware", "image"),
    ),
    "hardware that the image is not for": (
        replace(DEMAND, hardware=frozenset()),
        replace(ASKED, hardware=TEGRA),
        MIXED,
        Impossible("image b2g has no active boot config for tegra/250; it has for panda/es", "hardware"),
    ),
    "an empty pool": (DEMAND, ASKED, {}, Impossible("the pool has no devices yet", "device")),
    "an unknown environment": (
        replace(DEMAND, environment="nosuch"),
        ASKED,
        MIXED,
        Impossible("no device is of environment nosuch; there are: prod, staging", "environment"),
    ),
    "a tag that only another environment has": (
        replace(DEMAND, environment="staging", tags=GPU),
        ASKED,
        MIXED,
        Impossible("no device of environment staging has the tags gpu together; tags there: usb", "tags"),
    ),
    "tags whose devices have the wrong hardware": (
        replace(DEMAND, tags=frozenset({"usb"})),
        ASKED,
        MIXED,
        Impossible(
            "none of the devices with the tags usb has hardware that will do (panda/es); they have tegra/250",
            "image",
        ),
    ),
    "devices that are all locked out": (
        DEMAND,
        ASKED,
        pool(Kind("prod", PANDA), found=Reason.LOCKED_OUT),
        Impossible("no device that fits is in the pool any more: 2 locked out", "device"),
    ),
    "devices that are all out of order": (
        DEMAND,
        ASKED,
        pool(Kind("prod", PANDA), found=Reason.OUT_OF_ORDER),
        None,
    ),
    "a device of another environment": (
        replace(DEMAND, device_id=40, environment="prod"),
        replace(ASKED, device="panda-1", kind=Kind("staging", PANDA)),
        {},
        Impossible("device panda-1 is of environment staging, not prod", "environment"),
    ),
    "a device that the image can not be put on": (
        replace(DEMAND, device_id=40),
        replace(ASKED, device="tegra-1", kind=Kind("prod", TEGRA)),
        {},
        Impossible("image b2g has no active boot config for tegra/250, the hardware of tegra-1", "image"),
    ),
    "a device of other hardware than asked for": (
        replace(DEMAND, device_id=40),
        replace(ASKED, hardware=PANDA, device="tegra-1", kind=Kind("prod", TEGRA)),
        {},
        Impossible("device tegra-1 is tegra/250, not panda/es", "hardware"),
    ),
    "a device that has it all": (
        replace(DEMAND, device_id=40, tags=GPU),
        replace(ASKED, device="panda-1", kind=Kind("prod", PANDA, GPU)),
        {},
        None,
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_asking_for(story: str) -> None:
    demand, asked, stock, expected = STORIES[story]
    assert impossible(demand, asked, stock) == expected


def test_long_lists_are_cut() -> None:
    stock = pool(*(Kind(f"e{number}", PANDA) for number in range(10)))
    found = impossible(replace(DEMAND, environment="nosuch"), ASKED, stock)
    assert found is not None
    assert found.detail.endswith("there are: e0, e1, e2, e3, e4, e5, e6, e7 and 2 more")
