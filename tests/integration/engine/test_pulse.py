"""The pulse needs no worker and no broker: what nobody comes for it does itself, soon and for everybody."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from bmm import operations
from bmm.models import Kind, Operation, Status
from devices.models import Device, Rack
from lifeguard.pulse.loops import BootFiles
from lifeguard.pulse.loops import loops as rack_loops
from lifeguard.pulse.operations import Operations
from lifeguard.pulse.scope import Patience, Scope
from lifeguard.pulse.timers import Heartbeat, Timers
from mozpool_site import clock
from mozpool_site.errors import UnknownNameError
from mozpool_site.pulse.loop import Loop, Pulse
from mozpool_site.pulse.models import Parked
from tests.beats import Beats, rack_beats
from tests.factories import make_device, make_devices, make_image, make_rack

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def open_port() -> Iterator[int]:
    """Give a port of 127.0.0.1 that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def beat_until_ready(pulse: Beats, devices: list[Device], seconds: float) -> float | None:
    """Let a pulse beat as the command does, until all devices are ready; None when they are not in time."""
    began = time.monotonic()
    names = [device.pk for device in devices]
    try:
        while time.monotonic() - began < seconds:
            now = clock.now()
            following = pulse.beat(now)
            if Device.objects.filter(pk__in=names, state="ready").count() == len(names):
                return time.monotonic() - began
            time.sleep(max(0.02, min(0.2, (following - clock.now()).total_seconds())))
        return None
    finally:
        pulse.stop()


def verifying(port: int, window: int) -> Device:
    """Make a device whose new image is asked for its port, in windows of so many seconds."""
    image = make_image(verify_port=port, verify_timeout=window)
    now = clock.now()
    device = make_device(
        state="port_verifying",
        next_image=image,
        next_boot_config="{}",
        deadline=now + timedelta(seconds=window),
    )
    operations.queue(device, Kind.VERIFY_PORT, now, poll=1, state_seq=0)
    return device


def test_a_check_whose_window_is_shorter_than_the_pulses_patience_is_made_although_no_worker_comes(
    open_port: int,
) -> None:
    device = verifying(open_port, window=2)
    took = beat_until_ready(rack_beats(), [device], 60)
    assert took is not None
    device.refresh_from_db()
    assert set(device.counters) == {"repeats"}


def test_once_a_pulse_has_found_that_nobody_comes_it_does_not_wait_for_each_operation_anew(
    open_port: int,
) -> None:
    device = verifying(open_port, window=45)
    late = clock.now() - timedelta(seconds=11)
    Operation.objects.update(not_before=late, created=late)
    second = verifying_too(device)
    took = beat_until_ready(rack_beats(), [device, second], 60)
    assert took is not None
    # Or it would be ten.
    assert took < 9


def verifying_too(first: Device) -> Device:
    """Make another device like the first one, whose operation has only just been queued."""
    now = clock.now()
    device = make_device(
        state="port_verifying",
        next_image=first.next_image,
        next_boot_config="{}",
        deadline=now + timedelta(seconds=45),
    )
    operations.queue(device, Kind.VERIFY_PORT, now, poll=1, state_seq=0)
    return device


def test_an_operation_that_was_only_just_rung_for_is_left_to_the_workers(open_port: int) -> None:
    verifying(open_port, window=45)
    pulse = rack_beats()
    pulse.beat(clock.now())
    pulse.stop()
    assert Operation.objects.get().status == Status.QUEUED


def test_a_rack_without_a_worker_does_not_make_the_pulse_take_the_work_of_another_rack(
    open_port: int,
) -> None:
    device = verifying(open_port, window=45)
    late = clock.now() - timedelta(seconds=11)
    Operation.objects.update(not_before=late, created=late)
    elsewhere = verifying_too(device)
    Device.objects.filter(pk=elsewhere.pk).update(rack=make_rack("p2"))
    Operation.objects.filter(device=elsewhere).update(rack=make_rack("p2"))
    pulse = rack_beats()
    pulse.beat(clock.now())
    pulse.beat(clock.now())
    pulse.stop()
    device.refresh_from_db()
    assert device.state == "ready"
    assert Operation.objects.get(device=elsewhere).status == Status.QUEUED


def test_a_pulse_looks_after_its_racks_only() -> None:
    make_image()
    past = clock.now() - timedelta(seconds=9)
    here = make_devices(1, state="mobile_init_started", deadline=past)[0]
    there = make_devices(1, state="mobile_init_started", deadline=past, rack=make_rack("p2"))[0]
    pulse = rack_beats("p1")
    pulse.beat(clock.now())
    pulse.stop()
    here.refresh_from_db()
    there.refresh_from_db()
    assert (here.state_seq > 0, there.state) == (True, "mobile_init_started")
    assert Rack.objects.get(name="p1").pulse_seen is not None
    assert Rack.objects.get(name="p2").pulse_seen is None


def test_a_rack_that_does_not_exist_is_named() -> None:
    make_rack("p1")
    with pytest.raises(UnknownNameError, match="there is no rack 'p9'"):
        rack_beats("p1", "p9")


def test_the_next_beat_comes_when_the_next_operation_is_due_and_within_a_second() -> None:
    now = clock.now()
    device = make_device(deadline=now + timedelta(seconds=0.4))
    assert rack_beats().beat(now) == now + timedelta(seconds=1)
    for pause, following in ((0.4, 0.4), (0.02, 0.1), (50, 1)):
        Operation.objects.all().delete()
        moment = now + timedelta(seconds=pause)
        operations.queue(device, Kind.PING, now, state_seq=0, not_before=moment)
        assert rack_beats().beat(now) == now + timedelta(seconds=following)


def test_a_check_that_was_rung_for_is_looked_for_until_it_comes_back() -> None:
    begun = clock.now()
    device = make_device(deadline=begun + timedelta(minutes=1))
    check = operations.queue(device, Kind.VERIFY_PORT, begun, poll=1, state_seq=0)
    Operation.objects.update(created=begun - timedelta(seconds=1))  # it has been made before
    look = Operations(Scope(), Patience()).look
    soon = timedelta(seconds=0.1)
    assert look(begun) == begun + soon
    now = begun + soon
    assert operations.claim(check, now)
    assert look(now) == now + soon  # a worker is at it, and will put it back for its next try
    operations.try_again_later(check, now)
    back = Operation.objects.get().not_before
    assert look(now + soon) == back  # 0.2 s after the last try
    assert look(back) == back + soon
    Operation.objects.update(status=Status.DONE)
    assert look(back + timedelta(seconds=3)) == back + timedelta(seconds=3) + soon
    assert look(back + timedelta(seconds=6)) is None  # it does not come back


def test_more_timers_than_fit_into_a_beat_all_fire() -> None:
    make_image()
    make_devices(
        520,
        state="mobile_init_started",
        deadline=clock.now() - timedelta(seconds=9),
        power_controller=None,
    )
    pulse = rack_beats()
    now = clock.now()
    try:
        # A look ends when its time is over, and the next one goes on; how many it takes is the machine's affair.
        looks = 0
        while Device.objects.filter(state="mobile_init_started").exists() and looks < 100:
            pulse.beat(now + timedelta(seconds=looks))
            looks += 1
        assert not Device.objects.filter(state="mobile_init_started").exists()
        assert Operation.objects.count() >= 520
    finally:
        pulse.stop()


def test_however_many_timers_are_parked_the_next_one_is_met() -> None:
    make_image()
    rack = make_rack("p1")
    timers_due(20, rack, 520)
    broken = list(Device.objects.values_list("pk", flat=True))
    timers_due(9, rack)
    well = Device.objects.exclude(pk__in=broken).get()
    later = clock.now() + timedelta(minutes=1)
    rows = {"loop": "timers", "times": 1, "until": later, "error": "broken", "first": later, "last": later}
    Parked.objects.bulk_create(Parked(key=str(pk), **rows) for pk in broken)
    Timers(Scope(), Patience(alone=True)).look(clock.now())
    well.refresh_from_db()
    assert well.state_seq > 0


def timers_due(seconds_ago: float, rack: Rack, number: int = 1) -> None:
    """Make devices of a rack whose timers nobody came for."""
    deadline = clock.now() - timedelta(seconds=seconds_ago)
    make_devices(number, state="mobile_init_started", deadline=deadline, rack=rack, power_controller=None)


def test_a_heartbeat_tells_that_timers_are_met_and_not_that_a_thread_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_image()
    slow, well = make_rack("p1"), make_rack("p2")
    timers_due(20, slow, 3)
    everything = Scope()
    timers = Timers(everything, Patience(alone=True))
    heart = Heartbeat(everything, timers)
    now = clock.now()
    assert heart.look(now) == now + timedelta(
        seconds=1
    )  # nobody has looked at any timer yet; soon somebody will
    assert seen(slow, well) == [False, False]
    monkeypatch.setattr(Timers, "budget", timedelta(0))  # one timer a look
    timers.look(clock.now())
    heart.look(clock.now())
    assert seen(slow, well) == [False, True]  # two timers are left, and were due long ago
    for _ in range(2):
        timers.look(clock.now())
    heart.look(clock.now())
    assert seen(slow, well) == [True, True]
    Rack.objects.update(pulse_seen=None)
    moment = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: moment + 11)
    heart.look(clock.now())
    assert seen(slow, well) == [False, False]  # whoever looks at timers hangs


def seen(*racks: Rack) -> list[bool]:
    """Whether a pulse was seen at each of the racks."""
    return [Rack.objects.get(pk=rack.pk).pulse_seen is not None for rack in racks]


def test_a_chore_that_takes_for_ever_silences_no_rack_and_a_pulse_ends_in_time_all_the_same() -> None:
    rack = make_rack("p1")
    ended, stop = threading.Event(), threading.Event()

    class Endless(Loop):
        name = "endless"

        def look(self, now: datetime) -> None:
            ended.wait(60)

    pulse = Pulse(*rack_loops(Scope(), Patience()), [Endless()])
    told: list[bool] = []
    thread = threading.Thread(target=lambda: told.append(pulse.run(stop, 1)))
    thread.start()
    try:
        waits_for(lambda: seen(rack) == [True])
    finally:
        stop.set()
        thread.join(10)
        ended.set()
    assert told == [False]  # it was left as it was, within the second that it had


def test_a_loop_that_fails_as_a_whole_is_parked_alone_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rack = make_rack("p1")

    def broken(self: BootFiles, now: datetime) -> None:
        raise ValueError("no folder")

    monkeypatch.setattr(BootFiles, "look", broken)
    rack_beats().beat()
    assert list(Parked.objects.values_list("loop", "key", "error")) == [
        ("boot files", "", "ValueError: no folder")
    ]
    assert seen(rack) == [True]


def waits_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds, for 20 s at most."""
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)
