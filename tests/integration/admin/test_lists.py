"""The lists cost the same number of queries however many rows there are, and never count a table of history."""

from ipaddress import IPv4Network
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bmm.models import Operation
from devices import admin_base
from devices.lab import LabPlan, seed
from devices.models import Device, Image, Journal
from lifeguard.models import Install
from mozpool_site import clock
from requests_app.models import Request

# Session, user, filters, count and page; the figure is what each list costs, not what it may.
LISTS = {
    "devices/device": 8,
    "devices/powercontroller": 7,
    "devices/rack": 5,
    "devices/image": 5,
    "devices/imagebootconfig": 6,
    "devices/journal": 4,
    "bmm/operation": 5,
    "lifeguard/install": 5,
    "requests_app/request": 5,
}


def fill(devices: int) -> list[Device]:
    made = seed(LabPlan(racks=4, devices=devices, network=IPv4Network("127.64.0.0/16")))
    now, image = clock.now(), Image.objects.get(name="android")
    many = range(len(made))
    Journal.objects.bulk_create(
        [Journal(device_id=d.pk, request_id=n, message="x") for n, d in enumerate(made)]
    )
    Operation.objects.bulk_create(
        [
            Operation(
                device=d,
                rack_id=d.rack_id,
                controller_id=d.power_controller_id,
                kind="ping",
                created=now,
                not_before=now,
            )
            for d in made
        ]
    )
    evidence = {"config_digest": "", "succeeded": True, "healthy_before": True, "finished": now}
    Install.objects.bulk_create([Install(device=d, image=image, **evidence) for d in made])
    Request.objects.bulk_create(
        [
            Request(
                state="closed",
                image=image,
                requested_device=made[n],
                last_device=made[n],
                assignee="x",
                expires=now,
            )
            for n in many
        ]
    )
    return made


def queries(client: Client, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in caught]


@pytest.mark.parametrize("devices", [8, 800])
def test_a_list_costs_the_same_at_8_and_at_800_devices(admin: Client, devices: int) -> None:
    fill(devices)
    assert {name: len(queries(admin, f"/admin/{name}/")) for name in LISTS} == LISTS


def test_a_device_page_costs_the_same_whatever_it_shows(
    admin: Client, django_assert_max_num_queries: Any
) -> None:
    made = fill(800)
    with django_assert_max_num_queries(14):
        admin.get(f"/admin/devices/device/{made[0].pk}/change/")


def test_history_is_counted_up_to_what_somebody_would_turn(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(8)
    monkeypatch.setattr(admin_base, "MOST_COUNTED", 5)
    response = admin.get("/admin/devices/journal/")
    assert response.context["cl"].result_count == 5
    of_journal = [
        sql
        for sql in queries(admin, "/admin/devices/journal/")
        if "FROM `devices_journal`" in sql.replace('"', "`")
    ]
    assert [sql for sql in of_journal if "COUNT(" in sql.upper()] == []
    assert of_journal[0].endswith("LIMIT 5")


def shown(client: Client, path: str) -> list[Any]:
    response = client.get(path)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def test_the_journal_is_found_by_device_or_request(admin: Client) -> None:
    made = fill(8)
    assert [line.device_id for line in shown(admin, "/admin/devices/journal/?q=panda-0003")] == [made[2].pk]
    assert [line.request_id for line in shown(admin, "/admin/devices/journal/?q=5")] == [5]
    assert shown(admin, "/admin/devices/journal/?q=panda-9999") == []
    assert shown(admin, "/admin/devices/journal/?q=99999999999999999999999") == []


def test_a_line_of_a_device_that_is_gone_shows_its_number(admin: Client, pool: list[Device]) -> None:
    Journal.objects.create(device_id=4711, message="gone")
    assert "#4711" in admin.get("/admin/devices/journal/").content.decode()


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("devices/device/?q=panda-0002", ["panda-0002"]),
        ("devices/device/?q=0200", ["panda-0001", "panda-0002", "panda-0003", "panda-0004"]),
        ("devices/device/?state__exact=ready", ["panda-0001", "panda-0002", "panda-0003", "panda-0004"]),
        ("devices/device/?state=new", []),
        ("devices/device/?held=yes", ["panda-0002"]),
        ("devices/device/?held=no", ["panda-0001", "panda-0003", "panda-0004"]),
        ("devices/device/?environment=staging", ["panda-0004"]),
    ],
)
def test_devices_are_found_by_what_people_know(
    admin: Client, pool: list[Device], path: str, names: list[str]
) -> None:
    Device.objects.filter(pk=pool[1].pk).update(held_by=5)
    assert [device.name for device in shown(admin, f"/admin/{path}")] == names


@pytest.mark.parametrize("search", ["7", "panda-0001", "some", "%", "é", "-1", "1e9", "0x1", "'"])
@pytest.mark.parametrize(
    "model", ["bmm/operation", "lifeguard/install", "requests_app/request", "devices/device"]
)
def test_no_search_is_an_error_page(admin: Client, pool: list[Device], model: str, search: str) -> None:
    shown(admin, f"/admin/{model}/?q={search}")


@pytest.mark.parametrize(
    "filtered",
    [
        "bmm/operation/?rack__id__exact=abc",
        "bmm/operation/?status__exact=done&rack__id__exact=1e9",
        "lifeguard/install/?image__id__exact=abc",
    ],
)
def test_a_filter_that_cannot_be_is_left_out_and_no_error_page(
    admin: Client, pool: list[Device], filtered: str
) -> None:
    answer = admin.get(f"/admin/{filtered}")
    assert (answer.status_code, answer.headers["Location"].endswith("?e=1")) == (302, True)


@pytest.mark.parametrize("model", ["rack", "hardwaretype", "powercontroller"])
def test_the_fields_of_a_device_complete_what_is_typed(admin: Client, pool: list[Device], model: str) -> None:
    field = {"rack": "rack", "hardwaretype": "hardware_type", "powercontroller": "power_controller"}[model]
    asked = {"app_label": "devices", "model_name": "device", "field_name": field, "term": ""}
    assert admin.get("/admin/autocomplete/", asked).json()["results"] != []
