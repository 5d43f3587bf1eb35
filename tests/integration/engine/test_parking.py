"""What can't be dealt with is passed over for a while, longer each time, by every process, and it can be seen."""

from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError

from lifeguard.pulse.loops import BootFiles
from lifeguard.pulse.scope import Scope
from mozpool_site import clock
from mozpool_site.pulse import parking
from mozpool_site.pulse.models import Parked
from mozpool_site.pulse.parking import Parking
from mozpool_site.transactions import RowLockedError
from requests_app.pulse import Retention, pool_loops
from tests.factories import make_rack

pytestmark = pytest.mark.django_db(transaction=True)

BROKEN = ValueError("no case for it")
AWAY = OperationalError(2006, "Server has gone away")
LOCK_WAIT = OperationalError(1205, "Lock wait timeout exceeded")


def crash(error: Exception) -> None:
    """Raise an error."""
    raise error


def fail(key: int, error: Exception = BROKEN, times: int = 1) -> Parking:
    """Let a row of a loop fail so often; what was stored is all that is known afterwards."""
    rows = Parking("timers")
    for _ in range(times):
        with rows.apart(key):
            crash(error)
    return rows


def pause(key: int) -> float:
    """Return the seconds for which a row is parked."""
    row = Parked.objects.get(loop="timers", key=str(key))
    return (row.until - row.last).total_seconds()


def test_the_pause_doubles_with_each_failure_up_to_a_minute() -> None:
    pauses = []
    for _ in range(8):
        fail(7)
        pauses.append(pause(7))
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert Parked.objects.get().times == 8


def test_what_one_process_has_parked_another_one_passes_over_and_goes_on_counting() -> None:
    fail(7, times=3)
    parking.forget()  # another process knows nothing but the table
    other = Parking("timers")
    assert other.numbers(clock.now()) == [7]
    with other.apart(7):
        crash(BROKEN)
    assert (Parked.objects.get().times, pause(7)) == (4, 16)


def test_a_row_that_succeeds_is_parked_no_more() -> None:
    rows = fail(7)
    with rows.apart(7):
        pass
    assert rows.numbers(clock.now()) == []
    assert not Parked.objects.exists()


def test_rows_of_one_loop_are_none_of_anothers_business() -> None:
    fail(7)
    assert Parking("expiry").numbers(clock.now()) == []


def test_a_lock_parks_for_seconds_and_is_written_down_only_when_it_lasts() -> None:
    rows = fail(7, RowLockedError("locked"), times=2)
    assert rows.numbers(clock.now()) == [7]
    assert not Parked.objects.exists()
    fail(7, LOCK_WAIT)
    fail(7, LOCK_WAIT)
    assert (Parked.objects.get().error, pause(7)) == (f"OperationalError: {LOCK_WAIT}", 4)


def test_a_connection_that_is_gone_parks_nothing() -> None:
    with pytest.raises(OperationalError):
        fail(7, AWAY)
    assert Parking("timers").numbers(clock.now()) == []
    assert not Parked.objects.exists()


def test_what_nobody_has_tried_again_for_minutes_is_forgotten() -> None:
    fail(7)
    assert parking.prune(clock.now()) == 0
    assert parking.prune(clock.now() + timedelta(minutes=3)) == 1
    assert not Parked.objects.exists()


def test_the_pulse_command_shows_what_is_parked(capsys: pytest.CaptureFixture[str]) -> None:
    make_rack("p1")
    call_command("pulse", "--status")
    assert capsys.readouterr().out == "rack p1: no pulse was ever seen\nnothing is parked\n"
    fail(7, times=2)
    call_command("pulse", "--status")
    told = capsys.readouterr().out.splitlines()[1]
    assert told.startswith("parked: timers 7, failed 2 times since 0.")
    assert told.endswith(": ValueError: no case for it")


def test_a_loop_that_fails_as_a_whole_pauses_in_its_own_process_alone_and_is_shown() -> None:
    """The folder of one rack's boot files can't be written: that is nothing to the boot files of another rack."""
    here = BootFiles(Scope())
    with here.parking.apart(""):
        crash(OSError("read-only file system"))
    assert here.parking.keys(clock.now()) == {""}
    parking.forget()  # another process knows nothing but the table
    elsewhere = BootFiles(Scope())
    assert elsewhere.parking.keys(clock.now()) == set()
    with elsewhere.parking.apart(""):
        pass
    assert Parked.objects.get(loop="boot files", key="").error == "OSError: read-only file system"


def test_a_loop_that_fails_as_a_whole_goes_on_pausing_whatever_else_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = BootFiles(Scope())
    with here.parking.apart(""):
        crash(OSError("read-only file system"))
    monkeypatch.setattr(parking, "_READ_SECONDS", 0)
    assert here.parking.keys(clock.now()) == {""}
    with here.parking.apart(""):
        pass
    assert not Parked.objects.exists()


def test_one_lease_that_can_t_be_renewed_is_no_reason_to_lose_the_other() -> None:
    pool, chores = (loop for loop in pool_loops()[0])
    with chores.parking.apart(""):
        crash(LOCK_WAIT)
    assert (pool.parking.keys(clock.now()), chores.parking.keys(clock.now())) == (set(), {""})


def test_a_kind_of_retention_that_failed_is_tried_again_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(now: datetime) -> int:
        raise LOCK_WAIT

    monkeypatch.setitem(Retention.kinds, "journal", locked)
    now = clock.now()
    assert Retention().look(now) == now + timedelta(minutes=1)
    Retention().parking.release("journal")
    monkeypatch.setitem(Retention.kinds, "journal", lambda _: 0)
    assert Retention().look(now) is None
