"""`manage.py check --database default` finds rows that no driver can serve, and doorbells that nobody hears."""

from io import StringIO
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from django.conf import settings
from django.core.checks import registry
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from bmm.checks import power_controllers
from bmm.services import SYNC_TASK
from devices.lab import LabPlan, seed
from devices.models import Device, Image, PowerController
from lifeguard.checks import DOORBELLS, doorbells, images
from mozpool_site.checks import tasks_exist


@pytest.fixture
def pool(db: None) -> list[Device]:
    return seed(LabPlan(racks=1, devices=3, network=IPv4Network("127.64.0.0/16")))


def complaints() -> list[str]:
    return [error.msg for error in power_controllers(databases=["default"])]


def test_a_sound_pool_has_no_complaints(pool: list[Device]) -> None:
    assert complaints() == []


def test_a_driver_that_is_not_installed_stops_the_check_command(pool: list[Device]) -> None:
    PowerController.objects.update(driver="apc")
    with pytest.raises(SystemCheckError, match=r"relay-1-1: unknown power driver 'apc'; known are: .*proxr"):
        call_command("check", databases=["default"], stdout=StringIO(), stderr=StringIO())


def test_without_a_database_the_check_command_asks_none(pool: list[Device]) -> None:
    PowerController.objects.update(driver="apc")
    call_command("check", stdout=StringIO())


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"settings": {"speed": 3}},
            "power controller relay-1-1: unknown setting speed; this driver knows: by_banks",
        ),
        ({"address": "a b"}, "power controller relay-1-1: 'a b' is neither a host name nor an IPv4 address"),
    ],
)
def test_a_controller_that_cannot_be_is_named(
    pool: list[Device], columns: dict[str, object], words: str
) -> None:
    PowerController.objects.update(**columns)
    assert complaints() == [words]


def test_an_outlet_that_the_driver_does_not_have_is_named_with_its_device(pool: list[Device]) -> None:
    Device.objects.filter(pk=pool[1].pk).update(outlet="bank9:relay1")
    assert complaints() == [
        "device panda-0002, relay-1-1: there is no outlet 'bank9:relay1': bank1:relay1 to bank4:relay8 expected"
    ]


def test_while_a_migration_is_missing_there_is_nothing_to_check(pool: list[Device]) -> None:
    PowerController.objects.update(driver="apc")
    MigrationRecorder(connection).record_unapplied("devices", "0001_initial")
    assert complaints() == []


def test_every_doorbell_is_a_task() -> None:
    assert doorbells() == []
    assert SYNC_TASK in DOORBELLS
    assert doorbells in registry.registry.get_checks()


def test_every_task_that_the_code_names_is_checked() -> None:
    """A name like `lifeguard.tasks.run_operation` stands in the code as text; each must be among the checked ones."""
    root = Path(settings.BASE_DIR)
    named = set()
    for app in ("bmm", "lifeguard", "requests_app", "devices"):
        for path in (root / app).rglob("*.py"):
            for line in path.read_text(encoding="utf-8").splitlines():
                name, _, value = line.partition(" = ")
                if name.endswith("_TASK") and name.isupper() and value.startswith('"'):
                    named.add(value.strip('"'))
    assert named == set(DOORBELLS)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("lifeguard.tasks.run_operaton", "lifeguard.tasks defines no such task"),
        ("lifeguard.chores.run_operation", "No module named 'lifeguard.chores'"),
    ],
)
def test_a_misspelt_doorbell_is_found(name: str, why: str) -> None:
    (error,) = tasks_exist([name])
    assert error.id == "mozpool.E001"
    assert name in error.msg
    assert why in error.msg


def test_an_image_that_could_not_be_reported_as_bad_is_named(pool: list[Device]) -> None:
    assert images(databases=["default"]) == []
    Image.objects.filter(name="b2g").update(install_timeout=20_000)
    Image.objects.filter(name="android").update(verify_timeout=2)
    unreported = (
        "a device may take 1 day, 0:22:15 to give it up, but no request or evidence lasts longer than 1 day"
    )
    assert [(warning.id, warning.msg) for warning in images(databases=["default"])] == [
        ("lifeguard.W001", "image android: one check may take 3 s, but verify_timeout is 2 s"),
        ("lifeguard.W002", f"image b2g: {unreported}, 0:00:00"),
    ]
