"""Stories of a booting device's own calls, by the token of its present boot."""

import pytest
from django.conf import settings as django_settings
from django.test import Client

from bmm.netboot import boot_token
from devices.models import BootConfig, Device, Image, Journal
from lifeguard import services
from lifeguard.machine import device_runner
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from tests.integration.api import pool

WISH = '{"b2gbase": "http://x/y"}'


def base(device: Device, boot_seq: int | None = None) -> str:
    """Give the path that a device's boot file tells it, for its present boot or another."""
    number = device.boot_seq if boot_seq is None else boot_seq
    return f"/boot/{device.name}/{boot_token(django_settings.MOZPOOL_BOOT_KEYS[0], device.name, number)}"


def state() -> str:
    return Device.objects.get(name="device1").state


def say(client: Client, device: Device, event: str) -> None:
    answer = pool.post(client, f"{base(device)}/event/{event}")
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.fixture
def booting() -> Device:
    """Give device1 as it waits for b2g's live image to call."""
    services.please(
        1, "image", by=Actor("tester", "user"), image=Image.objects.get(name="b2g"), boot_config=WISH
    )
    return device_runner.deliver(1, Event("power_cycle_ok")).row


def test_a_board_installs_its_image_as_its_script_says(booting: Device, stranger: Client) -> None:
    say(stranger, booting, "mobile_init_started")
    assert Device.objects.get(pk=1).netboot is None
    script = stranger.get(f"{base(booting)}/second-stage")
    assert script.headers["Content-Type"] == "text/x-shellscript; charset=utf-8"
    assert script.content.decode().splitlines() == [
        "#!/bin/sh",
        f"MOZPOOL_URL='http://mozpool.example{base(booting)}'",
        "MOZPOOL_IMAGE='b2g'",
    ]
    config = stranger.get(f"{base(booting)}/config")
    assert (config.headers["Content-Type"], config.content.decode()) == (
        "application/json; charset=utf-8",
        WISH,
    )
    for event, then in (
        ("b2g_downloading", "downloading"),
        ("b2g_extracting", "extracting"),
        ("b2g_rebooting", "port_verifying"),
    ):
        say(stranger, booting, event)
        assert state() == then


def test_the_second_stage_may_be_fetched_before_the_first_event(booting: Device, stranger: Client) -> None:
    assert "MOZPOOL_IMAGE='b2g'" in stranger.get(f"{base(booting)}/second-stage/").content.decode()


def test_a_board_on_self_test_and_one_on_maintenance_get_their_own_script(stranger: Client) -> None:
    for verb, image in (("self_test", "self-test"), ("start_maintenance", "maintenance")):
        device = services.please(1, verb, by=Actor("tester", "user"))
        say(stranger, device, "mobile_init_started")
        assert f"MOZPOOL_IMAGE='{image}'" in stranger.get(f"{base(device)}/second-stage").content.decode()
        assert stranger.get(f"{base(device)}/config").json() == {}
        Device.objects.filter(pk=1).update(state="ready")


def test_a_board_on_self_test_reports_its_result(stranger: Client) -> None:
    device = services.please(1, "self_test", by=Actor("tester", "user"))
    for event in ("mobile_init_started", "self_test_running", "self_test_ok"):
        say(stranger, device, event)
    assert state() == "ready"


def test_an_event_said_twice_is_answered_alike_and_journalled(booting: Device, stranger: Client) -> None:
    say(stranger, booting, "mobile_init_started")
    say(stranger, booting, "mobile_init_started")
    line = Journal.objects.filter(device_id=1).latest("time", "id")
    assert (line.actor, line.source) == ("device1", "api")
    assert line.message == "ignored event mobile_init_started in state mobile_init_started"


@pytest.mark.parametrize(
    "event", ["power_cycle_ok", "verify_port_ok", "please_self_test", "timeout", "nonsense"]
)
def test_a_board_cannot_claim_the_result_of_an_operation(
    booting: Device, stranger: Client, event: str
) -> None:
    say(stranger, booting, event)
    assert state() == "pxe_booting"
    line = Journal.objects.filter(device_id=1).latest("time", "id")
    assert line.message == f"ignored event {event} in state pxe_booting"


@pytest.mark.parametrize(
    ("method", "page"), [("POST", "event/mobile_init_started"), ("GET", "second-stage"), ("GET", "config")]
)
def test_the_token_of_an_earlier_boot_opens_nothing(
    booting: Device, stranger: Client, method: str, page: str
) -> None:
    for seq in (booting.boot_seq - 1, booting.boot_seq + 1):
        answer = stranger.generic(method, f"{base(booting, seq)}/{page}")
        assert (answer.status_code, answer.json()["field"]) == (403, "token")
    assert state() == "pxe_booting"


def test_the_token_of_another_device_opens_nothing(booting: Device, stranger: Client) -> None:
    token = base(booting).rpartition("/")[2]
    Device.objects.filter(name="device2").update(boot_seq=booting.boot_seq, next_boot_config=WISH)
    assert stranger.get(f"/boot/device2/{token}/config").status_code == 403


def test_a_name_that_does_not_exist_is_told_like_a_wrong_token(booting: Device, stranger: Client) -> None:
    answers = [stranger.get(f"/boot/{name}/{'A' * 22}/config") for name in ("device1", "nosuch", "no such")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(403, answers[0].content)}


def test_once_its_image_is_on_it_a_board_gets_no_script(booting: Device, stranger: Client) -> None:
    Device.objects.filter(pk=1).update(state="ready", next_image=None, next_boot_config="", netboot=None)
    answer = stranger.get(f"{base(booting)}/second-stage")
    assert (answer.status_code, answer.json()["detail"]) == (403, "this boot of device1 is over")
    assert stranger.get(f"{base(booting)}/config").json() == {}


def test_a_boot_config_without_a_second_stage_says_so(booting: Device, stranger: Client) -> None:
    BootConfig.objects.filter(name="fake-b2g").update(second_stage="")
    answer = stranger.get(f"{base(booting)}/second-stage")
    assert (answer.status_code, answer.json()["detail"]) == (404, "boot config fake-b2g has no second stage")


def test_a_script_written_in_a_browser_has_no_carriage_returns(booting: Device, stranger: Client) -> None:
    BootConfig.objects.filter(name="fake-b2g").update(second_stage="#!/bin/sh\r\necho %DEVICE%\r\n")
    assert stranger.get(f"{base(booting)}/second-stage").content == b"#!/bin/sh\necho device1\n"


def test_nothing_changes_by_a_get(booting: Device, stranger: Client) -> None:
    assert stranger.get(f"{base(booting)}/event/mobile_init_started").status_code == 405
    assert state() == "pxe_booting"


def test_nobody_keeps_what_a_device_was_told(booting: Device, stranger: Client) -> None:
    assert stranger.get(f"{base(booting)}/config").headers["Cache-Control"] == "no-store"


def test_a_tokens_call_asks_for_no_session(booting: Device, stranger: Client) -> None:
    stranger.cookies["sessionid"] = "0123456789abcdefghijklmnopqrstuv"
    assert stranger.get(f"{base(booting)}/config").status_code == 200


def opened(client: Client, device: Device) -> list[int]:
    """Try what a token opens; give the statuses of config, script, log and event."""
    return [
        client.get(f"{base(device)}/config").status_code,
        client.get(f"{base(device)}/second-stage").status_code,
        pool.post(client, f"{base(device)}/log", {"message": "x"}).status_code,
        pool.post(client, f"{base(device)}/event/b2g_rebooting").status_code,
    ]


def test_a_boots_token_opens_nothing_once_the_image_is_up(booting: Device, stranger: Client) -> None:
    for event in ("mobile_init_started", "b2g_downloading", "b2g_extracting", "b2g_rebooting"):
        say(stranger, booting, event)
    device_runner.deliver(1, Event("verify_port_ok"))
    assert state() == "ready"
    assert opened(stranger, booting) == [403, 403, 403, 403]


def test_a_boots_token_opens_nothing_once_its_request_has_returned_the_device(stranger: Client) -> None:
    person = pool.person("rita", "requester")
    order = {"assignee": "me@x", "duration": 3600, "image": "b2g", "b2gbase": "http://x/y"}
    filed = pool.post(person, "/api/device/device1/request/", order).json()["request"]["id"]
    Device.objects.filter(pk=1).update(state="ready", image=Image.objects.get(name="b2g"))
    again = {"pxe_config": "fake-b2g", "boot_config": {"b2gbase": "http://x/z"}}
    assert pool.post(person, "/api/device/device1/power-cycle/", again).status_code == 200
    booted = Device.objects.get(pk=1)
    assert opened(stranger, booted) == [200, 200, 200, 200]
    assert pool.post(person, f"/api/request/{filed}/return/").status_code < 300
    assert Device.objects.get(pk=1).held_by is None
    assert opened(stranger, booted) == [403, 403, 403, 403]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("wrote http://images.example/b2g/42/b2g.img?sig=SECRET", "wrote http://images.example/.../b2g.img"),
        (
            "http://me:SECRET@x:8080/SECRET/y.gz?a=SECRET#SECRET can't be fetched",
            "http://x:8080/.../y.gz can't be fetched",
        ),
        ("the download of https://x/y broke off", "the download of https://x/y broke off"),
        ("HTTP://x?SECRET and ftp://u@v@x/SECRET/z", "HTTP://x and ftp://x/.../z"),
    ],
)
def test_of_a_url_that_a_device_tells_host_and_file_name_are_kept(
    booting: Device, stranger: Client, said: str, kept: str
) -> None:
    assert pool.post(stranger, f"{base(booting)}/log", {"message": said}).status_code == 200
    assert Journal.objects.filter(event="log").latest("pk").message == kept
