"""Whoever waits and what is free, brought together; and the same, broken on purpose in one place at a time."""

import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from textwrap import dedent
from typing import Any

import pytest

from devices.models import Device
from mozpool_site import clock
from requests_app import claims, free_kinds, serving
from requests_app.models import Request
from requests_app.serving import match_device, match_waiting
from requests_app.waiting import wishes
from tests.factories import file_order, make_device, make_devices, make_image, make_request
from tests.integration.pool.test_passing_over import (
    test_a_request_that_raises_is_passed_over as _passes_over,
)

pytestmark = pytest.mark.django_db(transaction=True)


def state(request: Request) -> str:
    return Request.objects.get(pk=request.pk).state


def holder(device: Device) -> int | None:
    return Device.objects.get(pk=device.pk).held_by


def idle(minutes: int, **columns: Any) -> Device:
    return make_device(idle_since=clock.now() - timedelta(minutes=minutes), **columns)


def test_of_two_wishes_that_has_its_turn_whose_first_came_first() -> None:
    image, other = make_image(), make_image("b2g")
    # A second apart, as two in the same moment are served in any order.
    begun = clock.now() - timedelta(seconds=4)
    filed = [
        make_request((image, other)[number % 2], turn=begun + timedelta(seconds=number))
        for number in range(4)
    ]
    make_devices(2)
    assert match_waiting() == 2
    assert [state(request) for request in filed] == ["pending"] * 2 + ["finding_device"] * 2


def test_of_one_wish_all_are_served_in_the_order_in_which_they_came() -> None:
    image = make_image()
    filed = [make_request(image) for _ in range(4)]
    make_devices(3)
    assert match_waiting() == 3
    assert [state(request) for request in filed] == ["pending"] * 3 + ["finding_device"]


def test_who_files_overtakes_nobody_who_waits_for_the_same() -> None:
    image = make_image()
    first = make_request(image)
    make_device(image=image)
    assert (file_order(image).state, state(first)) == ("finding_device", "pending")


def test_a_device_without_a_tag_is_given_to_nobody_who_wants_it() -> None:
    image = make_image()
    device = make_device(tags=["usb"])
    assert file_order(image, tags=["gpu"]).state == "finding_device"
    assert holder(device) is None


def test_the_device_that_has_the_build_already_goes_before_one_that_is_idle_for_longer() -> None:
    image = make_image()
    idle(60)
    having = idle(5, image=image)
    assert file_order(image).pk == holder(having)


def test_of_two_kinds_the_device_that_is_idle_for_longest_is_given() -> None:
    image = make_image()
    idle(20, environment="staging")
    longest = idle(60, environment="production")
    idle(5, environment="production")
    assert file_order(image).pk == holder(longest)


def test_a_device_that_came_free_goes_to_who_named_it_first_of_all() -> None:
    image = make_image()
    device = make_device()
    named, anybody = make_request(image, requested_device=device), make_request(image)
    assert match_device(device.pk)
    assert (holder(device), state(anybody)) == (named.pk, "finding_device")


def a_request_that_raises_is_passed_over() -> None:
    _passes_over("a pass")


Broken = tuple[Any, str, str, Callable[[], None]]
MUTANTS: dict[str, Broken] = {
    "nobody behind the first": (
        serving._serve, "heappush(line, found)", "pass",
        test_of_one_wish_all_are_served_in_the_order_in_which_they_came,
    ),
    "one wish as long as it can": (
        serving._first_in_line, "before <= line[0][0]", "first",
        test_of_two_wishes_that_has_its_turn_whose_first_came_first,
    ),
    "names are nothing": (
        match_device, "[] if first is None else [(first, -device_id)]", "[]",
        test_a_device_that_came_free_goes_to_who_named_it_first_of_all,
    ),
    "a broken request ends the search": (
        serving._attempt, "return _Outcome.PASSED_OVER", "raise", a_request_that_raises_is_passed_over,
    ),
    "a broken request is tried again at once": (
        wishes._behind, "pk__gt=request", "pk__gte=request", a_request_that_raises_is_passed_over,
    ),
    "the last of a wish": (
        wishes._line, 'order_by("turn", "pk")', 'order_by("-turn", "-pk")',
        test_of_one_wish_all_are_served_in_the_order_in_which_they_came,
    ),
    "who files overtakes": (
        claims._is_first, "place < own", "place > own", test_who_files_overtakes_nobody_who_waits_for_the_same,
    ),
    "no reuse": (
        claims._lock_any, "lock_best(having, now)", "None",
        test_the_device_that_has_the_build_already_goes_before_one_that_is_idle_for_longer,
    ),
    "any device of the kind": (
        free_kinds._Searches._dives, 'order_by("idle_since", "pk")', 'order_by("-idle_since", "pk")',
        test_of_two_kinds_the_device_that_is_idle_for_longest_is_given,
    ),
    "kinds in any order": (
        free_kinds._with_free_device,
        "for _, kind, device in found", "for _, kind, device in sorted(found, key=lambda one: one[1])",
        test_of_two_kinds_the_device_that_is_idle_for_longest_is_given,
    ),
    "tags are nothing": (
        free_kinds.kinds_for, "suits(demand, kind)", "True",
        test_a_device_without_a_tag_is_given_to_nobody_who_wants_it,
    ),
}  # fmt: skip


@pytest.fixture
def no_query_is_kept() -> Iterator[None]:
    def forget() -> None:
        free_kinds._searches_while.cache_clear()
        for query in (wishes._first_of, wishes._next_of):
            query.forget()

    forget()
    yield
    forget()


@pytest.mark.usefixtures("no_query_is_kept")
@pytest.mark.parametrize("name", MUTANTS)
def test_what_is_broken_on_purpose_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, right, wrong, story = MUTANTS[name]
    source = dedent(inspect.getsource(function))
    assert source.count(right) == 1
    names = dict(function.__globals__)
    exec(source.replace(right, wrong), names)  # noqa: S102 - our own source
    monkeypatch.setattr(function, "__code__", names[function.__name__].__code__)
    with pytest.raises((AssertionError, ValueError, TypeError, AttributeError)):
        story()
