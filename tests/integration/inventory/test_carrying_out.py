"""What a carried-out plan leaves behind in the database: devices, their stories, and the trail."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.inventory import sources
from devices.inventory.declared import find
from devices.models import Device, Journal
from lifeguard import services
from lifeguard.inventory import carry_out, plan_of
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.access.models import AuditEntry
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from mozpool_site.statemachine.spec import TIMEOUT
from requests_app.services import return_request
from tests.factories import change, file_order, make_image
from tests.integration.inventory.conftest import Sync

pytestmark = pytest.mark.django_db
Write = Callable[..., Path]
ME = Actor("me", "user")


def states() -> dict[str, str]:
    return dict(Device.objects.values_list("name", "state"))


def story(name: str) -> list[str]:
    device = Device.objects.get(name=name)
    return list(Journal.objects.filter(device_id=device.pk).order_by("pk").values_list("message", flat=True))


def ready(*names: str) -> None:
    now = clock.now()
    Device.objects.filter(name__in=names).update(state="ready", idle_since=now, deadline=None)


def test_a_new_device_starts_as_new_with_its_story_and_is_tested_by_itself(
    sync: Sync, pool_csv: Write
) -> None:
    make_image("self-test")
    status, out, _ = sync(pool_csv(1))
    assert (status, out.splitlines()[-1]) == (0, "entered 1, changed 0, retired 0")
    device = Device.objects.get()
    assert (device.name, device.state, device.inventory_source, device.outlet) == (
        "panda-1", "new", "lab", "bank1:relay2",
    )  # fmt: skip
    assert story("panda-1") == ["entered by inventory lab"]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target, entry.after["mac"], entry.after["source"]) == (
        "inventory_add", "panda-1", "020000000001", "lab",
    )  # fmt: skip
    device_runner.deliver(device.pk, Event(TIMEOUT))
    assert states() == {"panda-1": "pxe_power_cycling"}


def test_the_same_file_again_changes_nothing_and_a_dry_run_never_does(sync: Sync, pool_csv: Write) -> None:
    path = pool_csv(1, 2)
    status, out, _ = sync(path, "--dry-run", "--json")
    assert (status, len(json.loads(out)["plan"]["new"]), json.loads(out)["done"]) == (0, 2, None)
    assert not Device.objects.exists()
    sync(path)
    before = list(Device.objects.values()), Journal.objects.count(), AuditEntry.objects.count()
    assert sync(path)[0] == 0
    assert (list(Device.objects.values()), Journal.objects.count(), AuditEntry.objects.count()) == before


def test_a_change_is_shown_told_and_touches_neither_comments_nor_machine(sync: Sync, pool_csv: Write) -> None:
    sync(pool_csv(1))
    ready("panda-1")
    Device.objects.update(comments="loose cable", boot_seq=7, failures=2)
    status, out, _ = sync(pool_csv(1, environment="staging"), "--as", "lab")
    assert status == 0
    assert " changed   panda-1   environment   production   staging" in out
    device = Device.objects.get()
    assert (device.environment, device.comments, device.boot_seq, device.failures, device.state) == (
        "staging", "loose cable", 7, 2, "ready",
    )  # fmt: skip
    assert story("panda-1")[-1] == "inventory lab: environment changed from production to staging"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.before) == ("inventory_change", {"environment": "production"})


def test_what_is_gone_is_retired_and_comes_back_as_new(sync: Sync, pool_csv: Write) -> None:
    sync(pool_csv(1, 2))
    ready("panda-1", "panda-2")
    assert sync(pool_csv(1))[0] == 0
    assert states() == {"panda-1": "ready", "panda-2": "locked_out"}
    assert Device.objects.get(name="panda-2").idle_since is None
    assert "no longer in inventory lab" in story("panda-2")
    assert AuditEntry.objects.get(action="retire").target == "panda-2"
    assert sync(pool_csv(1))[1].splitlines()[-1] == "entered 0, changed 0, retired 0"
    sync(pool_csv(1, 2))
    assert states() == {"panda-1": "ready", "panda-2": "new"}
    assert Device.objects.get(name="panda-2").gone_since is None


@pytest.mark.django_db(transaction=True)
def test_a_held_device_is_retired_when_it_comes_back_and_nobody_else_gets_it(
    sync: Sync, pool_csv: Write
) -> None:
    image = make_image()
    sync(pool_csv(1))
    ready("panda-1")
    first, second = file_order(image), file_order(image)
    assert Device.objects.get(name="panda-1").held_by == first.pk
    status, out, _ = sync(pool_csv(2))
    assert (status, "retired as soon as nobody holds them: panda-1" in out) == (0, True)
    assert states()["panda-1"] == "pxe_power_cycling"
    return_request(first.pk, by=ME)
    device = Device.objects.get(name="panda-1")
    assert (device.state, device.held_by, device.netboot) == ("locked_out", None, None)
    second.refresh_from_db()
    assert second.state == "finding_device"
    assert not Device.objects.filter(held_by=second.pk).exists()


def test_a_device_with_an_operation_keeps_its_outlet_until_that_is_over(sync: Sync, pool_csv: Write) -> None:
    sync(pool_csv(1))
    ready("panda-1")
    services.please(Device.objects.get().pk, "power_cycle", by=ME)
    status, out, err = sync(pool_csv(1, outlet="bank4:relay8", environment="staging"))
    assert status == 1
    assert err == "inventory_sync: 0 records refused, 1 changes left for the next time\n"
    assert "left: panda-1: outlet: left while power cycle of panda-1 (#" in out
    device = Device.objects.get()
    assert (device.outlet, device.environment) == ("bank1:relay2", "staging")


def test_another_board_in_a_device_s_place_is_tested_first(sync: Sync, pool_csv: Write) -> None:
    make_image("self-test")
    sync(pool_csv(1))
    ready("panda-1")
    sync(pool_csv(1, mac="0200000000ff"))
    assert states() == {"panda-1": "pxe_power_cycling"}


def test_too_much_is_refused_and_done_when_it_is_meant(sync: Sync, pool_csv: Write) -> None:
    status, _, err = sync(pool_csv(*range(1, 7)))
    assert status == 1
    assert err.startswith("inventory_sync: 6 devices would be entered, changed or retired, and 0 are stored")
    assert not Device.objects.exists()
    assert sync(pool_csv(*range(1, 7)), "--ship-it")[0] == 0
    assert Device.objects.count() == 6


@pytest.mark.django_db(transaction=True)
def test_a_plan_that_was_made_before_somebody_else_was_there_does_what_still_can_be_done(
    sync: Sync, pool_csv: Write
) -> None:
    sync(pool_csv(1, 2))
    source = find(str(pool_csv(1, 2, 3, 4, environment="staging")), declared_in=None)
    late = plan_of(source, sources.read(source))
    change(Device.objects.get(name="panda-1"), environment="try")
    Device.objects.filter(name="panda-2").delete()
    sync(pool_csv(3), "--add-only")
    done = carry_out(late, by=ME)
    assert (done.entered, done.changed) == (1, 0)
    assert done.left == [
        ("panda-1", "environment: somebody has changed it meanwhile"),
        ("panda-2", "somebody has deleted it meanwhile"),
        ("panda-3", "its name, MAC, outlet, rack or controller has become another's, or is gone"),
    ]
    assert Device.objects.get(name="panda-1").environment == "try"


def csv(tmp_path: Path, *lines: str) -> Path:
    """Write a file of devices: id, name and the end of the MAC of each."""
    header = "inventory_id,name,mac,fqdn,rack,hardware_type,environment"
    rows = [f"{line},x.lab.example,p1,panda es-b3,staging" for line in lines]
    path = tmp_path / "boards.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_two_sources_that_give_the_same_id_have_a_device_each(sync: Sync, tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.mkdir()
    first, second = csv(one, "101,alpha,02e000000001"), csv(tmp_path, "101,omega,02e000000002")
    for path, name in ((first, "one"), (second, "two"), (first, "one")):
        assert sync(path, "--add-only", "--as", name)[0] == 0
    assert list(Device.objects.order_by("name").values_list("name", "inventory_source", "inventory_id")) == [
        ("alpha", "one", 101),
        ("omega", "two", 101),
    ]


def test_a_name_that_differs_by_case_is_refused_in_the_plan_on_every_database(
    sync: Sync, tmp_path: Path
) -> None:
    sync(csv(tmp_path, "1,panda-0001,02aa00000009"), "--as", "lab")
    for _ in range(2):
        status, out, _ = sync(csv(tmp_path, ",PANDA-0001,02aa00000001"), "--add-only", "--as", "lab")
        assert status == 1
        assert "name: panda-0001 is there already, but for its case" in " ".join(out.split())
    assert list(Device.objects.values_list("name", "mac")) == [("panda-0001", "02aa00000009")]


def test_every_record_that_is_refused_is_shown_and_nobody_is_gone_where_all_are(
    sync: Sync, tmp_path: Path
) -> None:
    sync(csv(tmp_path, "1,panda-0001,02aa00000009"), "--as", "lab")
    path = csv(tmp_path, "7,board-7,000000000000", "8,board-8,ffffffffffff")
    for more in ((), ("--dry-run",)):
        status, out, err = sync(path, "--as", "lab", *more)
        assert status == 1
        assert [f"board-{number} line {number - 5}" in " ".join(out.split()) for number in (7, 8)] == [
            True,
            True,
        ]
        assert err.startswith(
            "inventory_sync: no record of lab can be used, nothing is changed; line 2: mac: "
        )
    assert states() == {"panda-0001": "new"}
