"""The audit trail: written with the change or not at all, and never a secret in it."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction
from pytest_django import Settings

from bmm import services as bmm
from devices.models import BootConfig, Device
from lifeguard import services as lifeguard
from mozpool_site import clock
from mozpool_site.access import audit
from mozpool_site.access.models import AuditEntry
from mozpool_site.errors import ConflictError
from mozpool_site.statemachine.runner import MACHINE, Actor
from tests.beats import pool_beats
from tests.factories import file_order, make_controller, make_device, make_image

pytestmark = pytest.mark.django_db
OPS = Actor("ops", "api", "192.0.2.5")


def told() -> list[tuple[str, str, str, str, str, object, object]]:
    """Give every entry: who, from where, did what, to what, before, after."""
    return [
        (row.actor, row.address, row.action, row.target_kind, row.target, row.before, row.after)
        for row in AuditEntry.objects.order_by("pk")
    ]


def test_forcing_a_state_is_told_with_its_reason() -> None:
    device = make_device(name="panda", state="failed_self_test", held_by=None)
    lifeguard.force_state(device.pk, "failed_self_test", "locked_out", by=OPS, reason="bad card")
    assert told() == [
        ("ops", "192.0.2.5", "force_state", "device", "panda", {"state": "failed_self_test"},
         {"state": "locked_out", "reason": "bad card"}),
    ]  # fmt: skip


def test_asking_a_device_for_something_is_told_without_its_boot_config() -> None:
    image = make_image()
    device = make_device(name="panda", power_controller=make_controller(), outlet="bank1:relay1")
    lifeguard.please(device.pk, "image", by=OPS, image=image, boot_config='{"url": "http://secret/"}')
    ((*_, action, kind, target, before, after),) = told()
    assert (action, kind, target) == ("please_image", "device", "panda")
    assert before == {"state": "ready"}
    assert after == {"state": Device.objects.get().state, "image": "android"}


def test_power_by_hand_is_told_with_what_it_boots() -> None:
    make_image()
    device = make_device(name="panda", power_controller=make_controller(), outlet="bank1:relay1")
    bmm.power_off(device.pk, by=OPS, reason="smoke")
    bmm.power_cycle(device.pk, by=OPS, boot_config=BootConfig.objects.get(), boot_config_values='{"a": "b"}')
    bmm.clear_netboot(device.pk, by=OPS)
    bmm.ping(device.pk, by=OPS)
    assert [(row[2], row[6]) for row in told()] == [
        ("power_off", {"reason": "smoke", "netboot": None}),
        ("power_cycle", {"reason": "", "netboot": "panda-android"}),
        ("clear_netboot", {}),
    ]


def test_what_the_machines_do_for_a_request_is_left_to_the_journal() -> None:
    image = make_image()
    device = make_device(power_controller=make_controller(), outlet="bank1:relay1")
    request = file_order(image)
    assert Device.objects.get(pk=device.pk).held_by == request.pk
    lifeguard.force_state(device.pk, "pxe_power_cycling", "ready", by=MACHINE)
    assert told() == []


def test_the_request_that_held_the_device_is_named() -> None:
    image = make_image()
    device = make_device(power_controller=make_controller(), outlet="bank1:relay1")
    request = file_order(image)
    lifeguard.force_state(device.pk, Device.objects.get().state, "locked_out", by=OPS)
    assert AuditEntry.objects.get().request_id == request.pk


def test_a_change_that_is_refused_or_undone_leaves_no_entry() -> None:
    device = make_device(state="ready")
    with pytest.raises(ConflictError):
        lifeguard.force_state(device.pk, "new", "locked_out", by=OPS)

    class Undo(Exception):
        """Ends the transaction."""

    def change() -> None:
        with transaction.atomic():
            lifeguard.force_state(device.pk, "ready", "locked_out", by=OPS)
            assert len(told()) == 1
            raise Undo

    with pytest.raises(Undo):
        change()
    assert told() == []
    assert Device.objects.get().state == "ready"


@pytest.mark.parametrize("name", sorted(audit.SECRET))
def test_a_secret_is_masked_whoever_passes_it(name: str) -> None:
    audit.record("save", "thing", "it", by=OPS, before={name: "hunter2"}, after={name: {"deep": "hunter2"}})
    entry = AuditEntry.objects.get()
    assert (entry.before, entry.after) == ({name: "***"}, {name: "***"})


def test_long_and_odd_values_are_kept_as_far_as_they_go() -> None:
    audit.record("a" * 100, "thing", "t" * 300, by=Actor("n" * 200, "user"), after={
        "text": "x" * 2000, "long": ["y" * 2000], "odd": {1 }, "none": None, "list": ["a", 1], "script": "<b>",
    })  # fmt: skip
    entry = AuditEntry.objects.get()
    assert (len(entry.action), len(entry.target), len(entry.actor)) == (64, 200, 150)
    assert entry.after["text"] == "x" * 1000 + "..."
    assert len(entry.after["long"]) == 1003
    assert {name: entry.after[name] for name in ("odd", "none", "list", "script")} == {
        "odd": "{1}", "none": None, "list": ["a", 1], "script": "<b>",
    }  # fmt: skip


# On MariaDB pruning alters tables, which commits whatever transaction is open.
@pytest.mark.django_db(transaction=True)
def test_the_trail_is_kept_for_its_days_and_pruned_with_the_journal(settings: Settings) -> None:
    settings.MOZPOOL_AUDIT_DAYS = 30
    now = clock.now()
    for days in (31, 32, 29):
        audit.record(f"{days} days ago", "thing", "it", by=OPS)
        AuditEntry.objects.filter(action=f"{days} days ago").update(time=now - timedelta(days=days))
    out = StringIO()
    call_command("prune_journal", stdout=out)
    assert "dropped 2 entries of the audit trail older than 30 days\n" in out.getvalue()
    assert [entry.action for entry in AuditEntry.objects.all()] == ["29 days ago"]


@pytest.mark.django_db(transaction=True)
def test_the_pulse_prunes_the_trail() -> None:
    audit.record("old", "thing", "it", by=OPS)
    AuditEntry.objects.update(time=clock.now() - timedelta(days=366))
    pool_beats().beat(clock.now())
    assert told() == []
