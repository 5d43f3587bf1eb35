"""Reasons and estimates of who waits, from counts and medians."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from requests_app.matching import competes
from requests_app.memory import Memory
from requests_app.planning.availability import Reason
from requests_app.planning.pool import Kind, Wish
from requests_app.waiting.queue import Queue
from requests_app.waiting.why import estimate, reason_code

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FREE, USED, COMING = Reason.FREE, Reason.IN_USE, Reason.PREPARING
PANDAS = frozenset({1})


@pytest.mark.parametrize(
    ("counts", "place", "expected"),
    [
        ({USED: 3}, 1, "all_busy"),
        ({USED: 3}, 9, "all_busy"),
        ({USED: 3, COMING: 1}, 1, "being_prepared"),
        ({USED: 3, COMING: 1}, 2, "ahead_in_queue"),
        ({FREE: 1}, 1, "being_matched"),
        ({FREE: 1, USED: 3}, 2, "ahead_in_queue"),
        ({Reason.OUT_OF_ORDER: 9, Reason.RACK_SILENT: 1}, 1, "rack_down"),
        ({Reason.OUT_OF_ORDER: 9, Reason.MAINTENANCE: 1}, 1, "device_in_maintenance"),
        ({Reason.LOCKED_OUT: 1}, 1, "locked_out"),
        ({}, 1, "no_such_device"),
    ],
)
def test_the_reason_is_what_keeps_this_place_from_a_device(
    counts: dict[Reason, int], place: int, expected: str
) -> None:
    assert reason_code(Counter(counts), place) == expected


@pytest.mark.parametrize(
    ("counts", "place", "expected"),
    [
        ({FREE: 1, USED: 3}, 1, 100),
        ({COMING: 2, USED: 3}, 2, 200),
        ({USED: 4}, 1, 250),
        ({USED: 4}, 4, 700),
        ({USED: 3, COMING: 1}, 3, 400),
        ({Reason.OUT_OF_ORDER: 4}, 1, None),
    ],
)
def test_the_estimate_grows_with_the_place(counts: dict[Reason, int], place: int, expected: int) -> None:
    assert estimate(Counter(counts), place, preparation=100.0, use=600.0) == expected


def test_without_a_past_nothing_is_estimated() -> None:
    assert estimate(Counter({USED: 4}), 1, preparation=None, use=600.0) is None
    assert estimate(Counter({USED: 4}), 1, preparation=100.0, use=None) is None
    assert estimate(Counter({FREE: 1}), 1, preparation=100.0, use=None) == 100


def test_only_those_who_may_get_the_same_device_stand_in_one_line() -> None:
    plain, gpu = Kind("prod", 1), Kind("prod", 1, frozenset({"gpu"}))
    wants_any, wants_gpu, wants_usb = (
        Wish(PANDAS),
        Wish(PANDAS, tags=frozenset({"gpu"})),
        Wish(PANDAS, tags=frozenset({"usb"})),
    )
    names_plain = Wish(PANDAS, device_id=40, kind=plain)
    assert competes(wants_any, wants_gpu, [plain, gpu])
    assert not competes(wants_any, wants_gpu, [plain])
    assert not competes(wants_gpu, wants_usb, [plain, gpu])
    assert competes(names_plain, wants_any, [])
    assert not competes(names_plain, wants_gpu, [gpu])
    assert not competes(names_plain, Wish(PANDAS, device_id=41, kind=plain), [plain])
    line = Queue({}, {wants_any: [(NOON, 1), (NOON, 4)], wants_gpu: [(NOON, 2)], wants_usb: [(NOON, 3)]})
    assert [line.place(wants_any, (NOON, number), [plain, gpu]) for number in (1, 4, 9)] == [1, 3, 4]
    assert line.place(wants_usb, (NOON, 3), [plain, gpu]) == 1


def test_what_is_remembered_is_read_once_until_it_is_forgotten() -> None:
    read: list[datetime] = []

    def reading(now: datetime) -> int:
        read.append(now)
        return len(read)

    memory = Memory(reading, 60.0)
    assert [memory.get(NOON) for _ in range(3)] == [1, 1, 1]
    assert memory.anew(NOON) == 2
    memory.forget()
    assert [memory.get(NOON) for _ in range(2)] == [3, 3]
