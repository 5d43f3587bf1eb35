"""What the database really says under contention, and what becomes of a transaction then."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection, transaction

from bmm import operations
from bmm.models import Kind, Operation, Status
from bmm.operations import Answer, Outcome
from devices.models import Device
from lifeguard.reports import report
from mozpool_site import clock
from mozpool_site.transactions import TRIES, retrying
from tests.factories import make_device, make_devices
from tests.integration.threads import in_threads
from tests.servers.process import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mariadb() -> None:
    """Skip where the database is not MariaDB: `make test` runs everything on both."""
    if connection.vendor != "mysql":
        pytest.skip("MariaDB only")


@pytest.fixture
def sqlite() -> None:
    """Skip where the database is not SQLite: `make test` runs everything on both."""
    if connection.vendor != "sqlite":
        pytest.skip("SQLite only")


def write(device: Device, comment: str) -> None:
    """Write to a row, and so hold its lock until the transaction ends."""
    Device.objects.filter(pk=device.pk).update(comments=comment)


def own_id() -> int:
    """Give the server's number of this thread's connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        return int(cursor.fetchone()[0])


def kill(connection_id: int) -> None:
    """Have the server end a connection, from another one."""

    def from_another(_: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"KILL {connection_id}")

    in_threads(1, from_another)


def killed_at_first(work: Callable[[], object]) -> Callable[[], int]:
    """Give a transaction whose connection is killed in its first try; it tells how often it was tried."""
    tries: list[int] = []

    @retrying
    def transact() -> int:
        tries.append(own_id())
        if len(tries) == 1:
            kill(tries[0])
        work()
        return len(tries)

    return transact


def test_two_transactions_that_lock_in_opposite_order_both_succeed(mariadb: None) -> None:
    devices = make_devices(2)
    both_hold_one = threading.Barrier(2)
    tries = [0, 0]

    def opposite(index: int) -> None:
        @retrying
        def transact() -> None:
            tries[index] += 1
            write(devices[index], f"{index}")
            if tries[index] == 1:
                both_hold_one.wait(5)
            write(devices[1 - index], f"{index}")

        transact()

    in_threads(2, opposite)
    # InnoDB chose one victim (error 1213), and it started over.
    assert sorted(tries) == [1, 2]
    comments = set(Device.objects.values_list("comments", flat=True))
    assert len(comments) == 1


def test_a_deadlock_is_really_one_and_ends_with_error_1213_without_the_wrapper(mariadb: None) -> None:
    devices = make_devices(2)
    both_hold_one = threading.Barrier(2)

    def opposite(index: int) -> int:
        try:
            with transaction.atomic():
                write(devices[index], f"{index}")
                both_hold_one.wait(5)
                write(devices[1 - index], f"{index}")
        except OperationalError as error:
            return int(error.args[0])
        return 0

    assert sorted(in_threads(2, opposite)) == [0, 1213]


def test_a_lock_that_is_held_too_long_is_waited_for_again(mariadb: None) -> None:
    device = make_device()
    held, tries = threading.Event(), []

    @retrying
    def second() -> None:
        tries.append(time.monotonic())
        write(device, "second")

    def both(index: int) -> None:
        if index == 0:
            with transaction.atomic():
                write(device, "first")
                held.set()
                time.sleep(1.5)
        else:
            held.wait(5)
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
            second()

    in_threads(2, both)
    device.refresh_from_db()
    assert device.comments == "second"
    assert len(tries) == 2


def test_a_transaction_whose_connection_is_killed_starts_over_on_a_new_one(mariadb: None) -> None:
    device = make_device()
    transact = killed_at_first(lambda: write(device, "done"))
    assert transact() == 2
    device.refresh_from_db()
    assert device.comments == "done"


def test_a_transaction_that_is_killed_in_the_middle_of_a_query_starts_over(mariadb: None) -> None:
    device = make_device()
    tries: list[int] = []

    @retrying
    def transact() -> None:
        tries.append(own_id())
        write(device, "done")
        if len(tries) == 1:
            threading.Timer(0.3, in_threads, (1, lambda _: kill(tries[0]))).start()
            with connection.cursor() as cursor:
                cursor.execute("SELECT SLEEP(60)")

    began = time.monotonic()
    transact()
    assert time.monotonic() - began < 50
    assert len(tries) == 2
    device.refresh_from_db()
    assert device.comments == "done"


def test_what_a_killed_first_try_wrote_is_not_written_twice(mariadb: None) -> None:
    device = make_device()
    transact = killed_at_first(lambda: operations.queue(device, Kind.PING, clock.now()))
    transact()
    assert Operation.objects.count() == 1


def test_an_error_that_is_no_contention_is_raised_at_once() -> None:
    tries: list[int] = []

    @retrying
    def transact() -> None:
        tries.append(1)
        raise OperationalError(1366, "Incorrect string value")

    with pytest.raises(OperationalError, match="Incorrect"):
        transact()
    assert len(tries) == 1


def test_contention_without_end_is_raised_after_five_tries() -> None:
    tries: list[int] = []

    @retrying
    def transact() -> None:
        tries.append(1)
        raise OperationalError(1213, "Deadlock found")

    with pytest.raises(OperationalError, match="Deadlock"):
        transact()
    assert len(tries) == TRIES


def test_inside_another_transaction_only_the_outermost_starts_over() -> None:
    inner, outer = [], []

    @retrying
    def within() -> None:
        inner.append(1)
        if len(inner) == 1:
            raise OperationalError(1213, "Deadlock found")

    @retrying
    def around() -> None:
        outer.append(1)
        within()

    around()
    assert (len(inner), len(outer)) == (2, 2)


def test_a_busy_sqlite_is_asked_again(sqlite: None) -> None:
    device = make_device()
    held, tries = threading.Event(), []

    def both(index: int) -> None:
        if index == 0:
            with transaction.atomic():
                write(device, "first")
                held.set()
                time.sleep(0.15)
            return
        held.wait(5)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 10")

        @retrying
        def second() -> None:
            tries.append(1)
            write(device, "second")

        second()

    in_threads(2, both)
    device.refresh_from_db()
    assert device.comments == "second"


def test_a_sqlite_that_is_locked_is_waited_for_without_an_error_by_default(sqlite: None) -> None:
    device = make_device()

    def writes(index: int) -> None:
        for _ in range(5):
            with transaction.atomic():
                write(device, f"{index}")
                time.sleep(0.005)

    in_threads(8, writes)


def test_an_outcome_is_kept_until_a_database_that_is_away_comes_back(mariadb: None) -> None:
    device = make_device(state="pc_pinging", state_seq=3)
    operation = operations.queue(device, Kind.PING, clock.now(), state_seq=3)
    assert operations.claim(operation, clock.now())
    port = connection.settings_dict["PORT"]

    def back() -> None:
        connection.settings_dict["PORT"] = port

    settings = connection.settings_dict
    connection.close()
    settings["PORT"] = free_port()
    back_again = threading.Timer(3, lambda: settings.update(PORT=port))
    back_again.start()
    try:
        began = time.monotonic()
        report(operation, Outcome(Answer.OK))
        waited = time.monotonic() - began
    finally:
        back_again.join()
    device.refresh_from_db()
    assert (device.state, Operation.objects.get().status) == ("ready", Status.DONE)
    assert 2.5 < waited < 5
