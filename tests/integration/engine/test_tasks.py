"""What a worker does when a bell rings: the timer's bell brings the check that follows from it along."""

import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bmm import operations
from bmm.models import Operation, Status
from bmm.operations import RUN_TASK
from devices.models import Device
from lifeguard.tasks import fire_timer
from mozpool_site import clock, doorbell
from tests.factories import make_device, make_image

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Collect the bells that go out to the broker."""
    bells: list[tuple[object, ...]] = []

    class Broker:
        def send_task(self, task: str, args: tuple[object, ...], queue: str, **_: object) -> None:
            bells.append((queue, task, *args))

    monkeypatch.setattr(doorbell, "current_app", Broker())
    # Another test of this process may have met a broker that is down.
    monkeypatch.setattr(doorbell, "_silent_until", 0.0)
    return bells


@pytest.fixture
def idle() -> Iterator[Device]:
    """Give a ready device whose port answers and whose health is due for a check."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        image = make_image(verify_port=listener.getsockname()[1])
        yield make_device(
            state="ready", image=image, address="127.0.0.1", deadline=clock.now() - timedelta(seconds=1)
        )


def test_a_worker_whose_timer_starts_a_check_makes_it_without_another_bell(
    idle: Device, rung: list[tuple[object, ...]]
) -> None:
    fire_timer.apply((idle.pk, idle.state_seq), routing_key=idle.rack.queue_name)
    assert [(o.kind, o.status) for o in Operation.objects.all()] == [("check_health", Status.DONE)]
    assert rung == []


def test_a_worker_of_another_rack_rings_for_the_check(idle: Device, rung: list[tuple[object, ...]]) -> None:
    fire_timer.apply((idle.pk, idle.state_seq), routing_key="rack.another")
    operation = Operation.objects.get()
    assert operation.status == Status.QUEUED
    assert rung == [(idle.rack.queue_name, RUN_TASK, operation.pk)]


def test_only_the_first_bell_is_kept_and_only_while_it_is_asked_for(
    idle: Device, rung: list[tuple[object, ...]]
) -> None:
    queue = idle.rack.queue_name
    first, second, third = (Operation(pk=pk, rack_id=idle.rack_id) for pk in (1, 2, 3))
    with doorbell.keeping_one(queue, RUN_TASK) as bell:
        operations.ring(first)
        operations.ring(second)
    operations.ring(third)
    assert bell.args == (1,)
    assert rung == [(queue, RUN_TASK, 2), (queue, RUN_TASK, 3)]


def test_an_error_does_not_leave_the_thread_keeping_bells(
    idle: Device, rung: list[tuple[object, ...]]
) -> None:
    with pytest.raises(ZeroDivisionError), doorbell.keeping_one(idle.rack.queue_name, RUN_TASK):
        raise ZeroDivisionError
    operations.ring(Operation(pk=1, rack_id=idle.rack_id))
    assert len(rung) == 1
