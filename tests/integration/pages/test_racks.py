"""Racks as maps: every device in its place, live, selected, and outlets read back from real controllers."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bmm.drivers.power.proxr import ProXRDriver
from bmm.models import Operation
from bmm.run import run
from devices.models import PowerController
from lifeguard.reports import report
from mozpool_site import clock
from pages import attention
from pages.racks.places import counted
from pages.shell import changes
from requests_app.free_devices import outages
from tests.factories import make_controller, make_device, make_devices, make_rack
from tests.integration.pages.conftest import Person
from tests.unit.bmm.power.twins import Twin

pytestmark = pytest.mark.django_db


def test_relay_10_comes_after_relay_9() -> None:
    names = ["bank10:relay1", "bank2:relay10", "bank2:relay9", "", "b"]
    assert sorted(names, key=counted) == ["", "b", "bank2:relay9", "bank2:relay10", "bank10:relay1"]


def test_all_racks_are_shown_as_people_count_them_with_each_device_as_a_cell(someone: Person) -> None:
    for name in ("p10", "p2"):
        make_device(rack=make_rack(name), state="maintenance_mode", idle_since=None)
    device = make_device(rack=make_rack("p2"), held_by=77, idle_since=None)
    text = someone().get("/racks/").content.decode()
    assert text.index("Rack p2") < text.index("Rack p10")
    assert (
        f'<a href="/devices/{device.name}/" data-device="{device.name}" data-family="held" '
        f'aria-label="{device.name}: ready, held by request 77"'
    ) in text
    assert re.findall(r'data-count="(\w+)">(\d+)<', text) == [
        ("free", "0"), ("held", "1"), ("busy", "0"), ("new", "0"), ("maintenance", "2"), ("failed", "0"), ("out", "0"),
    ]  # fmt: skip


def test_a_device_stands_in_its_outlet_and_empty_outlets_are_seen(someone: Person) -> None:
    board = make_controller(last_contact=clock.now())
    tenth = make_device(power_controller=board, outlet="bank2:relay2")
    first = make_device(
        power_controller=board, outlet="bank1:relay1", state="failed_self_test", idle_since=None
    )
    stray = make_device()
    text = someone().get("/racks/p1/").content.decode()
    outlets = re.findall(r'<li class="(outlet[^"]*)"(?: data-device="([^"]+)")?', text)
    assert len(outlets) == 33
    assert [outlets[0][1], outlets[9][1], outlets[32][1]] == [first.name, tenth.name, stray.name]
    assert sum(kind == "outlet outlet-empty" for kind, _ in outlets) == 30
    assert "Without a power controller" in text


def test_what_is_wrong_with_a_controller_stands_beside_it(someone: Person) -> None:
    now = clock.now()
    make_controller(
        suspect_until=now + timedelta(minutes=5), last_error="three <b>failed</b>", last_error_at=now
    )
    make_controller(last_error="no answer", last_error_at=now, last_contact=now - timedelta(hours=1))
    make_controller("not an address at all:x")
    text = someone().get("/racks/p1/").content.decode()
    assert "three &lt;b&gt;failed&lt;/b&gt;" in text
    assert re.findall(r'class="badge badge-\w+" title="[^"]*">([\w ]+)<', text) == [
        "suspect",
        "not answering",
        "misconfigured",
    ]


@pytest.mark.parametrize("broken", ["every_outlet", "check_address"])
def test_what_a_driver_of_others_lets_out_is_told_beside_its_controller_and_breaks_no_page(
    someone: Person, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("password sesame")

    make_device(power_controller=make_controller(), outlet="bank1:relay1")
    monkeypatch.setattr(ProXRDriver, broken, fail)
    answer = someone().get("/racks/p1/")
    assert (answer.status_code, "sesame" in answer.content.decode()) == (200, False)
    assert re.findall(r'class="badge badge-\w+" title="[^"]*">([\w ]+)<', answer.content.decode()) == [
        "misconfigured"
    ]


def test_only_who_works_on_devices_can_select_them(someone: Person) -> None:
    device = make_device()
    box = f'name="device" value="{device.name}"'
    assert box not in someone("requester").get("/racks/p1/").content.decode()
    text = someone("operator").get("/racks/p1/").content.decode()
    assert box in text
    assert 'id="bulk-form"' in text


def work(operation: Operation) -> None:
    """Run an operation as the rack's worker does."""
    assert run(operation.pk, report)


def test_outlets_are_read_back_from_the_controller_itself(someone: Person) -> None:
    operator = someone("operator")
    with Twin("snmp_agent", "apc") as agent:
        board = make_controller(agent.address, driver="snmp-apc", settings={"community": "private"})
        device = make_device(power_controller=board, outlet="1")
        path = f"/racks/p1/outlets/{board.name}/"
        begun = operator.post(path, headers={"X-Live": "1"}).content.decode()
        assert 'aria-busy="true"' in begun
        assert "waits for a worker of rack p1" in begun
        assert "data-power" not in begun
        # Somebody without a script asks the same: one question, and a page to load again.
        again = operator.post(path)
        (follow,) = re.findall(r'data-reading="([^"]*)"', begun)
        assert again.headers["Location"] == follow
        assert "Load the page again" in operator.get(follow).content.decode()
        work(Operation.objects.get())
        part = operator.get(follow, headers={"X-Live": "1"}).content.decode()
        whole = operator.get(follow).content.decode()
    assert "data-reading" not in part + whole
    assert f'data-device="{device.name}"' in part
    assert 'data-outlet="1"' in part
    assert 'data-power="on"' in part
    assert not part.lstrip().startswith("<!DOCTYPE")
    assert f"<h1>Outlets of {board.name}</h1>" in whole
    assert PowerController.objects.get().last_contact is not None


def test_a_controller_that_does_not_answer_is_told_once_not_for_each_outlet(someone: Person) -> None:
    board = make_controller("127.0.0.1:1")
    operator, path = someone("operator"), f"/racks/p1/outlets/{board.name}/"
    begun = operator.post(path)
    work(Operation.objects.get())
    text = operator.get(begun.headers["Location"], headers={"X-Live": "1"}).content.decode()
    assert text.count('class="note note-danger"') == 1
    assert "Connection refused" in text
    assert text.count('data-power="error"') == 32


def test_outlets_that_are_read_again_show_what_they_read_just_before(someone: Person) -> None:
    operator = someone("operator")
    with Twin("snmp_agent", "apc") as agent:
        board = make_controller(agent.address, driver="snmp-apc", settings={"community": "private"})
        make_device(power_controller=board, outlet="1")
        path = f"/racks/p1/outlets/{board.name}/"
        operator.post(path)
        work(Operation.objects.get())
        again = operator.post(path, headers={"X-Live": "1"}).content.decode()
    assert 'aria-busy="true"' in again
    assert 'data-power="on"' in again


@pytest.mark.parametrize("number", ["0", "999999", "x", "9" * 30])
def test_a_reading_that_is_not_there_shows_the_outlets_unread(someone: Person, number: str) -> None:
    board = make_controller()
    answer = someone("operator").get(f"/racks/p1/outlets/{board.name}/?reading={number}")
    assert (answer.status_code, b"data-power" in answer.content) == (200, False)


def test_a_controller_of_another_rack_is_not_found_here(someone: Person) -> None:
    board = make_controller(rack=make_rack("p2"))
    make_rack("p1")
    answer = someone("operator").post(f"/racks/p1/outlets/{board.name}/")
    assert answer.status_code == 404
    assert f"there is no power controller &#x27;{board.name}&#x27; in rack p1" in answer.content.decode()


@pytest.mark.parametrize("path", ["/racks/", "/racks/p1/"])
def test_a_map_costs_the_same_few_queries_however_large_it_is(someone: Person, path: str) -> None:
    operator = someone("operator")
    counts = []
    for number in (1, 40):
        board = make_controller()
        for place in range(min(number, 32)):
            make_device(power_controller=board, outlet=f"bank{place // 8 + 1}:relay{place % 8 + 1}")
        make_devices(number)
        assert operator.get(path).status_code == 200
        changes.forget()
        attention.forget()
        outages.forget()
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(path).status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 11


def test_many_racks_are_parted_into_pages(someone: Person) -> None:
    for number in range(51):
        make_rack(f"p{number}")
    viewer = someone()
    assert viewer.get("/racks/").content.decode().count('class="card rack-card"') == 50
    last = viewer.get("/racks/?page=9").content.decode()
    assert 'aria-label="Rack p50"' in last
    assert "51–51 of 51" in last
