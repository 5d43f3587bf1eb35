"""Stories of filing by the v2 API: what is asked for, what comes back, and what is refused with which reason."""

import json
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from devices.models import BootConfig, Device, HardwareType, ImageBootConfig
from requests_app.models import Request
from requests_app.webhooks.models import Webhook
from tests.factories import make_device, make_devices, make_image
from tests.integration.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v2/requests/"


def post(client: Client, body: object, key: str | None = None, path: str = PATH) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def filed(client: Client, **body: object) -> dict[str, Any]:
    answer = post(client, {"image": "android", **body})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def refused(client: Client, status: int, **body: object) -> dict[str, Any]:
    before = Request.objects.count()
    answer = post(client, {"image": "android", **body})
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), (
        answer.content
    )
    assert Request.objects.count() == before
    found: dict[str, Any] = answer.json()
    return found


def test_a_request_for_any_device_is_answered_whole_with_its_device(alice: Client) -> None:
    device = make_device(image=make_image())
    answer = post(alice, {"image": "android"})
    request = Request.objects.get()
    url = f"http://mozpool.example/api/v2/requests/{request.pk}/"
    assert (answer.status_code, answer["Location"]) == (201, url)
    told = answer.json()
    assert told.pop("seconds_left") == 3600
    assert told.pop("waiting")["reason"] == "being_prepared"
    times = {name: told.pop(name) for name in ("created", "state_since")}
    assert all(
        len(time) == len("2026-11-22T13:55:23.527520Z") and time.endswith("Z") for time in times.values()
    )
    assert told == {
        "id": request.pk,
        "url": url,
        "state": "pending",
        "state_seq": 1,
        "waits_until": None,
        "duration": 3600,
        "expires": None,
        "ready_at": None,
        "ended": None,
        "image": "android",
        "boot_config": {},
        "requested_device": None,
        "device": {
            "name": device.name,
            "fqdn": device.fqdn,
            "address": "127.0.0.1",
            "state": "pc_power_cycling",
            "url": f"http://mozpool.example/api/v2/devices/{device.name}/",
        },
        "last_device": device.name,
        "environment": "any",
        "hardware": None,
        "tags": [],
        "assignee": "alice",
        "owner": "alice",
        "priority": 0,
    }


def test_environment_hardware_and_tags_together_find_the_one_device_that_has_them(alice: Client) -> None:
    make_image()
    make_devices(20)
    make_devices(20, environment="staging", tags=["gpu"])
    make_device(environment="staging", tags=["gpu-2", "hdmi"])
    wanted = make_device(environment="staging", tags=["hdmi", "gpu"])
    told = filed(alice, environment="staging", tags=["gpu", "hdmi"], hardware="panda/es-b3")
    assert told["device"]["name"] == wanted.name
    assert (told["environment"], told["tags"], told["hardware"]) == (
        "staging",
        ["gpu", "hdmi"],
        "panda/es-b3",
    )


def test_only_the_hardware_that_was_asked_for_is_given(alice: Client) -> None:
    image = make_image()
    tegra = HardwareType.objects.create(kind="tegra", model="250")
    ImageBootConfig.objects.create(image=image, hardware_type=tegra, boot_config=BootConfig.objects.get())
    make_devices(3, image=image)
    wanted = make_device(hardware_type=tegra)
    assert filed(alice, hardware="tegra/250")["device"]["name"] == wanted.name
    waiting = filed(alice, hardware="tegra/250")
    assert (waiting["state"], waiting["device"]) == ("finding_device", None)


def test_a_named_device_that_is_taken_gives_409_with_the_request_to_who_does_not_wait(alice: Client) -> None:
    device = make_device(image=make_image())
    filed(alice, device=device.name)
    answer = post(alice, {"image": "android", "device": device.name, "max_wait": 0})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (409, "conflict", "device")
    assert (problem["request"]["state"], problem["request"]["requested_device"]) == (
        "failed_device_busy",
        device.name,
    )


def test_boot_config_values_are_checked_as_ever_and_stored_for_the_devices_boot(
    alice: Client, settings: Settings
) -> None:
    settings.MOZPOOL_IMAGE_HOSTS = ("build.example",)
    make_image("b2g", boot_config_keys=["b2gbase"])
    make_device()
    good = {"b2gbase": "http://build.example/1/"}
    assert filed(alice, image="b2g", boot_config=good)["boot_config"] == good
    for bad, field in (
        ({"b2gbase": "http://evil.example/1/"}, "boot_config.b2gbase"),
        ({}, "boot_config.b2gbase"),
        ({**good, "other": "1"}, "boot_config"),
    ):
        problem = refused(alice, 400, image="b2g", boot_config=bad)
        assert (problem["code"], problem["field"]) == ("invalid", field)


def test_urgency_is_for_operators_and_everybody_may_step_back(alice: Client, operator: Client) -> None:
    make_image()
    make_devices(3)
    problem = refused(alice, 403, priority=1)
    assert (problem["code"], problem["field"]) == ("not_allowed", "priority")
    assert filed(operator, priority=10)["priority"] == 10
    assert filed(alice, priority=-10)["priority"] == -10
    assert refused(operator, 400, priority=11)["field"] == "priority"


def test_a_request_brings_its_own_webhook(alice: Client, settings: Settings) -> None:
    settings.MOZPOOL_WEBHOOK_HOSTS = ("hooks.example",)
    make_image()
    make_device()
    told = filed(alice, webhook={"url": "https://hooks.example/1"})
    assert Webhook.objects.get().request_id == told["id"]
    assert refused(alice, 400, webhook={"url": "https://evil.example/1"})["field"] == "webhook"


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "no image": ({"image": None}, 400, "image"),
    "an unknown image": ({"image": "nosuch"}, 404, "image"),
    "an image that is a number": ({"image": 5}, 400, "image"),
    "an image of Lifeguard's own": ({"image": "maintenance"}, 400, "image"),
    "an unknown device": ({"device": "nosuch"}, 404, "device"),
    "a device that is a list": ({"device": ["panda"]}, 400, "device"),
    "an unknown type of hardware": ({"hardware": "nosuch"}, 404, "hardware"),
    "an environment with a space": ({"environment": "a b"}, 400, "environment"),
    "no time at all": ({"duration": 0}, 400, "duration"),
    "more time than allowed": ({"duration": 10**9}, 400, "duration"),
    "true for a time": ({"duration": True}, 400, "duration"),
    "half a second": ({"duration": 1.5}, 400, "duration"),
    "a tag with a quote": ({"tags": ['a"b']}, 400, "tags"),
    "tags in a text": ({"tags": "gpu"}, 400, "tags"),
    "eleven tags": ({"tags": [f"t{number}" for number in range(11)]}, 400, "tags"),
    "a tag that is an object": ({"tags": [{}]}, 400, "tags.0"),
    "a boot config in a text": ({"boot_config": "{}"}, 400, "boot_config"),
    "an assignee that is too long": ({"assignee": "x" * 101}, 400, "assignee"),
    "an empty assignee": ({"assignee": ""}, 400, "assignee"),
    "a key that nobody knows": ({"devcie": "panda"}, 400, "devcie"),
}


@pytest.mark.parametrize("story", BAD)
def test_what_is_wrong_is_named_and_nothing_is_stored(story: str, alice: Client) -> None:
    make_image()
    make_image("maintenance")
    make_device()
    body, status, field = BAD[story]
    problem = refused(alice, status, **body)
    assert problem["field"] == field


def test_a_viewer_files_nothing(viewer: Client) -> None:
    make_image()
    assert refused(viewer, 403)["code"] == "not_allowed"


# What no device could ever meet.


def test_an_environment_that_no_device_has_is_refused_with_those_that_there_are(alice: Client) -> None:
    make_image()
    make_device()
    make_device(environment="staging")
    problem = refused(alice, 422, environment="nosuch")
    assert (problem["code"], problem["field"]) == ("impossible", "environment")
    assert problem["detail"] == "no device is of environment nosuch; there are: production, staging"


def test_hardware_that_the_image_cannot_be_put_on_is_refused_with_what_it_can(alice: Client) -> None:
    make_image()
    HardwareType.objects.create(kind="tegra", model="250")
    problem = refused(alice, 422, hardware="tegra/250")
    assert (
        problem["detail"] == "image android has no active boot config for tegra/250; it has for panda/es-b3"
    )


def test_an_image_without_any_active_boot_config_is_refused(alice: Client) -> None:
    make_image()
    make_device()
    BootConfig.objects.update(active=False)
    assert refused(alice, 422)["detail"] == "image android has no active boot config for any hardware"


def test_a_named_device_that_lacks_what_is_asked_for_is_refused_although_it_is_taken(alice: Client) -> None:
    device = make_device(image=make_image(), held_by=1_000_000)
    problem = refused(alice, 422, device=device.name, tags=["gpu"])
    assert problem["detail"] == f"device {device.name} does not have the tag gpu"


def test_devices_that_are_all_locked_out_are_refused_and_those_that_may_be_repaired_waited_for(
    alice: Client,
) -> None:
    make_image()
    devices = make_devices(2, state="locked_out", deadline=None)
    assert refused(alice, 422)["detail"] == "no device that fits is in the pool any more: 2 locked out"
    Device.objects.filter(pk=devices[0].pk).update(state="failed_pxe_booting")
    waiting = filed(alice)
    assert (waiting["state"], waiting["waiting"]["reason"]) == ("finding_device", "out_of_order")


def test_a_device_that_came_a_moment_ago_counts_although_the_pool_is_remembered(alice: Client) -> None:
    make_image()
    make_device(held_by=1_000_000)
    assert refused(alice, 422, environment="staging")["code"] == "impossible"
    make_device(environment="staging", held_by=1_000_001)
    assert filed(alice, environment="staging")["state"] == "finding_device"


# One call, sent twice.


def test_the_same_key_and_body_files_once_and_says_so(alice: Client) -> None:
    make_devices(3, image=make_image())
    first = post(alice, {"image": "android", "duration": 60}, "job 17")
    again = post(alice, {"duration": 60, "image": "android"}, "job 17")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert Request.objects.count() == 1


def test_a_key_with_another_body_is_refused_and_another_callers_key_is_another(
    alice: Client, operator: Client
) -> None:
    make_devices(3, image=make_image())
    number = post(alice, {"image": "android"}, "job 17").json()["id"]
    mismatch = post(alice, {"image": "android", "duration": 60}, "job 17")
    problem = mismatch.json()
    assert (mismatch.status_code, problem["code"]) == (422, "idempotency_mismatch")
    assert problem["detail"] == (
        f"this Idempotency-Key filed request {number}, with another body; take a new key"
    )
    assert post(operator, {"image": "android"}, "job 17").json()["id"] != number


def test_a_repeated_call_gets_its_request_although_it_could_not_be_filed_any_more(alice: Client) -> None:
    image = make_image()
    make_device(image=image)
    first = post(alice, {"image": "android"}, "k").json()
    ImageBootConfig.objects.all().delete()
    Device.objects.update(state="locked_out", held_by=None)
    assert post(alice, {"image": "android"}, "k").json()["id"] == first["id"]


def test_a_taken_device_is_told_again_to_who_repeats_the_call(alice: Client) -> None:
    device = make_device(image=make_image(), held_by=1_000_000)
    body = {"image": "android", "device": device.name, "max_wait": 0}
    answers = [post(alice, body, "k") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert len({answer.json()["request"]["id"] for answer in answers}) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "naïve", "a\tb"])
def test_a_key_that_is_none_is_refused(alice: Client, key: str) -> None:
    make_device(image=make_image())
    answer = post(alice, {"image": "android"}, key)
    assert (answer.status_code, answer.json()["field"]) == (400, "Idempotency-Key")


def test_eight_calls_with_one_key_at_the_same_moment_file_one_request(alice: Client) -> None:
    make_devices(10, image=make_image())
    cookies = alice.cookies

    def files(number: int) -> Any:
        client = Client()
        client.cookies = cookies
        return post(client, {"image": "android"}, "once")

    answers = in_threads(8, files)
    assert [answer.status_code for answer in answers] == [201] * 8
    assert {answer.json()["id"] for answer in answers} == {Request.objects.get().pk}
    assert sum("Idempotent-Replayed" in answer for answer in answers) == 7
    assert Device.objects.filter(held_by__isnull=False).count() == 1


def test_a_commit_whose_answer_was_lost_is_filed_once_with_its_key(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_devices(3, image=make_image())
    committed = transaction.Atomic.__exit__
    lost: list[int] = []

    def lose_the_answer(self: transaction.Atomic, *error: object) -> None:
        committed(self, *error)  # type: ignore[arg-type]
        if self.durable and not lost and Request.objects.exists():  # type: ignore[attr-defined]
            lost.append(1)
            raise OperationalError(2013, "Lost connection to server during query")

    monkeypatch.setattr(transaction.Atomic, "__exit__", lose_the_answer)
    answer = post(alice, {"image": "android"}, "k")
    assert (lost, answer.status_code) == ([1], 201)
    assert list(Request.objects.values_list("pk", "state")) == [(answer.json()["id"], "pending")]


def test_what_filing_asks_of_the_database_is_counted(
    alice: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_devices(3, image=make_image())
    filed(alice)
    # SQLite needs no query to tell the time.
    with django_assert_num_queries({"sqlite": 20, "mysql": 22}[connection.vendor]):
        filed(alice)
