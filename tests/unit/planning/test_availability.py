"""Whether a device serves, told story by story; and that no safeguard of it can be lost unnoticed."""

import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given

from lifeguard.states import DEVICE
from requests_app.planning import availability as genuine
from requests_app.planning.availability import Reason, availability
from requests_app.planning.pool import DeviceSnapshot
from tests.unit.planning.pools import NOON, snapshots

SOON, LATER = NOON + timedelta(minutes=3), NOON + timedelta(minutes=9)
READY = DeviceSnapshot("ready")

# What is so, the reason that is told, and the moment when it ends.
STORIES: dict[str, tuple[DeviceSnapshot, Reason, datetime | None]] = {
    "ready, and nobody has it": (READY, Reason.FREE, None),
    "a request has it": (replace(READY, held=True, held_until=SOON), Reason.IN_USE, SOON),
    "a request has it, and nobody knows for how long": (replace(READY, held=True), Reason.IN_USE, None),
    "on its way": (DeviceSnapshot("pxe_booting"), Reason.PREPARING, None),
    "on its way for somebody": (
        DeviceSnapshot("pxe_booting", held=True, held_until=SOON), Reason.IN_USE, None,
    ),
    "new, to be tested first": (DeviceSnapshot("new"), Reason.PREPARING, None),
    "its power controller is to blame": (
        replace(READY, suspect_until=LATER), Reason.CONTROLLER_SUSPECT, LATER,
    ),
    "its power controller was to blame until now": (replace(READY, suspect_until=NOON), Reason.FREE, None),
    "held until its power controller is trusted again": (
        replace(READY, held=True, held_until=SOON, suspect_until=LATER), Reason.CONTROLLER_SUSPECT, LATER,
    ),
    "held for longer than its power controller is suspect": (
        replace(READY, held=True, held_until=LATER, suspect_until=SOON), Reason.CONTROLLER_SUSPECT, LATER,
    ),
    "its rack is silent": (replace(READY, rack_silent=True), Reason.RACK_SILENT, None),
    "its rack is silent, and its controller suspect": (
        replace(READY, rack_silent=True, suspect_until=SOON), Reason.RACK_SILENT, None,
    ),
    "on the live image, for somebody to look": (DeviceSnapshot("maintenance_mode"), Reason.MAINTENANCE, None),
    "on the bench": (DeviceSnapshot("troubleshooting", rack_silent=True), Reason.MAINTENANCE, None),
    "given up": (DeviceSnapshot("failed_pxe_booting", quarantined=True), Reason.OUT_OF_ORDER, None),
    "where nobody knows": (DeviceSnapshot("unknown"), Reason.OUT_OF_ORDER, None),
    "in a state of an older release": (DeviceSnapshot("b2g_flashing"), Reason.OUT_OF_ORDER, None),
    "ready, but a person found something wrong": (
        replace(READY, quarantined=True), Reason.QUARANTINED, None,
    ),
    "tested, after which the quarantine is over": (
        DeviceSnapshot("self_test_running", quarantined=True), Reason.PREPARING, None,
    ),
    "locked out": (DeviceSnapshot("locked_out", quarantined=True), Reason.LOCKED_OUT, None),
    "dropped by its inventory": (replace(READY, gone=True), Reason.LEFT_INVENTORY, None),
    "dropped while somebody has it": (
        replace(READY, gone=True, held=True, held_until=SOON), Reason.LEFT_INVENTORY, None,
    ),
}  # fmt: skip


# Who names such a device gets it, and waits where it is out of reach.
WAITED_FOR = {
    "ready, and nobody has it",
    "its power controller is to blame",
    "its power controller was to blame until now",
    "its rack is silent",
    "its rack is silent, and its controller suspect",
}
BY_PERSON = {
    Reason.RACK_SILENT, Reason.MAINTENANCE, Reason.OUT_OF_ORDER, Reason.QUARANTINED, Reason.LOCKED_OUT,
    Reason.LEFT_INVENTORY,
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_a_device_that_is(story: str) -> None:
    device, reason, until = STORIES[story]
    found = availability(device, NOON)
    assert (found.reason, found.until, found.now) == (reason, until, reason is Reason.FREE)
    assert (found.by_name, found.needs_person) == (story in WAITED_FOR, reason in BY_PERSON)


def test_every_reason_is_told_by_some_story() -> None:
    assert {reason for _, reason, _ in STORIES.values()} == set(Reason)


def test_each_reason_has_a_code_of_its_own() -> None:
    codes = [reason.code for reason in Reason]
    assert len(set(codes)) == len(codes)


def test_who_names_a_device_waits_for_it_where_it_is_only_out_of_reach() -> None:
    away = replace(READY, rack_silent=True, suspect_until=LATER)
    assert availability(away, NOON).by_name
    for change in ({"held": True}, {"gone": True}, {"quarantined": True}, {"state": "troubleshooting"}):
        assert not availability(replace(away, **change), NOON).by_name


@given(snapshots())
def test_nothing_more_to_say_against_a_device_ever_makes_it_more_available(device: DeviceSnapshot) -> None:
    found = availability(device, NOON)
    worse = (
        replace(device, held=True), replace(device, rack_silent=True), replace(device, suspect_until=LATER),
        replace(device, quarantined=True), replace(device, gone=True),
    )  # fmt: skip
    for other in worse:
        then = availability(other, NOON)
        assert found.now or not then.now
        assert found.by_name or not then.by_name
        assert then.reason >= found.reason
        assert then.needs_person or not found.needs_person
    assert found.now <= found.by_name
    assert found.until is None or found.until > NOON


@given(snapshots())
def test_a_moment_is_promised_only_where_everything_ends_by_itself_then(device: DeviceSnapshot) -> None:
    found = availability(device, NOON)
    if found.until is not None:
        # The holder leaves at the end of the lease at the latest; nothing else about the device has changed.
        then = availability(replace(device, held=False, held_until=None), found.until)
        assert then.now


# One thing that availability must heed, and what it would be without.
MUTANTS: dict[str, tuple[str, str]] = {
    "who holds it is forgotten": ("if device.held:", "if False:"),
    "the end of the lease is forgotten": ("Reason.IN_USE, device.held_until", "Reason.IN_USE, None"),
    "a suspect controller serves": ("device.suspect_until > now:", "False:"),
    "suspicion lasts a moment longer": ("device.suspect_until > now:", "device.suspect_until >= now:"),
    "suspicion never ends": (" and device.suspect_until > now:", ":"),
    "the end of the suspicion is forgotten": ("CONTROLLER_SUSPECT, device.suspect_until", "CONTROLLER_SUSPECT, None"),
    "a silent rack serves": ("if device.rack_silent:", "if False:"),
    "a silent rack ends with the suspicion": ("RACK_SILENT, None", "RACK_SILENT, device.suspect_until"),
    "what a person has quarantined serves": ("elif device.quarantined:", "elif False:"),
    "a quarantine outlives its own test": ("elif device.quarantined:", "if device.quarantined:"),
    "what the inventory dropped serves": ("if device.gone:", "if False:"),
    "every state serves": ('if "serving" not in tags:', "if False:"),
    "a locked out device is only out of order": ('"locked_out": Reason.LOCKED_OUT,', ""),
    "the bench is no maintenance": ('"hands_on": Reason.MAINTENANCE,', ""),
    "what rests comes back by itself": ('"steady": Reason.OUT_OF_ORDER,', ""),
    "the most hopeful reason counts": ("return max((reason", "return min((reason"),
    "the first end counts": ("return max(ends)", "return min(ends)"),
    "an unknown end is passed over": ("if ends and len(ends) == len(self.obstacles)", "if ends"),
    "who names a device never waits": ("all(reason.out_of_reach", "all(False"),
    "who names a device gets any": ("all(reason.out_of_reach", "all(True"),
    "nobody has to act": ("any(reason.by is By.PERSON", "any(False"),
    "a silent rack mends itself": ('"in a rack that is down", By.PERSON', '"in a rack that is down", By.MOZPOOL'),
}  # fmt: skip


def _told(there: Any, device: DeviceSnapshot) -> tuple[object, ...]:
    found = there.availability(device, NOON)
    return found.reason.name, found.until, found.now, found.by_name, found.needs_person


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_safeguard_that_is_lost_is_noticed(mutant: str) -> None:
    old, new = MUTANTS[mutant]
    source = Path(genuine.__file__).read_text(encoding="utf-8")
    assert source.count(old) == 1
    changed = ModuleType("availability_changed")
    sys.modules[changed.__name__] = changed  # where dataclasses look their types up
    try:
        exec(compile(source.replace(old, new), "availability_changed", "exec"), changed.__dict__)  # noqa: S102 - ours
        expected = {
            story: (reason.name, until, reason is Reason.FREE, story in WAITED_FOR, reason in BY_PERSON)
            for story, (_, reason, until) in STORIES.items()
        }
        told = {story: _told(changed, device) for story, (device, *_) in STORIES.items()}
    finally:
        del sys.modules[changed.__name__]
    assert told != expected


def test_every_stored_state_says_what_it_means_for_those_who_wait() -> None:
    told = {state: availability(DeviceSnapshot(state), NOON).reason for state in DEVICE.stored()}
    assert {state for state, reason in told.items() if reason is Reason.FREE} == {"ready"}
    assert {state for state, reason in told.items() if reason is Reason.OUT_OF_ORDER} == {
        "unknown", *(state for state in DEVICE.stored() if state.startswith("failed_")),
    }  # fmt: skip
    assert {state for state, reason in told.items() if reason is Reason.MAINTENANCE} == {
        "maintenance_mode", "troubleshooting",
    }  # fmt: skip
