"""The pulse, broken on purpose in one place at a time: a story of it must notice."""

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection

from lifeguard.machine import device_runner
from lifeguard.pulse.timers import Timers
from mozpool_site.pulse import parking
from mozpool_site.pulse.parking import Parking
from tests import beats
from tests.integration.engine import test_locked_rows as locks
from tests.integration.engine import test_parking as stories
from tests.integration.engine import test_pulse as pulses

pytestmark = pytest.mark.django_db(transaction=True)

Mutant = Callable[[pytest.MonkeyPatch], None]
_NOTICED = (AssertionError, OperationalError, pytest.fail.Exception)


def no_pause(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parking, "_FIRST", 0.0)


def endless_pause(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parking, "_LONGEST", 1e6)


def success_changes_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Parking, "release", lambda *_: None)


def kept_to_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parking, "_store", lambda *_: True)


def passes_over_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Parking, "keys", lambda *_: set())


def a_lock_is_a_database_away(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parking, "is_gone", lambda error: isinstance(error, OperationalError))


def a_database_away_is_a_row_that_fails(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parking, "is_gone", lambda *_: False)


STORED: list[tuple[Mutant, Callable[[], None]]] = [
    (no_pause, stories.test_the_pause_doubles_with_each_failure_up_to_a_minute),
    (endless_pause, stories.test_the_pause_doubles_with_each_failure_up_to_a_minute),
    (success_changes_nothing, stories.test_a_row_that_succeeds_is_parked_no_more),
    (kept_to_itself, stories.test_what_one_process_has_parked_another_one_passes_over_and_goes_on_counting),
    (
        passes_over_nothing,
        stories.test_what_one_process_has_parked_another_one_passes_over_and_goes_on_counting,
    ),
    (a_lock_is_a_database_away, stories.test_a_lock_parks_for_seconds_and_is_written_down_only_when_it_lasts),
    (a_database_away_is_a_row_that_fails, stories.test_a_connection_that_is_gone_parks_nothing),
]


@pytest.mark.parametrize(("mutant", "story"), STORED)
def test_a_broken_parking_is_noticed(
    mutant: Mutant, story: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(_NOTICED):
        story()


def test_a_heartbeat_of_whatever_lives_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Timers, "serves_all_but", lambda *_: frozenset())
    with pytest.raises(_NOTICED):
        pulses.test_a_heartbeat_tells_that_timers_are_met_and_not_that_a_thread_lives(monkeypatch)


def test_a_loop_that_takes_the_others_along_when_it_fails_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "look", lambda one, now: one.look(now))
    with pytest.raises((*_NOTICED, ValueError)):
        pulses.test_a_loop_that_fails_as_a_whole_is_parked_alone_and_counted(monkeypatch)


def test_waiting_where_a_locked_row_is_to_be_passed_over_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("this database locks no rows")
    monkeypatch.setattr(device_runner, "deliver_unless_locked", device_runner.deliver)
    with pytest.raises(_NOTICED):
        locks.test_a_device_that_somebody_has_locked_is_passed_over_and_the_others_timers_fire()
