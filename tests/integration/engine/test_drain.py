"""Power operations of one relay board share one connection, and a board's own faults are not its devices'."""

import threading
import time
from datetime import timedelta

import pytest

from bmm import bootfiles, controller_lease, drain, operations
from bmm.drivers.power.proxr import ProXRDriver
from bmm.models import Kind, Operation, Status
from bmm.operations import Answer
from bmm.run import run
from devices.models import Device, PowerController
from lifeguard.reports import report
from lifeguard.services import please
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from tests.factories import make_controller, make_device, make_image
from tests.integration.engine.conftest import Lab
from tests.integration.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
OPERATOR = Actor("ada", "user")


def power_cycled(lab: Lab, number: int) -> tuple[PowerController, list[Device]]:
    """Ask so many devices of one relay board for a power cycle; nobody has begun yet."""
    controller = lab.controller()
    devices = lab.devices(controller, number, image=make_image())
    return controller, [please(device.pk, "power_cycle", by=OPERATOR) for device in devices]


def states(devices: list[Device]) -> set[str]:
    """Give the states that the devices are in now."""
    return set(Device.objects.filter(pk__in=[d.pk for d in devices]).values_list("state", flat=True))


def test_all_power_cycles_that_wait_for_a_board_go_through_one_connection(lab: Lab) -> None:
    _, devices = power_cycled(lab, 8)
    assert run(Operation.objects.first().pk, report)  # type: ignore[union-attr]
    counters = lab.control.relay_board("relay-0").counters
    assert (counters.connections, counters.switches) == (1, 16)
    assert states(devices) == {"port_verifying"}
    assert set(Operation.objects.filter(kind=Kind.POWER_CYCLE).values_list("status", flat=True)) == {
        Status.DONE
    }


def test_two_workers_that_come_for_one_board_share_it_and_nobody_is_turned_away(lab: Lab) -> None:
    controller, devices = power_cycled(lab, 6)
    served = in_threads(3, lambda _: drain.drain(controller.pk, report))
    assert sum(served) == 6
    counters = lab.control.relay_board("relay-0").counters
    assert (counters.waited, counters.refused) == (0, 0)
    assert states(devices) == {"port_verifying"}


def test_what_is_queued_while_a_board_is_being_drained_is_served_by_the_same_drain(lab: Lab) -> None:
    controller, devices = power_cycled(lab, 4)
    again = threading.Timer(0.6, lambda: in_threads(1, lambda _: _queue_off(devices[0])))
    again.start()
    try:
        assert drain.drain(controller.pk, report) == 5
    finally:
        again.join()
    assert lab.control.relay_board("relay-0").off == (devices[0].outlet,)


def test_a_power_cycle_that_comes_while_others_rest_joins_them(lab: Lab) -> None:
    controller, devices = power_cycled(lab, 5)
    late = devices[-1]
    Operation.objects.filter(device=late).update(not_before=clock.now() + timedelta(seconds=0.6))
    assert drain.drain(controller.pk, report) == 5
    assert lab.control.relay_board("relay-0").counters.connections == 1
    assert states(devices) == {"port_verifying"}
    # Two cycles one after the other would take two rests.
    moves = {entry.what: entry.time for entry in lab.control.board(lab.board_name(0, 4)).history}
    firsts = {entry.what: entry.time for entry in lab.control.board(lab.board_name(0, 0)).history}
    assert moves["power_off"] < firsts["power_on"]


def _queue_off(device: Device) -> None:
    operations.queue(device, Kind.POWER_OFF, clock.now(), actor="ada")


def test_a_device_without_an_outlet_is_told_so_and_the_others_are_served(lab: Lab) -> None:
    controller, devices = power_cycled(lab, 3)
    Device.objects.filter(pk=devices[1].pk).update(outlet="")
    drain.drain(controller.pk, report)
    devices[1].refresh_from_db()
    assert devices[1].state == "failed_power_cycling"
    assert states([devices[0], devices[2]]) == {"port_verifying"}


def test_an_outlet_that_the_board_cannot_have_is_a_configuration_error_of_that_device_alone(lab: Lab) -> None:
    controller, devices = power_cycled(lab, 2)
    Device.objects.filter(pk=devices[0].pk).update(outlet="bank9:relay1")
    drain.drain(controller.pk, report)
    assert states(devices[:1]) == {"failed_power_cycling"}
    assert "there is no outlet 'bank9:relay1'" in Operation.objects.get(device=devices[0]).message
    assert states(devices[1:]) == {"port_verifying"}


def test_a_silent_board_raises_no_counter_and_is_tried_again_ten_seconds_later(lab: Lab) -> None:
    controller, devices = power_cycled(lab, 1)
    lab.control.fault_relay_board("relay-0", "refused")
    try:
        operations.TIMES[Kind.POWER_CYCLE], normal = (
            operations.Times(3, 30),
            operations.TIMES[Kind.POWER_CYCLE],
        )
        drain.drain(controller.pk, report)
    finally:
        operations.TIMES[Kind.POWER_CYCLE] = normal
        lab.control.heal_relay_board("relay-0")
    device = Device.objects.get(pk=devices[0].pk)
    assert (device.state, device.counters, device.failures) == ("pc_power_cycling", {"repeats": 1}, 0)
    first, second = Operation.objects.order_by("pk")
    assert (first.status, first.result) == (Status.FAILED, Answer.UNREACHABLE)
    assert second.not_before - second.created == timedelta(seconds=10)


def test_one_device_whose_relay_does_not_move_is_itself_to_blame(lab: Lab) -> None:
    controller, devices = power_cycled(lab, 1)
    lab.control.fault_relay_board("relay-0", "wrong_status")
    drain.drain(controller.pk, report)
    operation = Operation.objects.get(device=devices[0])
    assert (operation.status, operation.result) == (Status.FAILED, Answer.FAILED)
    controller.refresh_from_db()
    assert controller.suspect_until is None


def test_three_devices_of_one_board_that_fail_together_make_the_board_suspect(lab: Lab) -> None:
    controller, devices = power_cycled(lab, 3)
    lab.control.fault_relay_board("relay-0", "wrong_status")
    drain.drain(controller.pk, report)
    controller.refresh_from_db()
    assert controller.suspect_until is not None
    assert controller.suspect_until > clock.now() + timedelta(minutes=9)
    results = Operation.objects.filter(status=Status.FAILED).values_list("result", flat=True)
    assert list(results) == [Answer.UNREACHABLE] * 3
    assert [Device.objects.get(pk=device.pk).counters for device in devices] == [{"repeats": 1}] * 3


def test_a_board_that_is_suspect_takes_the_blame_for_the_next_one_too(lab: Lab) -> None:
    controller, devices = power_cycled(lab, 1)
    now = clock.now()
    PowerController.objects.update(
        suspect_until=now + timedelta(minutes=5),
        last_contact=now,
        last_error="switched twice",
        last_error_at=now,
    )
    lab.control.fault_relay_board("relay-0", "wrong_status")
    drain.drain(controller.pk, report)
    assert Operation.objects.filter(device=devices[0]).first().result == Answer.UNREACHABLE  # type: ignore[union-attr]


def test_a_board_that_somebody_else_drains_is_left_alone_until_the_lease_ends(lab: Lab) -> None:
    controller, _ = power_cycled(lab, 1)
    PowerController.objects.update(lease_owner="elsewhere", lease_until=clock.now() + timedelta(seconds=30))
    assert drain.drain(controller.pk, report) == 0
    assert lab.control.relay_board("relay-0").counters.connections == 0
    PowerController.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    assert drain.drain(controller.pk, report) == 1


def test_a_lease_that_was_lost_is_not_prolonged_nor_given_back(lab: Lab) -> None:
    controller = make_controller()
    assert controller_lease.take(controller.pk)
    PowerController.objects.update(lease_owner="elsewhere")
    assert not controller_lease.keep(controller.pk)
    controller_lease.give_back(controller.pk, 1)
    controller.refresh_from_db()
    assert controller.lease_owner == "elsewhere"


def test_a_controller_that_no_driver_knows_is_told_to_every_operation_at_once() -> None:
    controller = make_controller(driver="teletype")
    image = make_image()
    devices = [
        make_device(image=image, power_controller=controller, outlet=f"bank1:relay{n}") for n in (1, 2)
    ]
    for device in devices:
        please(device.pk, "power_cycle", by=OPERATOR)
    assert drain.drain(controller.pk, report) == 2
    assert states(devices) == {"failed_power_cycling"}
    assert set(Operation.objects.values_list("result", flat=True)) == {Answer.MISCONFIGURED}


def test_a_board_boots_from_the_file_that_was_written_before_its_power_went(lab: Lab) -> None:
    controller = lab.controller()
    image = make_image()
    device = lab.devices(controller, 1, image=image)[0]
    lab.control.clear_history()
    please(device.pk, "image", by=OPERATOR, image=image)
    drain.drain(controller.pk, report)
    device.refresh_from_db()
    assert device.state == "pxe_booting"
    ends = time.monotonic() + 5
    name = lab.board_name(0, 0)
    while (
        "netboot" not in (seen := [e.what for e in lab.control.board(name).history])
        and time.monotonic() < ends
    ):
        time.sleep(0.05)
    # The board may still have been coming up from the test before.
    assert seen[seen.index("power_off") :][:3] == ["power_off", "power_on", "netboot"]


def test_an_image_without_a_boot_config_for_the_hardware_fails_before_any_power_goes(lab: Lab) -> None:
    controller = lab.controller()
    image = make_image()
    device = lab.devices(controller, 1, image=image)[0]
    please(device.pk, "image", by=OPERATOR, image=image)
    Device.objects.filter(pk=device.pk).update(netboot=None)
    drain.drain(controller.pk, report)
    device.refresh_from_db()
    assert device.state == "failed_pxe_booting"
    assert lab.control.relay_board("relay-0").counters.switches == 0


def test_one_device_whose_outcome_cannot_be_told_does_not_keep_the_others_of_its_batch_from_theirs(
    lab: Lab,
) -> None:
    controller, devices = power_cycled(lab, 3)

    def cannot_tell(operation: Operation, outcome: operations.Outcome) -> None:
        if operation.device_id == devices[0].pk:
            raise ValueError("no case for it")
        report(operation, outcome)

    assert drain.drain(controller.pk, cannot_tell) == 3
    assert states(devices[:1]) == {"pc_power_cycling"}
    assert states(devices[1:]) == {"port_verifying"}


def test_a_lease_whose_answer_was_lost_on_the_way_is_ours_when_it_is_taken_again() -> None:
    controller = make_controller()
    assert controller_lease.take(controller.pk)
    assert controller_lease.take(controller.pk)
    assert in_threads(1, lambda _: controller_lease.take(controller.pk)) == [False]


def test_a_batch_in_which_something_unforeseen_happens_gives_each_operation_an_outcome(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller, devices = power_cycled(lab, 3)

    def write_all_but_one(device_id: int) -> None:
        if device_id == devices[0].pk:
            raise ValueError("no case for it")

    monkeypatch.setattr(bootfiles, "sync", write_all_but_one)
    assert drain.drain(controller.pk, report) == 3
    results = (
        Operation.objects.exclude(status=Status.QUEUED).order_by("device_id").values_list("result", flat=True)
    )
    assert list(results) == [Answer.UNREACHABLE, Answer.OK, Answer.OK]
    assert Device.objects.get(pk=devices[0].pk).failures == 0


@pytest.mark.parametrize("fault", [KeyError("outlet"), SystemError("interpreter")])
def test_a_driver_that_breaks_as_a_whole_is_the_controllers_fault_and_each_operation_is_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    controller, devices = power_cycled(lab, 2)

    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(ProXRDriver, "cycle", fail)
    assert drain.drain(controller.pk, report) == 2
    told = Operation.objects.exclude(status=Status.QUEUED).values_list("result", "message")
    message = f"switching {controller.name}: an answer that makes no sense ({type(fault).__name__})"
    assert list(told) == [(Answer.UNREACHABLE, message)] * 2
    assert states(devices) == {"pc_power_cycling"}


def test_what_a_driver_says_nothing_of_is_told_to_be_unknown(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller, devices = power_cycled(lab, 2)
    monkeypatch.setattr(ProXRDriver, "cycle", lambda *_, **__: {devices[0].outlet: None})
    assert drain.drain(controller.pk, report) == 2
    results = (
        Operation.objects.exclude(status=Status.QUEUED).order_by("device_id").values_list("result", flat=True)
    )
    assert list(results) == [Answer.OK, Answer.UNREACHABLE]
