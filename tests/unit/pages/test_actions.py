"""Which actions a device is offered, and what is said of the others."""

from dataclasses import replace

import pytest

from lifeguard.bulk.verbs import VERBS
from lifeguard.states import DEVICE
from mozpool_site.access.roles import Role
from pages.device.actions import Standing, choices, grouped, warnings

OPERATOR = Standing("ready", Role.OPERATOR)


def offered(standing: Standing) -> set[str]:
    return {choice.verb for choice in choices(standing) if choice.enabled}


def why_not(standing: Standing, verb: str) -> str:
    return next(choice.why_not for choice in choices(standing) if choice.verb == verb)


def test_every_verb_has_its_place_but_the_comment_that_the_page_has_a_form_for() -> None:
    shown = [choice.verb for group in grouped(OPERATOR) for choice in group.choices]
    assert sorted(shown) == sorted(set(VERBS) - {"comment"})


@pytest.mark.parametrize("state", DEVICE.stored())
def test_lifeguard_is_asked_for_exactly_what_the_state_takes(state: str) -> None:
    events = {
        "please_self_test": "please_self_test",
        "please_power_cycle": "please_power_cycle",
        "please_image": "please_image",
        "please_maintenance": "please_start_maintenance",
    }
    taken = {verb for verb, event in events.items() if event in DEVICE[state].on}
    assert offered(replace(OPERATOR, state=state)) & set(events) == taken


def test_a_viewer_is_offered_nothing_and_told_why() -> None:
    viewer = replace(OPERATOR, role=Role.VIEWER)
    assert offered(viewer) == set()
    assert why_not(viewer, "ping") == "for operators; you are a viewer"
    assert why_not(viewer, "power_cycle") == "for operators and whoever holds the device"


def test_who_holds_the_device_may_cycle_its_power_and_nothing_else() -> None:
    holder = replace(OPERATOR, role=Role.REQUESTER, held_by=7, mine=True)
    assert offered(holder) == {"power_cycle"}
    assert offered(replace(holder, mine=False)) == set()


def test_a_device_at_work_is_left_to_it() -> None:
    busy = replace(OPERATOR, state="extracting")
    assert why_not(busy, "please_image") == "not while it is extracting: that ends by itself"
    assert why_not(busy, "return_to_pool") == "not while it is extracting: that ends by itself"
    assert {"force_state", "lock_out", "power_off"} <= offered(busy)


def test_a_locked_out_device_is_returned_and_asked_for_nothing() -> None:
    out = replace(OPERATOR, state="locked_out")
    assert why_not(out, "lock_out") == "it is locked out already"
    assert why_not(out, "please_self_test") == (
        "a device that is locked out takes no orders: return it to the pool first"
    )
    assert "return_to_pool" in offered(out)


def test_what_the_hardware_lacks_is_not_offered() -> None:
    loose = replace(OPERATOR, has_outlet=False)
    assert why_not(loose, "power_off") == "it is plugged into no power outlet that we know"
    assert offered(loose) == {"troubleshoot", "lock_out", "force_state", "environment", "ping"}
    assert why_not(OPERATOR, "clear_pxe") == "it boots from its own storage already"
    assert "clear_pxe" in offered(replace(OPERATOR, netboot=True))


def test_whom_an_action_would_take_the_device_from_is_said_once() -> None:
    held = replace(OPERATOR, held_by=7, holder="ci@build")
    assert warnings(grouped(held)) == ("request 7 of ci@build holds it",)
    unwarned = {choice.verb for choice in choices(held) if choice.enabled and not choice.warning}
    assert unwarned == {"please_power_cycle", "environment", "power_cycle", "ping"}


def test_reasons_are_told_once_for_the_actions_that_share_them() -> None:
    (asked, *_) = grouped(replace(OPERATOR, state="downloading"))
    assert asked.offered == ()
    assert [(why, len(found)) for why, found in asked.refused] == [
        ("not while it is downloading: that ends by itself", 5)
    ]
