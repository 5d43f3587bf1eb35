"""What exists besides devices: who reads and writes it, by the same rules as the admin's forms."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from devices.models import BootConfig, Device, HardwareType, Image, ImageBootConfig, PowerController, Rack
from mozpool_site.access.models import AuditEntry
from tests.factories import make_image
from tests.integration.api.pool import person
from tests.integration.api.unchanged import Unchanged
from tests.integration.api.v2.calls import get, names, problem, send

COLLECTIONS: dict[str, dict[str, Any]] = {
    "racks": {"name": "p9", "imaging_server": "p9.example", "address": "10.0.9.1"},
    "hardware-types": {"kind": "panda", "model": "es-b4"},
    "images": {
        "name": "linux", "verification": "agent", "boot_config_keys": ["base"], "version_notes": "6.1",
        "boot_configs": [{"hardware_type": "panda/es-b3", "boot_config": "fake-b2g"}],
    },
    "boot-configs": {"name": "panda-linux", "contents": "DEFAULT disk\nLABEL disk\nLOCALBOOT 0"},
    "power-controllers": {"name": "relay-9", "rack": "here", "driver": "proxr", "address": "10.0.9.2:2101"},
}  # fmt: skip
# Who may read; everybody who may not write gets 403.
READ_BY_OPERATORS = ("boot-configs", "power-controllers")
CHANGES: dict[str, dict[str, Any]] = {
    "racks": {"vlan_note": "vlan 9"},
    "hardware-types": {"model": "es-b5"},
    "images": {"version_notes": "6.2", "reusable": True},
    "boot-configs": {"description": "for Linux", "active": False},
    "power-controllers": {"address": "10.0.9.3"},
}


@pytest.fixture
def ada() -> Client:
    return person("ada", "admin")


def made(ada: Client, collection: str) -> tuple[str, dict[str, Any]]:
    answer = send(ada, "POST", f"{collection}/", COLLECTIONS[collection])
    assert answer.status_code == 201, answer.content
    return answer["Location"].rpartition("/api/v2/")[2], answer.json()


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_an_administrator_makes_changes_and_deletes(ada: Client, collection: str) -> None:
    path, body = made(ada, collection)
    given = COLLECTIONS[collection]
    assert {name: body[name] for name in given} == given
    assert get(ada, path).json() == body
    assert body["url"].endswith(f"/api/v2/{path}")
    changed = send(ada, "PATCH", path, CHANGES[collection]).json()
    # The address of a thing is its name's or its number's; nothing else moved.
    named = "model" if collection == "hardware-types" else ""
    expected = {**body, **CHANGES[collection]} | ({"name": f"panda/{changed['model']}"} if named else {})
    assert changed == expected
    gone = send(ada, "DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert get(ada, path).status_code == 404
    verbs = [
        entry.action.partition("_")[0] for entry in AuditEntry.objects.filter(actor="ada").order_by("pk")
    ]
    assert verbs == ["create", "change", "delete"]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_others_read_what_they_may_and_write_nothing(
    ada: Client, stranger: Client, unchanged: Unchanged, collection: str
) -> None:
    path, _ = made(ada, collection)
    vera, oscar = person("vera", "viewer"), person("oscar", "operator")
    with unchanged(but=("django_session",)):
        for client in (vera, oscar):
            may = client is oscar or collection not in READ_BY_OPERATORS
            assert get(client, f"{collection}/").status_code == (200 if may else 403)
            assert get(client, path).status_code == (200 if may else 403)
            problem(send(client, "POST", f"{collection}/", COLLECTIONS[collection]), 403, "not_allowed")
            problem(send(client, "PATCH", path, {}), 403, "not_allowed")
            problem(send(client, "DELETE", path), 403, "not_allowed")
        problem(get(stranger, f"{collection}/"), 401, "not_authenticated")
        problem(send(ada, "PUT", path, COLLECTIONS[collection]), 405, "wrong_method")


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "racks/", {}, "name"),
        ("POST", "racks/", {"name": "a/b", "imaging_server": "x", "address": "10.0.0.1"}, "name"),
        ("POST", "racks/", {"name": "here", "imaging_server": "x", "address": "10.0.0.1"}, "name"),
        ("PATCH", "racks/here/", {"address": "localhost"}, "address"),
        ("PATCH", "racks/here/", {"address": "fd00::1"}, "address"),
        ("PATCH", "racks/here/", {"address": "0.1.2.3"}, "address"),
        ("PATCH", "racks/here/", {"name": "There"}, "name"),
        ("PATCH", "racks/here/", {"base_url": "no url"}, "base_url"),
        ("PATCH", "racks/here/", {"base_url": "http://[fd00::1]:8000"}, "base_url"),
        ("PATCH", "racks/here/", {"pulse_seen": None}, "pulse_seen"),
        ("POST", "hardware-types/", {"kind": "panda"}, "model"),
        ("POST", "hardware-types/", {"kind": "panda", "model": "es-b3"}, None),
        ("POST", "hardware-types/", {"kind": "Panda", "model": "ES-B3"}, None),
        ("POST", "power-controllers/", {"name": "RELAY-1", "rack": "here", "address": "10.0.9.9"}, "name"),
        ("POST", "images/", {"name": "B2G"}, "name"),
        ("POST", "boot-configs/", {"name": "FAKE-b2g", "contents": "LABEL a\nLOCALBOOT 0\n"}, "name"),
        ("POST", "images/", {"name": "x", "verification": "hope"}, "verification"),
        ("POST", "images/", {"name": "x", "verification": "tcp"}, "verify_port"),
        ("PATCH", "images/b2g/", {"verify_port": 70_000}, "verify_port"),
        ("PATCH", "images/b2g/", {"download_timeout": 0}, "download_timeout"),
        ("PATCH", "images/b2g/", {"reusable": "perhaps"}, "reusable"),
        ("PATCH", "images/b2g/", {"boot_config_keys": ["a", "a"]}, "boot_config_keys"),
        ("PATCH", "images/b2g/", {"boot_config_keys": {"a": 1}}, "boot_config_keys"),
        ("PATCH", "images/b2g/", {"boot_configs": [{"boot_config": "fake-b2g"}]}, "boot_configs.0.hardware_type"),
        (
            "PATCH", "images/b2g/", {"boot_configs": [{"hardware_type": "panda/es-b3", "boot_config": "no"}]},
            "boot_configs.0.boot_config",
        ),
        ("PATCH", "images/b2g/", {"boot_configs": {}}, "boot_configs"),
        (
            "PATCH", "images/b2g/",
            {"boot_configs": [{"hardware_type": "panda/es-b3", "boot_config": "fake-b2g"}] * 2}, "boot_configs",
        ),
        ("POST", "boot-configs/", {"name": "x"}, "contents"),
        ("PATCH", "boot-configs/fake-b2g/", {"contents": "%TOKENN%"}, "contents"),
        ("PATCH", "boot-configs/fake-b2g/", {"contents": "DEFAULT a\nLABEL b\nKERNEL k\n"}, "contents"),
        ("PATCH", "boot-configs/fake-b2g/", {"second_stage": "a\0b"}, "second_stage"),
        ("PATCH", "power-controllers/relay-1/", {"driver": "magic"}, "driver"),
        ("PATCH", "power-controllers/relay-1/", {"address": "a:b:c:d"}, "address"),
        ("PATCH", "power-controllers/relay-1/", {"settings": {"magic": 1}}, "settings"),
        ("PATCH", "power-controllers/relay-1/", {"settings": [1]}, "settings"),
        ("PATCH", "power-controllers/relay-1/", {"secrets": {"magic": 1}}, "secrets"),
        ("PATCH", "power-controllers/relay-1/", {"rack": "nowhere"}, "rack"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_by_field_and_changes_nothing(
    ada: Client, unchanged: Unchanged, method: str, path: str, body: object, field: str | None
) -> None:
    with unchanged(but=("django_session",)):
        problem(send(ada, method, path, body), 400, "invalid", field)


@pytest.mark.parametrize(
    ("path", "needed_by"),
    [
        ("racks/here/", "devices"),
        ("images/android/", "devices"),
        ("boot-configs/fake-android/", "image boot configs"),
        ("power-controllers/relay-1/", "devices"),
    ],
)
def test_what_others_need_stays(ada: Client, unchanged: Unchanged, path: str, needed_by: str) -> None:
    with unchanged(but=("django_session",)):
        assert needed_by in problem(send(ada, "DELETE", path), 409, "conflict")


def test_the_type_of_hardware_of_a_device_stays(ada: Client) -> None:
    hardware = HardwareType.objects.get()
    assert "devices" in problem(send(ada, "DELETE", f"hardware-types/{hardware.pk}/"), 409, "conflict")


def test_an_image_s_boot_configs_are_replaced_as_a_whole(ada: Client) -> None:
    HardwareType.objects.create(kind="tegra", model="250")
    uses = [{"hardware_type": "tegra/250", "boot_config": "fake-android"}]
    assert send(ada, "PATCH", "images/b2g/", {"boot_configs": uses}).json()["boot_configs"] == uses
    assert list(ImageBootConfig.objects.filter(image__name="b2g").values_list("boot_config__name")) == [
        ("fake-android",)
    ]


def test_images_and_boot_configs_are_narrowed_down(operator: Client) -> None:
    Image.objects.filter(name="b2g").update(hidden=True)
    BootConfig.objects.filter(name="fake-b2g").update(active=False)
    assert names(get(operator, "images/?hidden=true")) == ["b2g"]
    assert names(get(operator, "images/?hidden=false&reusable=true")) == ["android"]
    assert names(get(operator, "boot-configs/?active=false")) == ["fake-b2g"]
    problem(get(operator, "images/?hidden=1"), 400, "invalid", "hidden")
    assert names(get(operator, "power-controllers/?rack=here")) == ["relay-1", "relay-dead", "relay-other"]


def test_a_list_costs_the_same_queries_however_long_it_is(
    operator: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        make_image(f"more-{number}")
    expected = {"racks": 1, "hardware-types": 1, "images": 2, "boot-configs": 1, "power-controllers": 1}
    for collection, queries in expected.items():
        with django_assert_num_queries(queries):
            get(operator, f"{collection}/")


def test_environments_count_their_devices(
    operator: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Device.objects.filter(name="device1").update(idle_since=None)
    with django_assert_num_queries(1):
        page = get(operator, "environments/").json()
    counts = {row["name"]: (row["devices"], row["free"]) for row in page["results"]}
    assert counts == {"any2": (1, 1), "even": (2, 1), "odd": (4, 2)}
    assert get(operator, "environments/even/").json()["free"] == 1
    problem(get(operator, "environments/none/"), 404, "not_found", "name")
    problem(send(operator, "POST", "environments/", {"name": "x"}), 405, "wrong_method")


def test_a_power_controller_of_an_unknown_driver_shows_no_setting_at_all(operator: Client) -> None:
    stored = {"password": "hunter2", "retries": 3}
    PowerController.objects.filter(name="relay-1").update(driver="gone", settings=stored)
    answer = get(operator, "power-controllers/relay-1/")
    assert b"hunter2" not in answer.content
    assert (answer.json()["settings"], answer.json()["secrets_set"]) == ({}, ["password", "retries"])


def test_racks_are_told_with_where_their_devices_find_us(operator: Client) -> None:
    Rack.objects.filter(name="here").update(base_url="http://10.0.0.1")
    rack = get(operator, "racks/here/").json()
    assert rack == {
        "url": "http://mozpool.example/api/v2/racks/here/", "name": "here", "imaging_server": "mozpool.example",
        "address": "10.0.0.1", "base_url": "http://10.0.0.1", "vlan_note": "",
    }  # fmt: skip
