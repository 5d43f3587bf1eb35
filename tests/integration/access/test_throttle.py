"""Guessing is slowed down by name and by place, and never for ever."""

from datetime import timedelta
from ipaddress import ip_address

import pytest

from mozpool_site import clock
from mozpool_site.access import throttle
from mozpool_site.access.models import Failures
from mozpool_site.errors import TooManyError

pytestmark = pytest.mark.django_db
HERE, THERE = ip_address("192.0.2.5"), ip_address("198.51.100.7")


def failures(number: int, name: str = "ada", address: throttle.Address = HERE) -> list[int]:
    """Fail so often, each time after the pause that was asked for; give the pauses in seconds."""
    pauses = []
    for _ in range(number):
        try:
            throttle.login_attempt(name, address)
        except TooManyError as error:
            pauses.append(error.retry_after)
            wait(error.retry_after)
            throttle.login_attempt(name, address)
    return pauses


def wait(seconds: float) -> None:
    """Let time pass, for the counters."""
    by = timedelta(seconds=seconds)
    for row in Failures.objects.all():
        row.last -= by
        row.until = row.until and row.until - by
        row.save()


def test_a_person_may_be_wrong_four_times_at_once_and_then_waits_ever_longer() -> None:
    assert failures(5) == []
    assert failures(11) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]
    assert failures(3) == [900, 900, 900]


def test_a_success_clears_what_was_counted_at_the_name() -> None:
    failures(8)
    wait(60)
    throttle.login_attempt("ada", HERE)
    throttle.login_succeeded("ada", HERE)
    assert failures(5) == []


def test_the_name_is_the_same_however_it_is_written() -> None:
    failures(5, "Ada ")
    with pytest.raises(TooManyError, match="too many failed logins; try again in 1 s"):
        throttle.login_attempt("ADA", HERE)


def test_somebody_elsewhere_is_not_locked_out_by_a_guesser() -> None:
    failures(20)
    assert failures(4, address=THERE) == []


def test_who_guesses_a_name_from_everywhere_is_slowed_to_one_try_a_minute() -> None:
    pauses = [failures(1, address=ip_address(f"203.0.113.{number}")) for number in range(1, 50)]
    assert max(pause for found in pauses for pause in found) == 60


def test_behind_one_proxy_nobody_waits_longer_than_a_minute_for_others_names() -> None:
    for number in range(60):
        failures(1, f"name{number}")
    with pytest.raises(TooManyError) as caught:
        throttle.login_attempt("ada", HERE)
    assert caught.value.retry_after <= 60
    wait(60)
    throttle.login_attempt("ada", HERE)


def test_a_success_takes_only_itself_back_from_its_place() -> None:
    for number in range(29):
        failures(1, f"name{number}")
    throttle.login_attempt("mallory", HERE)
    throttle.login_succeeded("mallory", HERE)
    assert Failures.objects.get(pk="login from 192.0.2.5").count == 29


def test_a_pause_counts_nothing_so_that_it_ends() -> None:
    failures(6)
    for _ in range(10):
        with pytest.raises(TooManyError):
            throttle.login_attempt("ada", HERE)
    assert Failures.objects.get(pk="login ada").count == 6


def test_an_hour_later_all_is_forgotten() -> None:
    failures(12)
    wait(3601)
    assert failures(5) == []
    wait(3601)
    assert throttle.forgotten(clock.now()).delete()[0] == 3
    assert not Failures.objects.exists()


def test_an_ipv6_host_does_not_get_away_by_changing_its_address() -> None:
    for number in range(5):
        failures(1, address=ip_address(f"2001:db8::{number}"))
    with pytest.raises(TooManyError):
        throttle.login_attempt("ada", ip_address("2001:db8::ffff"))
    throttle.login_attempt("ada", ip_address("2001:db8:0:1::1"))


@pytest.mark.parametrize("name", ["", "x" * 5000, "ä" * 150, "a b'c\"d;--", "%s", "\u202eada"])
def test_any_name_can_be_counted(name: str) -> None:
    failures(5, name)
    with pytest.raises(TooManyError):
        throttle.login_attempt(name, HERE)
