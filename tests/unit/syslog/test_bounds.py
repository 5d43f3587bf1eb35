"""One device can't fill the journal, and a database that is away can't fill the memory; what is lost is counted."""

import time

from bmm.syslog.cap import Cap
from bmm.syslog.lines import BATCH, Alarm, Line, Waiting


def test_a_device_may_burst_and_then_log_at_the_rate() -> None:
    cap = Cap(rate=10, burst=100)
    assert sum(cap.admits(1, 0.0) for _ in range(150)) == 100
    assert sum(cap.admits(1, 1.0) for _ in range(150)) == 10
    assert cap.admits(2, 1.0)
    assert cap.take_over() == {1: 50 + 140}
    assert cap.take_over() == {}


def test_below_the_rate_nothing_is_over() -> None:
    cap = Cap(rate=10, burst=1)
    assert all(cap.admits(1, second / 8) for second in range(1000))


def test_the_oldest_line_goes_when_there_is_no_room() -> None:
    waiting = Waiting(most=3)
    for device in (1, 2, 3, 4, 5):
        waiting.put(Line(device, time.monotonic() - 1, f"of {device}"))
    assert [line.device_id for line in waiting.take(0)] == [3, 4, 5]
    assert waiting.take_lost() == {1: 1, 2: 1}


def test_a_batch_is_given_at_once_and_less_after_half_a_second() -> None:
    waiting = Waiting(most=10_000)
    for number in range(BATCH + 1):
        waiting.put(Line(1, time.monotonic(), str(number)))
    begun = time.monotonic()
    assert len(waiting.take(10)) == BATCH
    assert time.monotonic() - begun < 5
    assert len(waiting.take(10)) == 1
    assert 0.2 < time.monotonic() - begun < 8


def test_an_alarm_does_not_wait_for_a_batch() -> None:
    waiting = Waiting(most=10)
    waiting.put(Line(1, time.monotonic(), "x"))
    waiting.put_alarm(Alarm(Line(1, time.monotonic(), "panic"), "kernel_panic", serious=True))
    begun = time.monotonic()
    waiting.take(10)
    assert time.monotonic() - begun < 5
    alarm = waiting.take_alarm()
    assert alarm is not None
    assert alarm.name == "kernel_panic"
    assert waiting.take_alarm() is None
