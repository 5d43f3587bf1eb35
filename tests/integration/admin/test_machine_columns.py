"""What a runner writes is shown in the admin and never saved from there, however old the page is."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin as site
from django.db.models.signals import pre_save
from django.test import Client

from bmm.models import Operation
from devices.models import Device, Image, Journal, PowerController, Rack
from lifeguard.models import Install
from lifeguard.services import force_state
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from requests_app.models import PoolLease, Request
from tests.integration.admin.pages import errors, load, send

MACHINE = {
    "state", "state_seq", "state_since", "deadline", "counters", "image", "boot_config", "next_image",
    "next_boot_config", "held_by", "idle_since", "boot_seq", "netboot", "task_seq", "result", "failures", "health",
    "quarantine_reason", "quarantine_by", "quarantine_bug", "quarantine_since",
}  # fmt: skip


def page(device: Device) -> str:
    return f"/admin/devices/device/{device.pk}/change/"


def row(device: Device) -> dict[str, Any]:
    return {**Device.objects.filter(pk=device.pk).values().get()}


def test_every_column_of_the_machine_is_shown_and_none_is_a_field(admin: Client, pool: list[Device]) -> None:
    form = admin.get(page(pool[0])).context["adminform"]
    assert set(form.form.fields) & MACHINE == set()
    assert set(form.readonly_fields) >= MACHINE
    assert not site.site.get_model_admin(Device).list_editable


def test_machine_columns_that_are_sent_all_the_same_are_not_saved(admin: Client, pool: list[Device]) -> None:
    before = row(pool[0])
    forged = {
        "state": "locked_out",
        "state_seq": 99,
        "held_by": 7,
        "boot_seq": 99,
        "health": "bad",
        "failures": 5,
    }
    response = send(admin, page(pool[0]), {**load(admin, page(pool[0])), **forged, "comments": "seen"})
    assert response.status_code == 302
    assert row(pool[0]) == {**before, "comments": "seen"}


def test_a_device_that_moved_while_its_page_was_open_keeps_its_state(
    admin: Client, pool: list[Device]
) -> None:
    sent = load(admin, page(pool[0]))
    force_state(pool[0].pk, "ready", "troubleshooting", by=Actor("somebody", "user"))
    moved = row(pool[0])
    assert moved["state"] == "troubleshooting"
    send(admin, page(pool[0]), {**sent, "comments": "a new fan"})
    assert row(pool[0]) == {**moved, "comments": "a new fan"}


@pytest.fixture
def runner_at_work(pool: list[Device]) -> Iterator[None]:
    """Let a runner write between the moment that the admin has read the row and the moment that it saves."""

    def move(instance: Device, **_: Any) -> None:
        Device.objects.filter(pk=instance.pk).update(
            state="troubleshooting", state_seq=41, held_by=17, deadline=None
        )

    pre_save.connect(move, sender=Device)
    yield
    pre_save.disconnect(move, sender=Device)


@pytest.mark.usefixtures("runner_at_work")
def test_a_device_that_moves_while_it_is_saved_keeps_its_state(admin: Client, pool: list[Device]) -> None:
    sent = load(admin, page(pool[0]))
    assert (
        send(admin, page(pool[0]), {**sent, "comments": "a new fan", "environment": "staging"}).status_code
        == 302
    )
    saved = row(pool[0])
    assert (saved["state"], saved["state_seq"], saved["held_by"], saved["deadline"]) == (
        "troubleshooting",
        41,
        17,
        None,
    )
    assert (saved["comments"], saved["environment"]) == ("a new fan", "staging")


def test_two_people_who_change_different_fields_do_not_undo_each_other(
    admin: Client, pool: list[Device]
) -> None:
    first, second = load(admin, page(pool[0])), load(admin, page(pool[0]))
    send(admin, page(pool[0]), {**first, "comments": "mine"})
    second.pop("comments", None)
    Device.objects.filter(pk=pool[0].pk).update(inventory_id=77)
    send(admin, page(pool[0]), {**second, "comments": "mine", "fqdn": "other.example"})
    saved = row(pool[0])
    assert (saved["comments"], saved["fqdn"]) == ("mine", "other.example")


def test_leases_and_heartbeats_are_read_only_too(admin: Client, pool: list[Device]) -> None:
    now = clock.now()
    controller, rack = PowerController.objects.earliest("pk"), Rack.objects.earliest("pk")
    PowerController.objects.update(lease_owner="host:1:abc:2", lease_until=now, suspect_until=now)
    Rack.objects.update(pulse_seen=now)
    for path, forged in (
        (
            f"/admin/devices/powercontroller/{controller.pk}/change/",
            {"lease_owner": "", "suspect_until_0": ""},
        ),
        (f"/admin/devices/rack/{rack.pk}/change/", {"pulse_seen_0": ""}),
    ):
        assert send(admin, path, {**load(admin, path), **forged}).status_code == 302
    controller.refresh_from_db()
    rack.refresh_from_db()
    assert (controller.lease_owner, controller.lease_until, controller.suspect_until) == (
        "host:1:abc:2",
        now,
        now,
    )
    assert rack.pulse_seen == now


def test_a_new_device_starts_its_life_as_new(admin: Client, pool: list[Device]) -> None:
    old = load(admin, page(pool[0]))
    fresh = {
        **old,
        "name": "panda-new",
        "fqdn": "panda-new.example",
        "mac": "0200000000aa",
        "outlet": "bank4:relay8",
    }
    response = send(admin, "/admin/devices/device/add/", fresh)
    assert response.status_code == 302, errors(response)
    device = Device.objects.get(name="panda-new")
    assert (device.state, device.state_seq, device.held_by, device.idle_since) == ("new", 0, None, None)
    assert device.deadline is not None


def one_of_each(device: Device) -> list[Any]:
    now, image = clock.now(), Image.objects.get(name="android")
    evidence = {"config_digest": "", "succeeded": True, "healthy_before": True, "finished": now}
    return [
        Journal.objects.create(message="x"),
        Operation.objects.create(device=device, rack=device.rack, kind="ping", created=now, not_before=now),
        Install.objects.create(device=device, image=image, **evidence),
        Request.objects.create(state="closed", image=image, assignee="x", expires=now, ended=now),
        PoolLease.objects.create(name="pool"),
    ]


def test_history_can_be_looked_at_and_nothing_else(admin: Client, pool: list[Device]) -> None:
    for made in one_of_each(pool[0]):
        before = type(made).objects.filter(pk=made.pk).values().get()
        base = f"/admin/{made._meta.app_label}/{made._meta.model_name}"
        assert admin.get(f"{base}/").status_code == 200
        assert admin.get(f"{base}/{made.pk}/change/").status_code == 200
        assert admin.get(f"{base}/add/").status_code == 403
        assert admin.post(f"{base}/{made.pk}/change/", {"message": "y"}).status_code == 403
        assert admin.post(f"{base}/{made.pk}/delete/", {"post": "yes"}).status_code == 403
        admin.post(f"{base}/", {"action": "delete_selected", "_selected_action": [made.pk], "post": "yes"})
        assert type(made).objects.filter(pk=made.pk).values().get() == before


def test_every_model_of_ours_has_its_page() -> None:
    import_module("mozpool_site.urls")  # finds what is registered
    ours = [
        m
        for app in ("devices", "bmm", "lifeguard", "requests_app")
        for m in apps.get_app_config(app).get_models()
    ]
    without = {model.__name__ for model in ours if not site.site.is_registered(model)}
    # Kinds follow from devices, tags from requests, hours become days, and an inventory's page shows its readings.
    assert without == {"DeviceKind", "HourlyFigures", "InventoryReading", "RequestTag"}
