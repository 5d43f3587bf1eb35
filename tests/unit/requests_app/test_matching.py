"""Who gets which device: what fits, what is best, whose turn it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requests_app.matching import (
    HIGHEST_PRIORITY,
    LOWEST_PRIORITY,
    Demand,
    suits,
    turn,
    wish_number,
)
from requests_app.planning.pool import ANY, Kind

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEMAND = Demand(7, NOON, image_id=3, boot_config="{}", reusable=True, hardware=frozenset({1}))
KIND = Kind("prod", 1, frozenset())


SUITING = {
    "any device of the hardware": (DEMAND, KIND, True),
    "hardware that the image can not be put on": (DEMAND, replace(KIND, hardware_type_id=2), False),
    "its environment": (replace(DEMAND, environment="prod"), KIND, True),
    "another environment": (replace(DEMAND, environment="staging"), KIND, False),
    "no matter which environment": (replace(DEMAND, environment=ANY), KIND, True),
    "all of its tags": (
        replace(DEMAND, tags=frozenset({"gpu"})),
        replace(KIND, tags=frozenset({"gpu", "old"})),
        True,
    ),
    "a missing tag": (
        replace(DEMAND, tags=frozenset({"gpu", "new"})),
        replace(KIND, tags=frozenset({"gpu"})),
        False,
    ),
    "a named device of another environment": (
        replace(DEMAND, device_id=40, environment="staging"),
        KIND,
        False,
    ),
}


@pytest.mark.parametrize("story", SUITING)
def test_a_request_may_or_may_not_have(story: str) -> None:
    demand, kind, expected = SUITING[story]
    assert suits(demand, kind) is expected


def filed(number: int, seconds: float, priority: int = 0) -> Demand:
    return replace(DEMAND, request_id=number, turn=turn(NOON + timedelta(seconds=seconds), priority))


def in_turn(demands: list[Demand]) -> list[Demand]:
    """Return demands in the order in which they are served."""
    return sorted(demands, key=lambda demand: (demand.turn, demand.request_id))


def test_of_those_who_come_together_the_urgent_go_first_and_within_a_priority_the_oldest() -> None:
    demands = [filed(1, 0), filed(2, 1, 5), filed(3, 2), filed(4, 3, 5), filed(5, 4, -1)]
    assert [demand.request_id for demand in in_turn(demands)] == [2, 4, 1, 3, 5]


def test_a_point_of_priority_counts_like_half_a_minute_of_waiting() -> None:
    assert [demand.request_id for demand in in_turn([filed(1, 0), filed(2, 29, 1)])] == [2, 1]
    assert [demand.request_id for demand in in_turn([filed(1, 0), filed(2, 31, 1)])] == [1, 2]


@given(
    st.integers(LOWEST_PRIORITY, HIGHEST_PRIORITY),
    st.lists(st.tuples(st.floats(600.001, 10_000), st.integers(LOWEST_PRIORITY, HIGHEST_PRIORITY))),
)
def test_after_ten_minutes_nobody_who_comes_later_is_served_first_however_urgent(
    priority: int, later: list[tuple[float, int]]
) -> None:
    waiting = filed(1, 0, priority)
    others = [filed(number, seconds, urgent) for number, (seconds, urgent) in enumerate(later, 2)]
    assert in_turn([*others, waiting])[0] == waiting


WISH: dict[str, Any] = {
    "image_id": 3, "environment": ANY, "hardware_id": None, "tags": ("gpu", "usb"), "device_id": None,
}  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        {"image_id": 4},
        {"environment": "prod"},
        {"hardware_id": 1},
        {"tags": ("gpu",)},
        {"tags": ("gpu usb",)},
        {"tags": ()},
        {"device_id": 40},
    ],
)
def test_what_other_devices_can_serve_has_another_number(other: dict[str, Any]) -> None:
    assert wish_number(**{**WISH, **other}) != wish_number(**WISH)


@given(
    st.permutations(["gpu", "usb", "näve", "5.0"]),
    st.integers(1, 10**9),
    st.one_of(st.none(), st.integers(1, 10**9)),
)
def test_the_number_of_a_wish_is_above_zero_fits_its_column_and_knows_no_order_of_tags(
    tags: list[str], image: int, hardware: int | None
) -> None:
    wish = {**WISH, "image_id": image, "hardware_id": hardware}
    number = wish_number(**{**wish, "tags": tags})
    assert number == wish_number(**{**wish, "tags": sorted(tags)})
    assert 0 < number < 2**63


@given(st.integers(1, 2**63 - 1))
def test_those_who_name_one_device_have_its_number_below_zero_whatever_else_they_want(device: int) -> None:
    numbers = {wish_number(**{**WISH, "device_id": device, "image_id": image}) for image in (3, 4)}
    assert numbers == {-device}


def test_the_number_of_a_wish_is_the_one_that_is_stored() -> None:
    """Rows keep it: another way to reckon needs a migration."""
    assert wish_number(**WISH) == 9166416112978051444
