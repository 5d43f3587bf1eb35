"""Each invariant is broken by hand, as no program of ours would, and found; a pool at work breaks none."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import PositiveBigIntegerField, QuerySet
from django.test.utils import CaptureQueriesContext

from bmm.models import Kind, Operation, Status
from bmm.operations import claim, queue_question
from devices.models import Device, Journal, PowerController, Rack
from lifeguard.services import force_state
from mozpool_site import clock
from mozpool_site.pulse.models import Parked
from mozpool_site.statemachine.runner import Actor
from requests_app.invariants import CHECKS, findings
from requests_app.models import PoolLease, Request
from tests.integration.invariants.conftest import Pool

Break = Callable[[Pool], object]
AGO = timedelta(minutes=10)


def device(row: Device, **columns: object) -> None:
    # As no program of ours can: past what keeps a device's kind.
    assert QuerySet(Device).filter(pk=row.pk).update(**columns) == 1


def request(row: Request, **columns: object) -> None:
    assert Request.objects.filter(pk=row.pk).update(**columns) == 1


def operation(row: Operation, **columns: object) -> None:
    assert Operation.objects.filter(pk=row.pk).update(**columns) == 1


def held_by_the_undead(pool: Pool) -> None:
    device(pool.idle, held_by=pool.closed.pk, idle_since=None)
    request(pool.closed, ended=None)


def left_long_ago(pool: Pool) -> None:
    """Take the device out of ready, and let everything that the journal tells have happened before."""
    Journal.objects.update(time=clock.now() - AGO)
    device(pool.ready_device, state="troubleshooting", deadline=None)


def second_runner(pool: Pool) -> None:
    """Let another operation of the same controller run under another name."""
    now = clock.now()
    other = Device.objects.filter(power_controller=pool.pending_device.power_controller)
    Operation.objects.create(
        device=(neighbour := other.exclude(pk=pool.pending_device.pk).earliest("pk")),
        rack_id=neighbour.rack_id,
        controller_id=neighbour.power_controller_id,
        kind="power_off",
        status=Status.RUNNING,
        runner="host:9:abc:2",
        running_on=neighbour.pk,
        created=now,
        not_before=now,
        lease_until=now + timedelta(seconds=30),
    )


# What is done, the rule that finds it, the table, and words of the message.
BREAKAGES: dict[str, tuple[Break, str, str, str]] = {
    "a device is held by a request that never was": (
        lambda p: device(p.idle, held_by=999_999, idle_since=None),
        "I2",
        "device",
        "is held by request 999999, which does not exist",
    ),
    "a device is held by a request that has ended": (
        lambda p: device(p.idle, held_by=p.closed.pk, idle_since=None),
        "I4",
        "device",
        "which has ended",
    ),
    "a device is held by a request that is closed but has no end": (
        held_by_the_undead,
        "I4",
        "request",
        "is closed, but its end is None",
    ),
    "a device is held by a request for another one": (
        lambda p: request(p.pending, requested_device=p.idle),
        "I2",
        "device",
        "which asked for another device or another environment",
    ),
    "a device is held by a request for another environment": (
        lambda p: request(p.pending, environment="nowhere"),
        "I2",
        "device",
        "which asked for another device or another environment",
    ),
    "a request searches while it holds": (
        lambda p: device(p.idle, held_by=p.waiting.pk, idle_since=None, environment="nowhere"),
        "I2",
        "request",
        "looks for a device and holds one",
    ),
    "a request lost the device that is prepared for it": (
        lambda p: device(p.pending_device, held_by=None),
        "I2",
        "request",
        "is pending and holds no device",
    ),
    "a request is ready and its device is not": (
        left_long_ago,
        "I3",
        "request",
        "holds no device that is ready with its image",
    ),
    "a request is ready with another boot config": (
        lambda p: request(p.ready, boot_config='{"b2gbase": "http://localhost/other"}'),
        "I3",
        "request",
        "holds no device that is ready with its image",
    ),
    "a request is ready and nothing is installed": (
        lambda p: device(p.ready_device, image=None, boot_config=""),
        "I3",
        "request",
        "holds no device that is ready with its image",
    ),
    "a live request has an end": (
        lambda p: request(p.waiting, ended=clock.now()),
        "I4",
        "request",
        "is finding_device, but its end is 2",
    ),
    "a busy device is listed as idle": (
        lambda p: device(p.pending_device, idle_since=clock.now()),
        "idle",
        "device",
        "is listed as idle, but is pxe_power_cycling",
    ),
    "a held device is listed as idle": (
        lambda p: device(p.ready_device, idle_since=clock.now()),
        "idle",
        "device",
        "is listed as idle, but is ready and held by",
    ),
    "a device is searched for in another environment": (
        lambda p: device(p.idle, environment="nowhere"),
        "kind",
        "device",
        "is searched for in",
    ),
    "a device is searched for without its tags": (
        lambda p: device(p.idle, tags=["new"]),
        "kind",
        "device",
        "with the tags [], which is not what it is",
    ),
    "a request for any device waits where nobody looks": (
        lambda p: request(p.waiting, wish=0),
        "wish",
        "request",
        "waits as one of the wish 0",
    ),
    "a request for one device waits for another": (
        lambda p: request(p.waiting, requested_device=p.idle),
        "wish",
        "request",
        "which is not what it asked for",
    ),
    "a free device is not listed": (
        lambda p: device(p.idle, idle_since=None),
        "idle",
        "device",
        "is ready and held by nobody, but not listed",
    ),
    "a device is stored in a passing state": (
        lambda p: device(p.pending_device, state="operation_complete"),
        "I5",
        "device",
        "is in operation_complete, where nothing can rest",
    ),
    "a device is in a state of an older release": (
        lambda p: device(p.pending_device, state="b2g_downloading"),
        "I5",
        "device",
        "is in b2g_downloading, where nothing can rest",
    ),
    "a request is in a state that the table does not know": (
        lambda p: request(p.waiting, state="searching"),
        "I5",
        "request",
        "is in searching, where nothing can rest",
    ),
    "a device waits for ever": (
        lambda p: device(p.pending_device, deadline=None),
        "I5",
        "device",
        "waits in pxe_power_cycling without a deadline",
    ),
    "a device at rest has a deadline": (
        lambda p: device(p.idle, state="failed_self_test", idle_since=None),
        "I5",
        "device",
        "rests in failed_self_test, but has a deadline",
    ),
    "a request waits for ever": (
        lambda p: request(p.waiting, deadline=None),
        "I5",
        "request",
        "waits in finding_device without a deadline",
    ),
    "a ready request has a deadline": (
        lambda p: request(p.ready, deadline=clock.now() + AGO),
        "I5",
        "request",
        "rests in ready, but has a deadline",
    ),
    "an operation is open in a steady state": (
        lambda p: device(p.pending_device, state="troubleshooting", deadline=None),
        "I6",
        "operation",
        "is in troubleshooting, which starts none",
    ),
    "an operation of a past state is open": (
        lambda p: device(p.pending_device, state_seq=p.pending_device.state_seq + 1),
        "I6",
        "operation",
        "is running for state ",
    ),
    "a device's state_seq goes back": (
        lambda p: device(p.pending_device, state_seq=p.pending_device.state_seq - 1),
        "I7",
        "operation",
        "it is back at state_seq",
    ),
    "a device's boot_seq goes back": (
        lambda p: device(p.pending_device, boot_seq=0),
        "I7",
        "operation",
        "boot_seq 0",
    ),
    "a device's task_seq goes back": (
        lambda p: device(p.ready_device, task_seq=0),
        "I7",
        "request",
        "is back at an earlier task_seq",
    ),
    "an operation runs without a lease": (
        lambda p: operation(p.running, lease_until=None),
        "I8",
        "operation",
        "its lease None",
    ),
    "an operation runs without its device": (
        lambda p: operation(p.running, running_on=None),
        "I8",
        "operation",
        "running_on is None",
    ),
    "an operation runs on another device": (
        lambda p: operation(p.running, running_on=p.idle.pk),
        "I8",
        "operation",
        "is running, but running_on is",
    ),
    "a question to a controller runs without a lease": (
        lambda p: operation(
            p.running, device=None, running_on=None, lease_until=None, kind="test_controller"
        ),
        "I8",
        "operation",
        " of relay-",
    ),
    "an operation runs for nobody": (
        lambda p: operation(p.running, runner=""),
        "I8",
        "operation",
        "its runner ''",
    ),
    "an operation that is done keeps its device": (
        lambda p: operation(p.running, status=Status.DONE),
        "I8",
        "operation",
        "is done, but running_on is",
    ),
    "an operation that waits keeps a lease": (
        lambda p: operation(p.running, status=Status.QUEUED, running_on=None),
        "I8",
        "operation",
        "is queued, but running_on is None, its lease 2",
    ),
    "two runners share a power controller": (second_runner, "I8", "power controller", "two runners drain"),
    "an operation's runner died and nobody noticed": (
        lambda p: operation(p.running, lease_until=clock.now() - AGO),
        "I12",
        "operation",
        "is running, its lease long over",
    ),
    "a deadline is long past": (
        lambda p: device(p.pending_device, deadline=clock.now() - AGO),
        "I12",
        "device",
        "is long due in pxe_power_cycling",
    ),
    "an expiry is long past": (
        lambda p: request(p.waiting, expires=clock.now() - AGO),
        "I12",
        "request",
        "is long due in finding_device",
    ),
    "a request leaves its device too early": (
        lambda p: request(p.pending, deadline=clock.now() + timedelta(seconds=1)),
        "bound",
        "request",
        "will leave its device before that one gives up",
    ),
    "a request was left in a silent rack": (
        lambda p: Rack.objects.filter(devices=p.pending_device).update(pulse_seen=clock.now() - AGO),
        "I12",
        "request",
        "still waits on a device of a rack that is silent",
    ),
    "nobody looks after the pool": (
        lambda _: PoolLease.objects.create(name="pool", owner="host:1:abc:2", until=clock.now() - AGO),
        "I12",
        "pool lease",
        "lease pool of host:1:abc:2 is long over",
    ),
    "something is parked for ever": (
        lambda _: Parked.objects.create(
            loop="timers",
            key="7",
            times=3,
            error="ValueError",
            first=clock.now(),
            last=clock.now(),
            until=clock.now() - 2 * AGO,
        ),
        "I12",
        "parked row",
        "timers 7 was parked (ValueError) and never tried again",
    ),
}


def test_a_pool_at_work_breaks_nothing(pool: Pool) -> None:
    assert findings(settle=0) == []


def test_a_question_that_a_controller_is_being_asked_breaks_nothing(pool: Pool) -> None:
    controller = PowerController.objects.exclude(operations=pool.running).earliest("pk")
    question = queue_question(controller, Kind.TEST_CONTROLLER, clock.now())
    assert claim(question, clock.now())
    assert findings(settle=0) == []


@pytest.mark.parametrize("what", BREAKAGES)
def test_it_is_found_that(pool: Pool, what: str) -> None:
    spoil, rule, table, words = BREAKAGES[what]
    spoil(pool)
    found = findings(settle=0)
    assert [one for one in found if (one.rule, one.table) == (rule, table) and words in one.message] != [], (
        found
    )


def test_every_check_has_been_seen_to_find_something(pool: Pool) -> None:
    silent = {check.says for check in CHECKS}
    for spoil, *_ in BREAKAGES.values():
        with connection.cursor() as cursor:
            cursor.execute("SAVEPOINT before_breaking")
            spoil(pool)
            silent -= {check.says for check in CHECKS if check.broken(clock.now())}
            cursor.execute("ROLLBACK TO SAVEPOINT before_breaking")
    assert silent == set()


def test_a_finding_names_its_row_and_no_other(pool: Pool) -> None:
    device(pool.idle, idle_since=None)
    (found,) = findings(settle=0)
    assert (found.rule, found.table, found.pk) == ("idle", "device", pool.idle.pk)
    assert found.message == f"{pool.idle.name} is ready and held by nobody, but not listed as idle"


def test_a_device_that_has_just_left_ready_is_tolerated_for_ten_seconds(pool: Pool) -> None:
    force_state(pool.ready_device.pk, "ready", "troubleshooting", by=Actor("tester", "user"))
    Request.objects.filter(pk=pool.ready.pk).update(state="ready", deadline=None)
    left = Journal.objects.filter(device_id=pool.ready_device.pk)
    left.update(time=clock.now() - timedelta(seconds=8))
    assert findings(settle=0) == []
    left.update(time=clock.now() - timedelta(seconds=11))
    assert [one.rule for one in findings(settle=0)] == ["I3"]


@pytest.mark.django_db(transaction=True)
def test_what_is_put_right_before_the_second_look_is_no_finding(pool: Pool) -> None:
    since = pool.idle.idle_since
    device(pool.idle, idle_since=None)

    def mend() -> None:
        device(pool.idle, idle_since=since)
        connection.close()

    mender = threading.Timer(0.2, mend)
    mender.start()
    assert findings(settle=1) == []
    mender.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("model", "name", "rule"), [(Device, "held_by", "I1"), (Operation, "running_on", "I8")]
)
def test_a_unique_index_that_somebody_dropped_is_found(
    model: type[Device | Operation], name: str, rule: str
) -> None:
    unique = model._meta.get_field(name)
    assert isinstance(unique, PositiveBigIntegerField)
    plain = PositiveBigIntegerField(null=True)
    plain.set_attributes_from_name(name)
    plain.model = model
    with connection.schema_editor() as editor:
        editor.alter_field(model, unique, plain)
    try:
        (found,) = findings(settle=0)
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(model, plain, unique)
    assert (found.rule, found.pk) == (rule, model._meta.db_table)
    assert "has no unique index" in found.message
    assert findings(settle=0) == []


def test_the_number_of_queries_does_not_grow_with_what_is_wrong(pool: Pool) -> None:
    with CaptureQueriesContext(connection) as calm:
        findings(settle=0)
    Device.objects.filter(idle_since__isnull=False).update(idle_since=None)
    with CaptureQueriesContext(connection) as stormy:
        assert len(findings(settle=0)) == 4
    assert len(stormy) - len(calm) <= 2


def test_no_controller_is_named_when_one_runner_drains_a_whole_batch(pool: Pool) -> None:
    second_runner(pool)
    Operation.objects.filter(status=Status.RUNNING).update(runner="host:1:abc:2")
    assert PowerController.objects.exists()
    assert findings(settle=0) == []
