"""The administration's page of inventories: first what would happen, then exactly that."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from devices.models import Device, Rack
from lifeguard import inventory_readings
from lifeguard.models import InventoryReading
from lifeguard.pulse.probes import Inventories
from mozpool_site import clock
from mozpool_site.access.models import AuditEntry
from tests.factories import make_device
from tests.integration.access.people import somebody
from tests.integration.inventory.netbox import Fault, NetBox

pytestmark = pytest.mark.django_db
Write = Callable[..., Path]
PATH = "/admin/inventory/"


@pytest.fixture
def admin(rack: Rack) -> Client:
    client = Client(REMOTE_ADDR="192.0.2.5")
    client.force_login(somebody("root", "admin"))
    return client


def upload(client: Client, path: Path, **more: str) -> Any:
    return client.post(PATH, {"file": SimpleUploadedFile(path.name, path.read_bytes()), **more})


def digest(page: Any) -> str:
    (found,) = re.findall(r'name="digest" value="([0-9a-f]{16})"', page.content.decode())
    return str(found)


def text(page: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.content.decode()).split())


def test_an_uploaded_file_is_shown_as_a_plan_and_then_carried_out(admin: Client, pool_csv: Write) -> None:
    shown = upload(admin, pool_csv(1, 2))
    assert shown.status_code == 200
    assert "lab: 2 new, 0 changed, 0 gone, 0 as they are, 0 ignored, 0 refused; 0 stored" in text(shown)
    assert "new panda-1 enters the pool" in text(shown)
    assert not Device.objects.exists()
    done = admin.post(PATH, {"digest": digest(shown)}, follow=True)
    assert "Inventory lab: entered 2, changed 0, retired 0." in text(done)
    assert set(Device.objects.values_list("name", "state", "inventory_source")) == {
        ("panda-1", "new", "lab"),
        ("panda-2", "new", "lab"),
    }
    assert set(AuditEntry.objects.values_list("actor", "address", "action")) == {
        ("root", "192.0.2.5", "inventory_add")
    }
    assert "begin again" in text(admin.post(PATH, {"digest": digest(shown)}))


def test_what_changed_after_the_look_is_shown_anew_and_not_done(admin: Client, pool_csv: Write) -> None:
    shown = upload(admin, pool_csv(1))
    other = upload(Client(), pool_csv(1))
    assert other.status_code == 302
    make_device(name="panda-1", fqdn="x", mac="0200000000aa", environment="staging", state="new")
    again = admin.post(PATH, {"digest": digest(shown)})
    assert "Something has changed meanwhile: look at the plan again." in text(again)
    assert "changed panda-1 environment staging production" in text(again)
    assert Device.objects.get().environment == "staging"
    admin.post(PATH, {"digest": digest(again)})
    assert Device.objects.get().environment == "production"


def test_too_much_needs_a_word(admin: Client, pool_csv: Write) -> None:
    shown = upload(admin, pool_csv(*range(1, 8)))
    assert "7 devices would be entered, changed or retired, and 0 are stored." in text(shown)
    refused = admin.post(PATH, {"digest": digest(shown)})
    assert "So many changes need your word that they are meant." in text(refused)
    assert not Device.objects.exists()
    admin.post(PATH, {"digest": digest(refused), "ship_it": "on"})
    assert Device.objects.count() == 7


@pytest.fixture
def lab(netbox: NetBox, tmp_path: Path, settings: Settings) -> NetBox:
    """Declare a NetBox as the source `lab`."""
    settings.MOZPOOL_INVENTORY = tmp_path / "inventory.yaml"
    settings.MOZPOOL_INVENTORY.write_text(f"sources: {{lab: {{kind: netbox, url: '{netbox.url}'}}}}\n")
    return netbox


def begun(client: Client) -> str:
    """Ask for the declared source; give the address of the page that follows."""
    answer = client.post(PATH, {"source": "lab"})
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def test_a_declared_source_is_read_by_a_worker_and_what_it_said_is_done(admin: Client, lab: NetBox) -> None:
    lab.add(1)
    page = begun(admin)
    # Nobody has asked the inventory yet, and this process never does.
    lab.fault = Fault(status=500)
    waits = admin.get(page)
    assert "Waiting for a worker to read lab." in text(waits)
    assert "data-follow=" in waits.content.decode()
    lab.fault = None
    assert inventory_readings.run(InventoryReading.objects.get().pk)
    lab.fault = Fault(status=500)
    part = admin.get(page, headers={"X-Requested-With": "fetch"})
    assert "<html" not in part.content.decode()
    assert "data-follow" not in part.content.decode()
    assert "new panda-1 enters the pool" in text(part)
    done = admin.post(page, {"digest": digest(part)}, follow=True)
    assert "Inventory lab: entered 1, changed 0, retired 0." in text(done)
    assert Device.objects.get().name == "panda-1"


def test_what_was_stored_after_the_look_at_a_declared_source_is_shown_anew(
    admin: Client, lab: NetBox
) -> None:
    lab.add(1)
    page = begun(admin)
    inventory_readings.run(InventoryReading.objects.get().pk)
    shown = admin.get(page)
    make_device(name="panda-1", fqdn="x", mac="0200000000aa", environment="staging", state="new")
    again = admin.post(page, {"digest": digest(shown)})
    assert "Something has changed meanwhile: look at the plan again." in text(again)
    assert Device.objects.get().environment == "staging"


def test_what_a_worker_meets_is_told_on_the_page(admin: Client, lab: NetBox) -> None:
    page = begun(admin)
    lab.fault = Fault(status=500)
    inventory_readings.run(InventoryReading.objects.get().pk)
    failed = admin.get(page)
    assert (failed.status_code, "NetBox answered 500" in text(failed)) == (200, True)
    assert "data-follow=" not in failed.content.decode()


def test_a_source_is_read_once_for_all_who_ask_and_only_where_it_is_declared(
    admin: Client, lab: NetBox, settings: Settings
) -> None:
    lab.add(1)
    first, second = begun(admin), begun(admin)
    assert first == second
    reading = InventoryReading.objects.get()
    declared_in, settings.MOZPOOL_INVENTORY = settings.MOZPOOL_INVENTORY, None
    assert not inventory_readings.run(reading.pk)
    settings.MOZPOOL_INVENTORY = declared_in
    assert inventory_readings.run(reading.pk)
    assert not inventory_readings.run(reading.pk)
    assert begun(admin) != first


def test_a_reading_that_nobody_takes_or_whose_worker_died_is_made_by_a_pulse(
    admin: Client, lab: NetBox
) -> None:
    lab.add(1)
    page = begun(admin)
    now = clock.now()
    assert inventory_readings.unheard(now) == []
    InventoryReading.objects.update(runner="dead", lease_until=now + timedelta(seconds=9))
    assert inventory_readings.unheard(now + timedelta(seconds=8)) == []
    InventoryReading.objects.update(created=now - timedelta(seconds=20), runner="", lease_until=None)
    assert "No worker has begun to read lab yet" in text(admin.get(page))
    InventoryReading.objects.update(runner="dead", lease_until=now - timedelta(seconds=1))
    Inventories().look(now)
    assert "new panda-1 enters the pool" in text(admin.get(page))


def test_what_was_read_long_ago_is_not_done_and_soon_forgotten(admin: Client, lab: NetBox) -> None:
    lab.add(1)
    page = begun(admin)
    inventory_readings.run(InventoryReading.objects.get().pk)
    shown = admin.get(page)
    InventoryReading.objects.update(finished=clock.now() - timedelta(minutes=31))
    old = admin.post(page, {"digest": digest(shown)})
    assert "what was read is no longer fresh: begin again" in text(old)
    assert not Device.objects.exists()
    InventoryReading.objects.update(created=clock.now() - timedelta(minutes=61))
    assert inventory_readings.prune(clock.now()) == 1
    assert "begin again" in text(admin.get(page))


def test_nobody_looks_at_a_reading_that_another_has_asked_for(admin: Client, lab: NetBox) -> None:
    page = begun(admin)
    other = Client()
    other.force_login(somebody("rita", "admin"))
    assert "there is no plan any more: begin again" in text(other.get(page))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("lab.csv", b"", "The submitted file is empty."),
        ("lab.csv", b"name\n", "lab lists no device at all: nothing is changed"),
        ("lab.csv", b"<script>alert(1)</script>,name\n1,2\n", "is no field; there are name, fqdn"),
        ("lab.csv", b"x" * 900_001, "900 kB at most, please"),
        ("lab.txt", b"name\n", "A name that ends with .csv, .yaml or .yml, please."),
        ("-.csv", b"name\n", "can't be a source's name: give it one"),
        ("lab.yaml", b"\xff\xff", "the file is no text in UTF-8"),
    ],
)
def test_junk_is_told_and_shown_as_text(admin: Client, name: str, content: bytes, told: str) -> None:
    page = admin.post(PATH, {"file": SimpleUploadedFile(name, content)})
    assert page.status_code == 200
    assert told in page.content.decode().replace("&#x27;", "'")
    assert "<script>alert" not in page.content.decode()


def test_nothing_chosen_is_told(admin: Client) -> None:
    assert "A declared source or a file, please, one of them." in text(admin.post(PATH, {}))


@pytest.mark.parametrize(("role", "status"), [("operator", 403), ("viewer", 302), (None, 302)])
def test_only_admins_get_there(rack: Rack, role: str | None, status: int) -> None:
    client = Client()
    client.force_login(somebody("me", role))
    assert (client.get(PATH).status_code, client.post(PATH, {"source": "lab"}).status_code) == (
        status,
        status,
    )
