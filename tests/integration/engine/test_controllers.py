"""Controllers of any kind: who is to blame, devices that go on one after the other, people who pull plugs."""

import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import ProtectedError

from bmm import by_hand, operations, questions, services
from bmm.checks import power_controllers
from bmm.drain import drain
from bmm.drivers import power
from bmm.drivers.power.proxr import ProXRDriver
from bmm.errors import HardwareError
from bmm.models import HandTask, Kind, Operation, Status
from bmm.operations import Answer, Outcome
from bmm.run import run
from bmm.signals import controller_suspected
from devices.models import Device, Journal, PowerController
from lifeguard.machine import device_runner
from lifeguard.pulse.probes import PROBE_EVERY, SuspectControllers
from lifeguard.reports import report
from lifeguard.services import please
from mozpool_site import clock
from mozpool_site.errors import ConflictError, TooManyError
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from mozpool_site.statemachine.spec import TIMEOUT
from tests.beats import rack_beats
from tests.factories import make_controller, make_device, make_image, make_rack
from tests.integration.engine.conftest import Lab
from tests.servers.process import free_port
from tests.statements import watched
from tests.unit.bmm.power.twins import Twin
from tests.unit.bmm.tcp_server import RelayBoard

pytestmark = pytest.mark.django_db(transaction=True)
ADA, OPERATOR = Actor("ada", "user"), Actor("grace", "user")


@pytest.fixture
def pdu() -> Iterator[Twin]:
    with Twin("snmp_agent", "apc") as agent:
        yield agent


def controller_of(agent: Twin, **columns: Any) -> PowerController:
    settings = {"community": "private", "off_seconds": 0.1}
    return make_controller(agent.address, driver="snmp-apc", settings=settings, **columns)


def plugged(controller: PowerController, number: int) -> list[Device]:
    image = make_image()
    places = range(1, number + 1)
    return [make_device(power_controller=controller, outlet=str(n), image=image) for n in places]


def asked(controller: PowerController, kind: Kind) -> Operation:
    """Ask a controller, as somebody at a page does, and have a worker do it."""
    operation = services.ask_controller(controller.pk, kind, by=ADA).operation
    assert run(operation.pk, report)
    operation.refresh_from_db()
    return operation


def cycle_all(devices: list[Device]) -> None:
    for device in devices:
        please(device.pk, "power_cycle", by=OPERATOR)


def test_a_pdu_drains_its_queue_like_any_relay_board_and_its_health_is_remembered(pdu: Twin) -> None:
    controller = controller_of(pdu)
    devices = plugged(controller, 3)
    cycle_all(devices)
    assert drain(controller.pk, report) == 3
    assert set(Device.objects.values_list("state", flat=True)) == {"port_verifying"}
    assert sorted(pdu.orders) == sorted((str(n), on) for n in (1, 2, 3) for on in (False, True))
    controller.refresh_from_db()
    assert controller.last_contact is not None
    assert (controller.last_error, controller.last_error_at) == ("", None)


def test_devices_go_on_one_after_the_other_also_from_one_batch_to_the_next(pdu: Twin) -> None:
    controller = controller_of(pdu, stagger_seconds=4)
    cycle_all(plugged(controller, 3))
    began = time.monotonic()
    assert drain(controller.pk, report) == 3
    assert time.monotonic() - began > 8
    on = [at for at, (_, on) in zip(pdu.times, pdu.orders, strict=True) if on]
    # Two fit into a batch's 10 s; the third comes in the next one, and keeps its distance all the same.
    assert [order for _, order in pdu.orders] == [False, False, True, True, False, True]
    assert all(later - earlier >= 3.9 for earlier, later in pairwise(on))


@pytest.fixture
def suspected() -> Iterator[list[int]]:
    """Collect what is told of controllers that fall under suspicion."""
    told: list[int] = []

    def note(controller_id: int, **_: object) -> None:
        told.append(controller_id)

    controller_suspected.connect(note)
    yield told
    controller_suspected.disconnect(note)


def silent_plugs(devices: int, **columns: Any) -> PowerController:
    columns = {"driver": "shelly", "settings": {"off_seconds": 0.1}, **columns}
    controller = make_controller(f"127.0.0.1:{free_port()}", **columns)
    cycle_all(plugged(controller, devices))
    return controller


def test_one_batch_of_which_nothing_is_heard_makes_a_controller_suspect_and_no_device_is_blamed(
    suspected: list[int],
) -> None:
    controller = silent_plugs(1)
    drain(controller.pk, report)
    controller.refresh_from_db()
    assert controller.suspect_until is not None
    assert controller.suspect_until > clock.now() + timedelta(minutes=9)
    assert controller.last_contact is None
    assert "Connection refused" in controller.last_error
    device = Device.objects.get()
    assert (device.state, device.counters, device.failures) == ("pc_power_cycling", {"repeats": 1}, 0)
    assert suspected == [controller.pk]


def test_that_a_controller_is_suspect_is_told_once_and_lasts_while_nothing_is_heard(
    suspected: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    controller = silent_plugs(1)
    drain(controller.pk, report)
    almost_over = clock.now() + timedelta(seconds=30)
    PowerController.objects.update(suspect_until=almost_over)
    Operation.objects.filter(status=Status.QUEUED).update(not_before=clock.now())
    drain(controller.pk, report)
    controller.refresh_from_db()
    assert controller.suspect_until is not None
    assert controller.suspect_until > almost_over
    assert suspected == [controller.pk]
    (told,) = [record.message for record in caplog.records if "is suspect" in record.message]
    assert told == f"power controller {controller.name} is suspect: {controller.last_error}"


def test_a_receiver_that_fails_keeps_no_operation_from_its_outcome() -> None:
    def fail(**_: object) -> None:
        raise ValueError("no case for it")

    controller_suspected.connect(fail)
    try:
        controller = silent_plugs(1)
        assert drain(controller.pk, report) == 1
    finally:
        controller_suspected.disconnect(fail)
    assert Operation.objects.order_by("pk").values_list("result", flat=True)[0] == Answer.UNREACHABLE


def test_one_outlet_that_a_sound_board_does_not_answer_for_makes_nobody_suspect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ProXRDriver, "answer_seconds", 0.1)
    monkeypatch.setattr(ProXRDriver, "rest_seconds", 0.1)
    with RelayBoard(lambda command: None if command == bytes((254, 33)) else b"") as board:
        controller = make_controller(board.address)
        cycle_all([make_device(power_controller=controller, outlet="bank4:relay8", image=make_image())])
        drain(controller.pk, report)
    controller.refresh_from_db()
    assert controller.suspect_until is None
    assert Operation.objects.order_by("pk")[0].result == Answer.UNREACHABLE


def test_a_silent_controller_is_trusted_again_once_it_answers(pdu: Twin) -> None:
    soon = clock.now() + timedelta(minutes=5)
    lately = clock.now() - timedelta(seconds=5)
    controller = controller_of(pdu, suspect_until=soon, last_error="no answer", last_error_at=lately)
    assert asked(controller, Kind.TEST_CONTROLLER).status == Status.DONE
    controller.refresh_from_db()
    assert controller.suspect_until is None


def test_a_suspect_controller_is_asked_each_half_minute_until_it_is_well() -> None:
    port = free_port()
    controller = make_controller(f"127.0.0.1:{port}", driver="shelly", settings={"off_seconds": 0.1})
    cycle_all(plugged(controller, 1))
    drain(controller.pk, report)
    controller.refresh_from_db()
    first = controller.suspect_until
    assert first is not None
    loop = SuspectControllers(None)
    tests = Operation.objects.filter(kind=Kind.TEST_CONTROLLER)
    for _ in range(2):
        loop.look(clock.now())
    assert (tests.count(), tests.get().actor) == (1, "")
    drain(controller.pk, report)
    assert tests.get().result == Answer.UNREACHABLE
    controller.refresh_from_db()
    assert controller.suspect_until is not None
    assert controller.suspect_until > first
    loop.look(clock.now())
    assert tests.count() == 1
    loop.look(clock.now() + PROBE_EVERY)
    assert tests.count() == 2
    with Twin("web_plug", "shelly") as plug:
        PowerController.objects.update(address=plug.address)
        drain(controller.pk, report)
    controller.refresh_from_db()
    well_since: Any = controller.suspect_until
    assert (well_since, tests.filter(status=Status.DONE).count()) == (None, 1)
    loop.look(clock.now() + timedelta(minutes=2))
    assert tests.count() == 2


def test_a_controller_of_another_rack_and_a_sound_one_are_not_probed() -> None:
    soon = clock.now() + timedelta(minutes=5)
    ours, theirs = (
        make_controller(suspect_until=soon),
        make_controller(rack=make_rack("p2"), suspect_until=soon),
    )
    make_controller(suspect_until=clock.now() - timedelta(seconds=1))
    SuspectControllers(frozenset({ours.rack_id})).look(clock.now())
    assert Operation.objects.get().controller == ours
    SuspectControllers(None).look(clock.now())
    assert set(Operation.objects.values_list("controller", flat=True)) == {ours.pk, theirs.pk}


def test_a_suspect_board_that_answers_its_test_wrongly_stays_suspect() -> None:
    soon = clock.now() + timedelta(minutes=5)
    with RelayBoard(lambda _: b"\x00") as board:
        controller = make_controller(board.address, suspect_until=soon, last_error_at=clock.now())
        assert asked(controller, Kind.TEST_CONTROLLER).status == Status.FAILED
    controller.refresh_from_db()
    assert controller.suspect_until is not None
    assert controller.suspect_until > soon


def test_one_that_answers_and_does_not_switch_is_trusted_again_once_it_switches(pdu: Twin) -> None:
    soon = clock.now() + timedelta(minutes=5)
    lately = clock.now() - timedelta(seconds=5)
    controller = controller_of(pdu, suspect_until=soon, last_contact=lately, last_error_at=lately)
    assert asked(controller, Kind.TEST_CONTROLLER).status == Status.DONE
    controller.refresh_from_db()
    assert controller.suspect_until == soon
    cycle_all(plugged(controller, 1))
    drain(controller.pk, report)
    controller.refresh_from_db()
    assert controller.suspect_until is None


def test_a_wrong_password_is_nobodys_illness() -> None:
    with Twin("web_plug", "shelly", "--password", "sesame") as plug:
        controller = make_controller(plug.address, driver="shelly", settings={"off_seconds": 0.1})
        cycle_all(plugged(controller, 3))
        drain(controller.pk, report)
    controller.refresh_from_db()
    assert controller.suspect_until is None
    assert "401" in controller.last_error
    results = Operation.objects.exclude(status=Status.QUEUED).values_list("result", flat=True)
    assert set(results) == {Answer.MISCONFIGURED}


def test_all_outlets_of_a_relay_board_are_read_in_one_go(lab: Lab) -> None:
    controller = lab.controller()
    found = asked(controller, Kind.READ_OUTLETS).found
    assert found is not None
    assert len(found["power"]) == 32
    assert set(found["power"].values()) == {True}
    assert found["errors"] == {}
    assert lab.control.relay_board("relay-0").counters.connections == 1


def test_of_other_controllers_the_outlets_of_their_devices_are_read(pdu: Twin) -> None:
    controller = controller_of(pdu)
    devices = plugged(controller, 2)
    operations.queue(devices[0], Kind.POWER_OFF, clock.now(), actor="ada")
    drain(controller.pk, report)
    read = asked(controller, Kind.READ_OUTLETS)
    assert read.found == {"power": {"1": False, "2": True}, "errors": {}}
    tested = asked(controller, Kind.TEST_CONTROLLER)
    assert (tested.status, tested.message, tested.found) == (Status.DONE, "is well", None)


def test_a_controller_that_cannot_tell_says_so_for_each_outlet() -> None:
    shelf = make_controller("shelf 3", driver="manual")
    make_device(power_controller=shelf, outlet="plug 4")
    assert asked(shelf, Kind.READ_OUTLETS).found == {"power": {"plug 4": None}, "errors": {}}
    tested = asked(shelf, Kind.TEST_CONTROLLER)
    assert (tested.result, "is switched by hand" in tested.message) == (Answer.MISCONFIGURED, True)


def test_what_a_test_meets_is_told_and_remembered(pdu: Twin) -> None:
    silent = make_controller(f"127.0.0.1:{free_port()}", driver="shelly")
    met = asked(silent, Kind.TEST_CONTROLLER)
    assert (met.status, met.result) == (Status.FAILED, Answer.UNREACHABLE)
    assert "Connection refused" in met.message
    assert met.message.endswith("Try again; if it stays so, check power and network of what is named here.")
    silent.refresh_from_db()
    assert (silent.last_contact, "Connection refused" in silent.last_error) == (None, True)
    wrong = asked(make_controller(driver="snmp-apc"), Kind.TEST_CONTROLLER)
    assert (wrong.result, "community is missing" in wrong.message) == (Answer.MISCONFIGURED, True)


def test_a_command_on_the_racks_host_asks_in_its_turn(pdu: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    controller = controller_of(pdu)
    assert questions.ask_from_here(Kind.TEST_CONTROLLER, controller) == Outcome(Answer.OK, "is well")
    monkeypatch.setattr(questions, "_TURN_SECONDS", 0.1)
    busy = controller_of(pdu, lease_owner="elsewhere", lease_until=clock.now() + timedelta(seconds=60))
    with pytest.raises(ConflictError, match="in use by elsewhere"):
        questions.ask_from_here(Kind.TEST_CONTROLLER, busy)


def test_who_asks_what_is_being_asked_already_gets_the_same_answer() -> None:
    controller = make_controller("shelf 3", driver="manual")
    first = services.ask_controller(controller.pk, Kind.TEST_CONTROLLER, by=ADA)
    other = services.ask_controller(controller.pk, Kind.READ_OUTLETS, by=ADA)
    again = services.ask_controller(controller.pk, Kind.TEST_CONTROLLER, by=OPERATOR)
    assert (first.is_new, other.is_new, again.is_new) == (True, True, False)
    assert again.operation == first.operation != other.operation
    assert drain(controller.pk, report) == 2
    assert services.ask_controller(controller.pk, Kind.TEST_CONTROLLER, by=OPERATOR).is_new


def test_nobody_can_pile_up_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_MOST_OPEN", 2)
    controllers = [make_controller("shelf", driver="manual") for _ in range(3)]
    for controller in controllers[:2]:
        services.ask_controller(controller.pk, Kind.TEST_CONTROLLER, by=ADA)
    with pytest.raises(TooManyError, match="ada waits for 2 answers of hardware already"):
        services.ask_controller(controllers[2].pk, Kind.TEST_CONTROLLER, by=ADA)
    # Who joins asks for nothing new, and others are not kept from asking.
    assert not services.ask_controller(controllers[0].pk, Kind.TEST_CONTROLLER, by=ADA).is_new
    assert services.ask_controller(controllers[2].pk, Kind.TEST_CONTROLLER, by=OPERATOR).is_new


def test_questions_that_nobody_has_come_for_keep_nobody_from_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_MOST_OPEN", 1)
    first, second = make_controller("shelf", driver="manual"), make_controller("shelf", driver="manual")
    services.ask_controller(first.pk, Kind.TEST_CONTROLLER, by=ADA)
    Operation.objects.update(created=clock.now() - timedelta(minutes=6))
    assert services.ask_controller(second.pk, Kind.TEST_CONTROLLER, by=ADA).is_new


def test_power_work_and_questions_of_a_board_share_one_connection_and_power_comes_first(lab: Lab) -> None:
    controller = lab.controller()
    devices = lab.devices(controller, 2, image=make_image())
    services.ask_controller(controller.pk, Kind.READ_OUTLETS, by=ADA)
    services.ask_controller(controller.pk, Kind.TEST_CONTROLLER, by=ADA)
    operations.queue(devices[0], Kind.POWER_OFF, clock.now(), actor="ada")
    assert drain(controller.pk, report) == 3
    read = Operation.objects.get(kind=Kind.READ_OUTLETS)
    # It was asked before the power went, and answered after it.
    assert read.found is not None
    assert [outlet for outlet, on in read.found["power"].items() if not on] == [devices[0].outlet]
    assert Operation.objects.get(kind=Kind.TEST_CONTROLLER).status == Status.DONE
    assert lab.control.relay_board("relay-0").counters.connections == 1


def test_a_question_whose_worker_died_is_lost_and_may_be_asked_again() -> None:
    controller = make_controller("shelf", driver="manual")
    asked = services.ask_controller(controller.pk, Kind.TEST_CONTROLLER, by=ADA).operation
    assert operations.claim(asked, clock.now())
    Operation.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    rack_beats().beat(clock.now())
    asked.refresh_from_db()
    assert (asked.status, asked.running_on) == (Status.LOST, None)
    assert services.ask_controller(controller.pk, Kind.TEST_CONTROLLER, by=ADA).is_new


def test_a_controller_that_was_only_asked_can_be_deleted_and_one_that_switched_cannot() -> None:
    controller = make_controller("shelf", driver="manual")
    asked(controller, Kind.TEST_CONTROLLER)
    controller.delete()
    assert not Operation.objects.exists()
    shelf, device = shelf_with_device()
    operations.queue(device, Kind.POWER_OFF, clock.now(), actor="ada")
    Device.objects.filter(pk=device.pk).update(power_controller=None, outlet="")
    with pytest.raises(ProtectedError):
        shelf.delete()


def test_that_a_controller_has_switched_for_years_is_told_without_reading_all_that_it_switched() -> None:
    shelf, device = shelf_with_device()
    done = {"kind": Kind.POWER_OFF, "status": Status.DONE, "created": clock.now(), "not_before": clock.now()}
    Operation.objects.bulk_create(
        Operation(device=device, rack=device.rack, controller=shelf, **done) for _ in range(3_000)
    )
    Device.objects.filter(pk=device.pk).update(power_controller=None, outlet="")
    with watched() as statements, pytest.raises(ProtectedError):
        shelf.delete()
    assert sum(one.rows for one in statements) < 200


def test_an_operation_is_about_a_device_or_a_question_to_a_controller() -> None:
    controller = make_controller("shelf", driver="manual")
    with pytest.raises(IntegrityError):
        operations.queue_question(controller, Kind.POWER_OFF, clock.now())


def shelf_with_device() -> tuple[PowerController, Device]:
    shelf = make_controller("shelf 3, behind the door", driver="manual")
    return shelf, make_device(power_controller=shelf, outlet="plug 4", image=make_image())


def wanted() -> bool:
    """Say whether the one task is still waited for."""
    return bool(vars(by_hand.with_need(HandTask.objects.all()).get())["wanted"])


def due_again() -> Operation:
    """Let the pause of the waiting operation be over."""
    Operation.objects.filter(status=Status.QUEUED).update(not_before=clock.now())
    return Operation.objects.get(status=Status.QUEUED)


def test_a_person_is_asked_once_and_the_operation_waits_without_a_lease_until_it_is_confirmed() -> None:
    _, device = shelf_with_device()
    please(device.pk, "power_cycle", by=OPERATOR)
    for _ in range(3):
        assert run(due_again().pk, report)
        waiting = Operation.objects.get()
        assert (waiting.status, waiting.running_on, waiting.lease_until) == (Status.QUEUED, None, None)
        assert timedelta(seconds=4) < waiting.not_before - clock.now() <= timedelta(seconds=5)
    task = HandTask.objects.get()
    assert str(task).endswith(": off, count to ten, on again")
    assert wanted() is True
    assert by_hand.confirm(task.pk, by=ADA)
    # Confirming wakes it: nobody waits out the pause.
    assert run(Operation.objects.get(status=Status.QUEUED, not_before__lte=clock.now()).pk, report)
    device.refresh_from_db()
    assert device.state == "port_verifying"
    done = Operation.objects.filter(kind=Kind.POWER_CYCLE).get()
    assert (done.status, done.message) == (Status.DONE, "switched by hand by ada")
    told = Journal.objects.filter(device_id=device.pk, event="hand_task").values_list("message", flat=True)
    assert [line.partition(":")[0] for line in told] == ["a person is asked", "done by hand"]


def test_a_state_that_tries_again_finds_the_task_that_was_opened_before() -> None:
    _, device = shelf_with_device()
    please(device.pk, "power_cycle", by=OPERATOR)
    run(due_again().pk, report)
    Device.objects.filter(pk=device.pk).update(deadline=clock.now() - timedelta(seconds=1))
    assert device_runner.deliver(device.pk, Event(TIMEOUT)).moved
    run(due_again().pk, report)
    assert HandTask.objects.count() == 1
    assert Operation.objects.filter(status=Status.SUPERSEDED).count() == 1


def test_a_task_that_nobody_waits_for_cannot_be_confirmed_and_another_wish_calls_it_off() -> None:
    shelf, device = shelf_with_device()
    please(device.pk, "power_cycle", by=OPERATOR)
    run(due_again().pk, report)
    operations.supersede(device)
    task = HandTask.objects.get()
    assert wanted() is False
    assert by_hand.confirm(task.pk, by=ADA) is False
    operations.queue(device, Kind.POWER_OFF, clock.now(), actor="ada")
    drain(shelf.pk, report)
    task.refresh_from_db()
    assert (task.open_for, task.done_at) == (None, None)
    assert HandTask.objects.get(open_for=device.pk).kind == Kind.POWER_OFF


def test_what_was_confirmed_long_ago_does_not_count_for_a_new_wish() -> None:
    shelf, device = shelf_with_device()
    long_ago = clock.now() - timedelta(hours=1)
    HandTask.objects.create(
        device=device, controller=shelf, outlet="plug 4", kind=Kind.POWER_OFF, asked_at=long_ago,
        open_for=device.pk, done_at=long_ago, done_by="ada",
    )  # fmt: skip
    operations.queue(device, Kind.POWER_OFF, clock.now(), actor="grace")
    drain(shelf.pk, report)
    assert Operation.objects.get().status == Status.QUEUED
    assert HandTask.objects.filter(done_at=None).count() == 1


def test_what_a_person_asked_for_past_lifeguard_is_given_up_after_four_hours() -> None:
    shelf, device = shelf_with_device()
    operation = operations.queue(device, Kind.POWER_OFF, clock.now(), actor="grace")
    drain(shelf.pk, report)
    Operation.objects.update(created=clock.now() - timedelta(hours=4, seconds=1), not_before=clock.now())
    drain(shelf.pk, report)
    operation.refresh_from_db()
    assert (operation.status, operation.result) == (Status.FAILED, Answer.UNREACHABLE)
    assert operation.message == "nobody switched it by hand in four hours"
    assert not HandTask.objects.filter(open_for=device.pk).exists()


def test_a_driver_whose_library_is_missing_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing = power.Later("bmm.drivers.power.no_such_module", "ApcDriver", "pysnmp")
    monkeypatch.setitem(power.LATER, "snmp-apc", missing)
    make_controller("10.1.0.7", driver="snmp-apc", settings={"community": "private"})
    (error,) = power_controllers(databases=["default"])
    assert error.id == "bmm.E001"
    assert "needs the package pysnmp: pip install -r requirements-power.txt" in error.msg


@pytest.mark.parametrize("name", power.driver_names())
def test_every_driver_that_we_name_is_there_and_says_what_it_wants(name: str) -> None:
    driver = power.driver_class(name)
    assert driver.outlet_grammar
    assert driver.address_help
    for spec in driver.settings:
        assert spec.default is None or spec.read(spec.default) == spec.default
        assert not spec.secret or spec.default in (None, "")
    with pytest.raises(HardwareError):
        driver.check_outlet("no such outlet; rm -rf /")


def bmc(address: str = "127.0.0.1:1", **settings: float) -> PowerController:
    """A service processor by Redfish."""
    login = {"user": "admin", "password": "sesame", "https": False, "off_seconds": 0.1}
    return make_controller(address, driver="redfish", settings={**login, **settings})


@pytest.mark.parametrize(
    ("settle", "timeout"),
    # Twice what goes beyond 8 s for the state to show and for 6 s of asking, and a minute as for all.
    [({}, 116), ({"settle_seconds": 2}, 60), ({"settle_seconds": 100.0}, 256)],
)
def test_the_state_waits_as_long_as_the_devices_power_controller_may_take(
    settle: dict[str, Any], timeout: float
) -> None:
    (device,) = plugged(bmc(**settle), 1)
    please(device.pk, "power_cycle", by=OPERATOR)
    device.refresh_from_db()
    assert device.state == "pc_power_cycling"
    assert device.deadline is not None
    assert device.deadline - device.state_since == timedelta(seconds=timeout)


def test_the_power_of_other_devices_is_waited_for_as_ever() -> None:
    bmc()
    (device,) = plugged(make_controller("127.0.0.1:2"), 1)
    please(device.pk, "power_cycle", by=OPERATOR)
    device.refresh_from_db()
    assert device.deadline is not None
    assert device.deadline - device.state_since == timedelta(seconds=60)


def test_a_service_processor_that_takes_longer_than_an_ordinary_batch_is_waited_for_under_its_lease() -> None:
    with Twin("redfish", "--lag", "13") as service:
        controller = bmc(service.address)
        (device,) = plugged(controller, 1)
        please(device.pk, "power_cycle", by=OPERATOR)
        leases: list[timedelta] = []

        def watch(operation: Operation, outcome: Outcome) -> None:
            row = Operation.objects.select_related("controller").get(pk=operation.pk)
            leases.extend(
                until - row.begun
                for until in (row.lease_until, row.controller.lease_until)  # type: ignore[union-attr]
                if until is not None and row.begun is not None
            )
            report(operation, outcome)

        began = time.monotonic()
        drain(controller.pk, watch)
        assert time.monotonic() - began > 26
    device.refresh_from_db()
    assert device.state == "port_verifying"
    assert Operation.objects.get(kind=Kind.POWER_CYCLE).status == Status.DONE
    assert all(lease > timedelta(seconds=85) for lease in leases)
    assert len(leases) == 2
