"""The page of a power controller: a field for each setting of its driver, secrets that are never shown, a test."""

import re
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.test import Client

from bmm import operations
from bmm.drivers import power
from bmm.drivers.power.proxr import ProXRDriver
from bmm.drivers.settings import SettingSpec
from bmm.models import HandTask, Kind, Operation, Status
from bmm.run import run
from devices.models import Device, PowerController
from lifeguard.reports import report
from mozpool_site import clock
from mozpool_site.access.models import AuditEntry
from tests.factories import make_controller, make_device
from tests.integration.admin.pages import errors, load, send
from tests.servers.process import free_port
from tests.unit.bmm.power.twins import Twin

CHANGE, ADD = "/admin/devices/powercontroller/{}/change/", "/admin/devices/powercontroller/add/"
LIST, TASKS = "/admin/devices/powercontroller/", "/admin/bmm/handtask/"


class SafeDriver(ProXRDriver):
    """A board that wants a password."""

    settings: ClassVar[tuple[SettingSpec, ...]] = (
        SettingSpec("password", str, secret=True),
        SettingSpec("token", str, default="", secret=True),
        SettingSpec("retries", int, default=3, most=9),
        SettingSpec("careful", bool, default=True),
        SettingSpec("speed", str, default="slow", choices=("slow", "fast")),
    )


@pytest.fixture
def vault(pool: list[Device], monkeypatch: pytest.MonkeyPatch) -> PowerController:
    """Give a controller whose driver keeps secrets."""
    monkeypatch.setitem(power.DRIVERS, "safe", SafeDriver)
    settings = {"password": "sesame-1", "token": "sesame-t", "retries": 5}
    return PowerController.objects.create(
        name="vault", rack=pool[0].rack, driver="safe", address="127.0.0.1", settings=settings
    )


def page(controller: PowerController) -> str:
    return CHANGE.format(controller.pk)


def stored(controller: PowerController) -> dict[str, Any]:
    controller.refresh_from_db()
    return dict(controller.settings)


def changed(client: Client, controller: PowerController, **change: Any) -> Any:
    return send(client, page(controller), {**load(client, page(controller)), **change})


def test_every_setting_has_a_field_of_its_type_and_a_secret_is_not_shown(
    admin: Client, vault: PowerController
) -> None:
    sent = load(admin, page(vault))
    assert (sent["setting_retries"], sent["setting_careful"], sent["setting_speed"]) == (5, "on", "slow")
    shown = admin.get(page(vault)).content.decode()
    assert "sesame" not in shown
    assert shown.count("Stored; empty leaves it as it is. Never shown again.") == 2


def test_a_secret_survives_other_changes_and_only_what_differs_from_a_default_is_stored(
    admin: Client, vault: PowerController
) -> None:
    assert changed(admin, vault, setting_retries="3", setting_speed="fast").status_code == 302
    assert stored(vault) == {"password": "sesame-1", "token": "sesame-t", "speed": "fast"}
    assert changed(admin, vault, address="127.0.0.2").status_code == 302
    assert stored(vault) == {"password": "sesame-1", "token": "sesame-t", "speed": "fast"}


def test_a_secret_is_replaced_or_forgotten(admin: Client, vault: PowerController) -> None:
    assert changed(admin, vault, setting_password="sesame-2", forget=["token"]).status_code == 302
    assert stored(vault) == {"password": "sesame-2", "retries": 5}
    assert "sesame" not in admin.get(page(vault).replace("change", "history")).content.decode()


def test_a_secret_that_the_driver_needs_cannot_be_forgotten(admin: Client, vault: PowerController) -> None:
    told = errors(changed(admin, vault, forget=["password"]))
    assert told["setting_password"] == ["setting password is missing: it has no default"]
    assert stored(vault)["password"] == "sesame-1"


@pytest.mark.parametrize(
    "change", [{"name": "not a name"}, {"setting_retries": "10"}, {"setting_speed": "x"}]
)
def test_a_secret_that_was_typed_is_not_shown_beside_an_error(
    admin: Client, vault: PowerController, change: dict[str, str]
) -> None:
    response = changed(admin, vault, setting_password="sesame-3", **change)
    assert set(errors(response)) == set(change)
    assert "sesame" not in response.content.decode()
    assert stored(vault)["password"] == "sesame-1"


def test_of_a_driver_that_is_not_installed_every_setting_is_hidden(
    admin: Client, vault: PowerController
) -> None:
    PowerController.objects.filter(pk=vault.pk).update(driver="gone")
    assert "sesame" not in admin.get(page(vault)).content.decode()
    assert "unknown power driver" in errors(changed(admin, vault, name="vault-2"))["driver"][0]
    assert stored(vault)["password"] == "sesame-1"


def test_another_driver_brings_its_own_fields_with_their_defaults_before_anything_is_stored(
    admin: Client, vault: PowerController
) -> None:
    sent = {**load(admin, page(vault)), "driver": "snmp-apc"}
    response: Any = send(admin, page(vault), sent)
    assert errors(response)["driver"] == ["These are the settings of snmp-apc: fill them in, and save again."]
    form = response.context["adminform"].form
    again = {field.html_name: field.value() for field in form if field.value() not in (None, False, "")}
    assert (again["setting_version"], again["setting_off_seconds"]) == ("2c", "3.0")
    assert stored(vault)["password"] == "sesame-1"
    saved = send(admin, page(vault), {**again, "setting_community": "sesame-c"})
    assert saved.status_code == 302
    vault.refresh_from_db()
    assert (vault.driver, vault.settings) == ("snmp-apc", {"community": "sesame-c"})


def test_a_new_controller_is_made_in_two_steps(admin: Client, pool: list[Device]) -> None:
    sent = {
        **load(admin, ADD),
        "name": "plug",
        "rack": pool[0].rack.pk,
        "driver": "webhook",
        "address": "10.1.0.9",
    }
    assert "driver" in errors(send(admin, ADD, sent))
    urls = {f"setting_{verb}_url": f"http://{{address}}/{{outlet}}/{verb}" for verb in ("on", "off")}
    second = {**load(admin, f"{ADD}?driver=webhook"), **sent, "shown_for": "webhook", **urls}
    assert send(admin, ADD, second).status_code == 302
    made = PowerController.objects.get(name="plug")
    assert made.settings == {name.removeprefix("setting_"): url for name, url in urls.items()}
    assert "no: what it is told counts as done" in admin.get(page(made)).content.decode()


def test_what_the_driver_itself_does_not_take_is_told_beside_the_field(
    admin: Client, pool: list[Device]
) -> None:
    plug = make_controller(
        driver="webhook", rack=pool[0].rack, settings={"on_url": "http://a/", "off_url": "http://a/"}
    )
    assert (
        "a regular expression expected"
        in errors(changed(admin, plug, setting_on_pattern="("))["setting_on_pattern"][0]
    )
    machine = make_controller("qemu:///system", driver="libvirt", rack=pool[0].rack)
    told = errors(changed(admin, machine, address="qemu+ext:///system?command=/bin/sh"))
    assert "a libvirt URI" in told["address"][0]


def work() -> None:
    """Do what waits, as the racks' workers do."""
    for number in list(Operation.objects.filter(status=Status.QUEUED).values_list("pk", flat=True)):
        run(number, report)


def told(page: Any) -> dict[str, str]:
    """Give what a page says of each controller's test."""
    return {test.controller.name: test.progress.words for test in page.context["tests"]}


def test_what_nobody_takes_is_told_as_such_and_junk_names_no_test(admin: Client, pool: list[Device]) -> None:
    shelf = make_controller("shelf 3", driver="manual", rack=pool[0].rack)
    begun = admin.post(page(shelf).replace("change", "test"))
    Operation.objects.update(created=clock.now() - timedelta(seconds=13))
    late: Any = admin.get(begun.headers["Location"])
    assert told(late) == {shelf.name: f"still waits for a worker of rack {shelf.rack}: does one run?"}
    nothing: Any = admin.get("/admin/devices/powercontroller/tests/?of=x,,0,99999999999999999999,7777")
    assert told(nothing) == {}
    assert "There is no such test any more." in nothing.content.decode()


def test_a_hundred_are_tested_at_once_and_no_more(admin: Client, pool: list[Device]) -> None:
    many = [make_controller("shelf", driver="manual", rack=pool[0].rack).pk for _ in range(101)]
    refused: Any = admin.post(LIST, {"action": "test", "_selected_action": many}, follow=True)
    assert [str(one) for one in refused.context["messages"]] == ["At most 100 at a time, please."]
    assert not Operation.objects.exists()
    begun: Any = admin.post(LIST, {"action": "test", "_selected_action": many[:100]}, follow=True)
    assert len(told(begun)) == 100


def test_a_test_shows_whether_it_answers_and_its_health_is_remembered(
    admin: Client, pool: list[Device]
) -> None:
    with Twin("web_plug", "shelly") as plug:
        well = make_controller(plug.address, driver="shelly", rack=pool[0].rack)
        silent = make_controller(f"127.0.0.1:{free_port()}", driver="shelly", rack=pool[0].rack)
        sent = {"action": "test", "_selected_action": [well.pk, silent.pk]}
        begun: Any = admin.post(LIST, sent, follow=True)
        assert told(begun) == dict.fromkeys(
            (well.name, silent.name), f"waits for a worker of rack {pool[0].rack}"
        )
        assert "data-follow" in begun.content.decode()
        work()
        (address, _) = begun.redirect_chain[-1]
        answered: Any = admin.get(address, headers={"X-Requested-With": "fetch"})
    assert "<html" not in answered.content.decode()
    assert "data-follow" not in answered.content.decode()
    assert told(answered)[well.name] == "is well"
    assert "Try again; if it stays so" in told(answered)[silent.name]
    for controller in (well, silent):
        controller.refresh_from_db()
    assert (well.last_contact is not None, well.last_error) == (True, "")
    assert (silent.last_contact, silent.address in silent.last_error) == (None, True)


def test_a_task_for_a_person_is_listed_and_confirmed(admin: Client, pool: list[Device]) -> None:
    shelf = make_controller("shelf 3", driver="manual", rack=pool[0].rack)
    device = make_device(power_controller=shelf, outlet="plug 4", rack=pool[0].rack)
    operation = operations.queue(device, Kind.POWER_OFF, clock.now(), actor="ada")
    run(operation.pk, report)
    shown = admin.get(TASKS).content.decode()
    assert "please do it" in shown
    task = HandTask.objects.get()
    sent = {"action": "confirm", "_selected_action": [task.pk]}
    assert "thank you" in admin.post(TASKS, sent, follow=True).content.decode()
    assert "nobody waits for that any more" in admin.post(TASKS, sent, follow=True).content.decode()
    run(operation.pk, report)
    assert Operation.objects.get().message == "switched by hand by root"


def test_outlets_are_shown_without_asking_and_read_back_when_asked(admin: Client, pool: list[Device]) -> None:
    with Twin("web_plug", "shelly") as plug:
        strip = make_controller(plug.address, driver="shelly", rack=pool[0].rack)
        device = make_device(power_controller=strip, outlet="0", rack=pool[0].rack)
        path = page(strip).replace("change", "outlets")
        before: Any = admin.get(path)
        begun: Any = admin.post(path, headers={"X-Requested-With": "fetch"})
        work()
        (follow,) = re.findall(r'data-follow="([^"]*)"', begun.content.decode())
        after: Any = admin.get(path + follow, headers={"X-Requested-With": "fetch"})
    assert [(one.name, one.device, one.reads) for one in before.context["outlets"]] == [
        ("0", device, "not asked")
    ]
    assert [(one.name, one.reads) for one in after.context["outlets"]] == [("0", "on")]
    assert "<html" not in after.content.decode()
    again: Any = admin.post(path)
    work()
    silent: Any = admin.get(again.headers["Location"])
    assert [(one.reads, bool(one.problem)) for one in silent.context["outlets"]] == [("error", True)]
    assert silent.context["reading"].progress.state == "failed"


def test_a_button_tests_one_controller_and_leads_to_how_far_it_is(admin: Client, pool: list[Device]) -> None:
    with Twin("web_plug", "shelly") as plug:
        well = make_controller(plug.address, driver="shelly", rack=pool[0].rack)
        path = page(well).replace("change", "test")
        begun = admin.post(path)
        work()
        answered: Any = admin.get(begun.headers["Location"])
    assert told(answered) == {well.name: "is well"}
    assert f'href="{page(well)}"' in answered.content.decode()
    assert admin.get(path).status_code == 405
    assert admin.post("/admin/devices/powercontroller/0/test/").status_code == 404


def test_a_secret_that_is_set_stays_out_of_the_audit_trail(admin: Client, vault: PowerController) -> None:
    assert changed(admin, vault, setting_password="sesame-9", setting_retries="7").status_code == 302
    (entry,) = AuditEntry.objects.filter(target="vault")
    assert entry.after == {"setting_password": "***", "setting_retries": 7}
    assert "sesame" not in str(entry.before)
