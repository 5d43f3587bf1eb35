"""Stories of an operator with old tools: notes, environments, power, network boot, states, ping, relay boards."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from bmm import asking
from bmm.models import Kind, Operation, Status
from bmm.run import run
from devices.models import BootConfig, Device, Image, Journal, PowerController
from devices.models.image import Verification
from lifeguard.reports import report
from mozpool_site.access.models import AuditEntry
from mozpool_site.version import VERSION
from requests_app.models import Request
from tests.integration.api import pool
from tests.integration.api.pool import post
from tests.unit.bmm.tcp_server import RelayBoard


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is asked of hardware done in the moment in which somebody waits for it, as by a worker of the rack."""
    waits = asking.wait

    def work_and_wait(operation_id: int) -> None:
        run(operation_id, report)
        waits(operation_id)

    monkeypatch.setattr(asking, "wait", work_and_wait)


ORDER = {"assignee": "me@x", "duration": 3600, "image": "android"}


def device(name: str = "device1") -> Device:
    return Device.objects.get(name=name)


def last_line(**of: int) -> tuple[str, str, str]:
    line = Journal.objects.filter(**of).latest("time", "id")
    return line.actor, line.event, line.message


def test_the_version_is_told(old_client: Client) -> None:
    assert old_client.get("/api/version/").json() == {"version": VERSION}


def test_images_that_can_be_requested_are_listed_with_what_they_need(old_client: Client) -> None:
    Image.objects.filter(name="b2g").update(verification=Verification.AGENT)
    Image.objects.create(name="secret", hidden=True)
    images = old_client.get("/api/image/list/").json()["images"]
    assert [image["name"] for image in images] == ["b2g", "android"]
    assert images[0] == {
        "id": Image.objects.get(name="b2g").pk,
        "name": "b2g",
        "boot_config_keys": ["b2gbase"],
        "can_reuse": False,
        "hidden": False,
        "has_sut_agent": True,
    }


def test_environments_are_those_that_have_a_device(operator: Client) -> None:
    assert operator.get("/api/environment/list/").json() == {"environments": ["even", "odd", "any2"]}
    post(operator, "/api/device/otherdev/set-environment/", {"environment": "staging"})
    assert operator.get("/api/environment/list/").json() == {"environments": ["even", "odd", "staging"]}


def test_the_log_gives_the_last_lines_or_those_of_the_last_seconds(old_client: Client) -> None:
    now = datetime.now(UTC)
    Journal.objects.bulk_create(
        Journal(device_id=1, message=f"line {age}", time=now - timedelta(seconds=age))
        for age in (300, 200, 100, 0)
    )

    def told(query: str) -> list[str]:
        log = old_client.get(f"/api/device/device1/log/{query}").json()["log"]
        return [line["message"] for line in log]

    assert told("") == ["line 300", "line 200", "line 100", "line 0"]
    assert told("?limit=2") == ["line 100", "line 0"]
    assert told("?timeperiod=250") == ["line 200", "line 100", "line 0"]
    assert told("?timeperiod=250&limit=1") == ["line 0"]


@pytest.mark.parametrize(
    "comments",
    ["", "loose cable", " <script>alert(1)</script>\r\n\t'; --", "\U0001f600 \u00e9 \u202e", "x" * 10_000],
    ids=["nothing", "plain", "hostile", "unicode", "longest"],
)
def test_comments_are_kept_as_they_came(operator: Client, comments: str) -> None:
    answer = post(operator, "/api/device/device1/set-comments/", {"comments": comments})
    assert (answer.status_code, answer.json()) == (200, None)
    assert (device().comments or "") == comments
    shown = operator.get("/api/device/list/?details").json()["devices"][0]["comments"]
    assert (shown or "") == comments


def test_the_journal_says_who_changed_the_comments_from_what_to_what(operator: Client) -> None:
    for comments in ("loose cable", "mended", "mended"):
        post(operator, "/api/device/device1/set-comments/", {"comments": comments})
    assert last_line(device_id=1) == (
        "legacy@10.2.0.5",
        "set_comments",
        "comments changed from 'loose cable' to 'mended'",
    )
    assert Journal.objects.filter(device_id=1).count() == 2
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.address, entry.action, entry.target) == (
        "legacy@10.2.0.5",
        "10.2.0.5",
        "set_comments",
        "device1",
    )
    assert (entry.before, entry.after) == ({"comments": "loose cable"}, {"comments": "mended"})


def test_a_device_that_serves_another_environment_is_given_to_it(operator: Client) -> None:
    answer = post(operator, "/api/device/device1/set-environment/", {"environment": "staging"})
    assert (answer.status_code, answer.json()) == (200, None)
    filed = post(operator, "/api/device/any/request/", {**ORDER, "environment": "staging"}).json()["request"]
    assert filed["assigned_device"] == "device1"


def test_a_device_that_somebody_has_keeps_the_environment_that_they_asked_for(operator: Client) -> None:
    request = post(operator, "/api/device/device1/request/", ORDER).json()["request"]["id"]
    answer = post(operator, "/api/device/device1/set-environment/", {"environment": "staging"})
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "error": "conflict",
            "detail": f"environment: request {request} has the device, and asked for it as it is: return it first",
            "field": "environment",
        },
    )
    there = Device.objects.get(name="device1").environment
    assert post(operator, "/api/device/device1/set-environment/", {"environment": there}).status_code == 200
    assert post(operator, f"/api/request/{request}/return/").status_code == 204
    answer = post(operator, "/api/device/device1/set-environment/", {"environment": "staging"})
    assert answer.status_code == 200


def test_a_device_is_forced_from_one_state_into_another(operator: Client) -> None:
    path = "/api/device/device1/state-change/ready/to/troubleshooting/"
    assert post(operator, path, {"reason": "smells burnt"}).json() == {}
    assert device().state == "troubleshooting"
    assert (
        last_line(device_id=1)[2] == "forced from ready to troubleshooting by legacy@10.2.0.5: smells burnt"
    )
    again = post(operator, path)
    assert (again.status_code, again.json()["error"]) == (409, "conflict")
    back = post(operator, "/api/device/device1/state-change/troubleshooting/to/ready")
    assert (back.status_code, device().state) == (200, "ready")
    assert "no reason given" in last_line(device_id=1)[2]


def test_a_power_cycle_without_a_pxe_config_boots_from_the_devices_own_storage(operator: Client) -> None:
    body = {"assignee": "me", "duration": 60, "boot_config": "looked at by nobody"}
    assert post(operator, "/api/device/device1/power-cycle/", body).json() == {}
    operation = Operation.objects.get()
    assert (operation.kind, operation.arguments, operation.state_seq) == (
        Kind.POWER_CYCLE,
        {"netboot": False},
        None,
    )
    assert device().netboot is None


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "object"])
def test_a_power_cycle_with_a_pxe_config_boots_from_the_network_with_it(
    operator: Client, as_text: bool
) -> None:
    values = {"b2gbase": "http://x/y", "a": 1}
    body = {"pxe_config": "fake-b2g", "boot_config": json.dumps(values) if as_text else values}
    assert post(operator, "/api/device/device1/power-cycle/", body).status_code == 200
    assert device().netboot == BootConfig.objects.get(name="fake-b2g")
    assert device().boot_seq == 1
    assert operator.get("/api/device/device1/bootconfig/").json() == values
    assert post(operator, "/api/device/device1/clear-pxe/").json() == {}
    assert device().netboot is None
    assert post(operator, "/api/device/device1/clear-pxe").status_code == 200


def test_who_holds_a_device_may_cycle_its_power_and_nobody_elses(old_client: Client) -> None:
    person = pool.person("one", "requester")
    post(person, "/api/device/device1/request/", ORDER)
    assert post(person, "/api/device/device1/power-cycle/").status_code == 200
    assert post(person, "/api/device/device2/power-cycle/").status_code == 403
    assert post(old_client, "/api/device/device1/power-cycle/").status_code == 403
    other = pool.person("other", "requester")
    assert post(other, "/api/device/device1/power-cycle/").status_code == 403


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_power_is_taken_by_either_method(operator: Client, method: str) -> None:
    answer = operator.generic(method, "/api/device/device1/power-off/")
    assert (answer.status_code, answer.json()) == (200, {})
    operation = Operation.objects.get()
    assert (operation.kind, operation.status, operation.actor) == (
        Kind.POWER_OFF,
        Status.QUEUED,
        "legacy@10.2.0.5",
    )


@pytest.mark.parametrize("action", ["power-off", "power-cycle"])
def test_a_device_without_an_outlet_cannot_be_switched(operator: Client, action: str) -> None:
    Device.objects.filter(name="device1").update(power_controller=None, outlet="")
    answer = post(operator, f"/api/device/device1/{action}/")
    assert (answer.status_code, answer.json()["field"]) == (409, "outlet")
    assert Operation.objects.count() == 0


def test_where_no_worker_pings_the_caller_is_told_and_nobody_pings_later(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.1)
    answer = operator.get("/api/device/device1/ping/")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "2"
    assert "a worker of rack here" in answer.json()["detail"]
    assert Operation.objects.get().status == Status.SUPERSEDED


def test_a_relay_board_that_answers_its_rack_passes_its_test(operator: Client, at_once: None) -> None:
    with RelayBoard() as board:
        PowerController.objects.filter(name="relay-1").update(address=board.address)
        assert operator.get("/api/relay/relay-1/test/").json() == {"success": True}
        assert set(board.commands) == {bytes((254, 33))}
    assert PowerController.objects.get(name="relay-1").lease_owner == "resting"
    assert Operation.objects.get().actor == "legacy@10.2.0.5"


@pytest.mark.parametrize("answer", [b"\x00", b""], ids=["wrong answer", "silence"])
def test_a_relay_board_that_answers_wrongly_or_not_at_all_does_not_pass(
    operator: Client, at_once: None, answer: bytes
) -> None:
    with RelayBoard(lambda _: answer) as board:
        PowerController.objects.filter(name="relay-1").update(address=board.address)
        assert operator.get("/api/relay/relay-1/test").json() == {"success": False}


def test_a_relay_board_that_a_worker_talks_to_is_not_disturbed(
    operator: Client, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.1)
    with RelayBoard() as board:
        PowerController.objects.filter(name="relay-1").update(
            address=board.address,
            lease_owner="a worker",
            lease_until=datetime.now(UTC) + timedelta(seconds=9),
        )
        answer = operator.get("/api/relay/relay-1/test/")
        assert (answer.status_code, answer.json()["field"]) == (409, "lease")
        assert "in use by a worker" in answer.json()["detail"]
        assert board.connections == 0
    # Nobody asks it later, when nobody waits for the answer any more.
    assert Operation.objects.get().status == Status.SUPERSEDED


def test_where_no_worker_tests_a_relay_board_nothing_is_said_of_it(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.1)
    before = PowerController.objects.filter(name="relay-1").values().get()
    answer = operator.get("/api/relay/relay-1/test/")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert "a worker of rack here" in answer.json()["detail"]
    assert PowerController.objects.filter(name="relay-1").values().get() == before


def test_a_relay_board_that_is_deleted_while_its_test_waits_is_told_to_be_gone(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = PowerController.objects.create(name="spare", rack=device().rack, address="127.0.0.1:1")
    monkeypatch.setattr(asking, "wait", lambda _: board.delete())
    answer = operator.get("/api/relay/spare/test/")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "not_found", "detail": "what was asked has been deleted meanwhile"},
    )


def test_a_board_whose_driver_does_not_exist_is_told_as_such(operator: Client, at_once: None) -> None:
    PowerController.objects.filter(name="relay-1").update(driver="nosuch")
    answer = operator.get("/api/relay/relay-1/test/")
    assert (answer.status_code, answer.json()["field"]) == (409, "relay")


def test_pxe_configs_are_listed_by_name_and_shown_whole(operator: Client) -> None:
    BootConfig.objects.filter(name="fake-b2g").update(active=False)
    listed = {
        query: operator.get(f"/api/bmm/pxe_config/list/{query}").json()["pxe_configs"]
        for query in ("", "?active_only=1")
    }
    assert listed[""] == ["fake-android", "fake-b2g", "fake-maintenance", "fake-self-test"]
    assert listed["?active_only=1"] == ["fake-android", "fake-maintenance", "fake-self-test"]
    assert operator.get("/api/bmm/pxe_config/fake-b2g/details").json() == {
        "details": {
            "name": "fake-b2g",
            "description": "fake b2g config",
            "contents": "mobile-imaging-url=%BASEURL%/boot/%DEVICE%/%TOKEN%/second-stage",
            "active": False,
        }
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("event", ["foo", "return", "expire", "matched", "device_settled"])
def test_an_event_moves_no_request_and_is_journalled(old_client: Client, method: str, event: str) -> None:
    filed = post(old_client, "/api/device/any/request/", ORDER).json()["request"]["id"]
    answer = old_client.generic(method, f"/api/request/{filed}/event/{event}/")
    assert (answer.status_code, answer.json()) == (200, {})
    assert Request.objects.get(pk=filed).state == "pending"
    ignored = f"ignored event {event} in state pending"
    assert last_line(request_id=filed) == ("legacy@10.1.0.5", event, ignored)


def test_an_event_of_somebody_elses_request_is_refused(old_client: Client) -> None:
    person = pool.person("one", "requester")
    filed = post(person, "/api/device/any/request/", ORDER).json()["request"]["id"]
    assert post(old_client, f"/api/request/{filed}/event/foo/").status_code == 403
    assert post(person, f"/api/request/{filed}/event/foo/").status_code == 200
