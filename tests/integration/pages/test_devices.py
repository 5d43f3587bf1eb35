"""The table of devices: what it shows and to whom, what its filters find, and comments edited in their rows."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Journal
from tests.factories import make_controller, make_device, make_devices, make_image, make_rack, make_request
from tests.integration.access.people import somebody

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def browser(role: str = "operator") -> Client:
    """Give a browser in which somebody of a role is logged in."""
    client = Client()
    client.force_login(somebody(role, role))
    return client


def shown(client: Client, query: str = "", path: str = "/devices/") -> list[str]:
    """Give the names of the rows of a table."""
    response = client.get(f"{path}?{query}")
    assert response.status_code == 200
    return re.findall(r'<tr data-device="([^"]+)"', response.content.decode())


@pytest.fixture
def pool() -> dict[str, Device]:
    """Make devices that differ in all that can be filtered by."""
    image = make_image("b2g")
    p2 = make_rack("p2")
    held = make_device(name="held", image=image)
    request = make_request(image, state="ready", device=held, deadline=None)
    assert request.pk == held.held_by
    return {
        "held": held,
        "free": make_device(name="free", comments="SD card 100% replaced", mac="0a1b2c3d4e5f"),
        "busy": make_device(name="busy", state="pc_pinging", environment="staging", fqdn="x.other.example"),
        "broken": make_device(
            name="broken", state="failed_pinging", health="bad", inventory_id=4711, rack=p2
        ),
        "away": make_device(name="away", state="locked_out"),
        "strange": make_device(
            name="strange", state="dancing", power_controller=make_controller(), outlet="bank1:relay1"
        ),
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["away", "broken", "busy", "free", "held", "strange"]),
        ("sort=-name", ["strange", "held", "free", "busy", "broken", "away"]),
        ("q=0%25+repl", ["free"]),
        ("q=0A-1B-2C-3D-4E-5F", ["free"]),
        ("q=0a:1b:2c", ["free"]),
        ("q=other.example", ["busy"]),
        ("q=4711", ["broken"]),
        ("q=999999999999999999999999", []),
        ("family=free", ["free"]),
        ("family=held", ["held"]),
        ("family=out", ["away", "strange"]),
        ("family=failed&rack=p2", ["broken"]),
        ("family=failed&rack=p1", []),
        ("state=ready&held=no", ["free"]),
        ("environment=staging", ["busy"]),
        ("health=bad", ["broken"]),
        ("image=b2g", ["held"]),
        ("image=-", ["away", "broken", "busy", "free", "strange"]),
        ("hardware=panda+es-b3&family=busy", ["busy"]),
        # What there is not matches nothing: "all that match" may be sent to an action.
        ("rack=nowhere", []),
        ("controller=nothing", []),
        ("family=%00", []),
    ],
)
def test_filters_find_what_they_say(pool: dict[str, Device], query: str, names: list[str]) -> None:
    assert shown(browser("viewer"), query) == names


def test_a_power_controller_is_found_by_its_name(pool: dict[str, Device]) -> None:
    controller = pool["strange"].power_controller
    assert controller is not None
    assert shown(browser("viewer"), f"controller={controller.name}") == ["strange"]


def test_a_viewer_sees_the_table_without_anything_to_tick_or_press(pool: dict[str, Device]) -> None:
    text = browser("viewer").get("/devices/").content.decode()
    assert 'name="device"' not in text
    assert "data-bulk-bar" not in text
    assert "/comment/" not in text
    assert 'name="device"' in browser().get("/devices/").content.decode()


def test_what_somebody_typed_stays_text() -> None:
    make_device(comments="<script>alert(1)</script>\x1b[31m")
    text = browser().get("/devices/?q=<script>").content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m" in text
    assert 'value="&lt;script&gt;"' in text


@pytest.mark.parametrize("path", ["/devices/", "/bmm/"])
def test_a_table_costs_the_same_for_any_number_of_devices(path: str, pool: dict[str, Device]) -> None:
    client = browser()
    client.get(path)
    with CaptureQueriesContext(connection) as few:
        client.get(path)
    make_devices(300, power_controller=None, image=Device.objects.get(name="held").image)
    with CaptureQueriesContext(connection) as many:
        response = client.get(f"{path}?page=2")
    assert len(many) <= len(few) <= 12, [query["sql"][:100] for query in many.captured_queries]
    assert response.content.count(b"<tr data-device=") == 100


def test_all_that_match_are_offered_only_where_more_match_than_are_shown(pool: dict[str, Device]) -> None:
    client = browser()
    assert "data-bulk-all" not in client.get("/devices/").content.decode()
    make_devices(120, environment="staging")
    text = client.get("/devices/?environment=staging&page=2").content.decode()
    assert "all 121 that match" in text
    assert '<input type="hidden" name="matching" value="environment=staging">' in text
    assert (
        '<input type="hidden" name="matching" value="everything">' in client.get("/devices/").content.decode()
    )


def edit(client: Client, name: str, **form: Any) -> Any:
    """Send a comment's form as a part of the table."""
    return client.post(f"/devices/{name}/comment/", form, headers=HTMX)


def test_a_comment_is_edited_in_its_row_and_in_the_name_of_whoever_did() -> None:
    device, client = make_device(comments="old"), browser()
    form = client.get(f"/devices/{device.name}/comment/", headers=HTMX).content.decode()
    (was,) = re.findall(r'name="was" value="([0-9a-f]+)"', form)
    assert ">\nold</textarea>" in form
    response = edit(client, device.name, comments="new\r\nline\r\n", was=was)
    assert response.status_code == 200
    assert '<span class="break">new\nline</span>' in response.content.decode()
    device.refresh_from_db()
    assert device.comments == "new\nline"
    line = Journal.objects.get(event="set_comments")
    assert (line.actor, line.source) == ("operator", "user")


def test_a_comment_that_somebody_else_has_changed_meanwhile_is_not_overwritten() -> None:
    device, client = make_device(comments="old"), browser()
    form = client.get(f"/devices/{device.name}/comment/", headers=HTMX).content.decode()
    (was,) = re.findall(r'name="was" value="([0-9a-f]+)"', form)
    Device.objects.filter(pk=device.pk).update(comments="theirs")
    response = edit(client, device.name, comments="mine", was=was)
    assert response.status_code == 409
    assert "somebody else has changed what is noted here" in response.content.decode()
    device.refresh_from_db()
    assert device.comments == "theirs"


def test_a_comment_can_be_edited_without_scripts_and_one_that_is_too_long_is_told() -> None:
    device, client = make_device(), browser()
    path = f"/devices/{device.name}/comment/"
    assert f"Comment on {device.name}" in client.get(path).content.decode()
    assert client.post(path, {"comments": "x" * 10_001}).status_code == 400
    assert client.post(path, {"comments": "noted"})["Location"] == f"/devices/?q={device.name}"
    device.refresh_from_db()
    assert device.comments == "noted"
    assert client.get("/devices/no-such/comment/").status_code == 404
