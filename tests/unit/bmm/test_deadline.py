"""A deadline is one moment for all steps together."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmm.deadline import Deadline
from bmm.errors import OutOfTime


def test_what_remains_shrinks_and_ends_at_nought() -> None:
    deadline = Deadline.after(0.05)
    assert 0 < deadline.remaining() <= 0.05
    assert not deadline.expired
    time.sleep(0.06)
    assert deadline.remaining() == 0.0
    assert deadline.expired


def test_a_check_gives_the_seconds_left_or_says_what_there_is_no_time_for() -> None:
    assert 4 < Deadline.after(5).check("reading") <= 5
    with pytest.raises(OutOfTime, match=r"^reading relay 3: no time left$"):
        Deadline.after(0).check("reading relay 3")


@given(st.floats(-10, 1e6), st.floats(-10, 1e6))
def test_a_sooner_deadline_is_never_later_than_either(whole: float, step: float) -> None:
    deadline = Deadline.after(whole)
    sooner = deadline.sooner(step)
    assert sooner <= deadline
    assert sooner <= Deadline.after(step)


def test_three_steps_share_one_deadline() -> None:
    deadline = Deadline.after(2)
    started = time.monotonic()
    for _ in range(3):
        time.sleep(deadline.sooner(1.5).remaining())
    assert 1.99 <= time.monotonic() - started < 4
