"""A developer borrows a device from the command line, and gives it back."""

import signal
import time
from datetime import timedelta

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from devices.models import Device, Journal, Rack
from requests_app.models import Request
from tests.integration.commands.conftest import Pool


def test_a_request_is_followed_until_its_device_is_ready(pool: Pool) -> None:
    ran = pool.shell(
        "request_device", "android", "--device", "panda-0016", "--duration", "90m", "--assignee", "ann"
    )
    assert (ran.status, ran.err) == (0, "")
    request = Request.objects.get()
    shown = [
        line.split(maxsplit=2)[2] for line in ran.out.splitlines() if line.startswith("  ") and " s  " in line
    ]
    assert shown == [
        f"request {request.pk}  finding_device",
        f"request {request.pk}  contacting_lifeguard",
        f"request {request.pk}  pending",
        "panda-0016  start_power_cycle",
        "panda-0016  pc_power_cycling",
        "panda-0016  verifying",
        "panda-0016  port_verifying",
        "panda-0016  operation_complete",
        "panda-0016  ready",
        f"request {request.pk}  ready",
    ]
    assert f"request {request.pk} is ready: panda-0016 (panda-0016.p1.lab.example) with android" in ran.out
    assert f"manage.py renew_request {request.pk} 2h" in ran.out
    assert f"manage.py return_device {request.pk}" in ran.out
    assert (request.state, request.assignee) == ("ready", "ann")
    assert request.ready_at is not None
    assert (request.duration, request.expires - request.ready_at) == (5400, timedelta(minutes=90))


def test_without_waiting_the_answer_is_what_is_known_at_once(pool: Pool) -> None:
    ran = pool.run("request_device", "android", "--device", "panda-0017", "--no-wait", "--json")
    assert (ran.status, ran.err) == (0, "")
    request = Request.objects.get()
    assert ran.json == {
        "request": request.pk,
        "state": "pending",
        "device": "panda-0017",
        "fqdn": "panda-0017.p1.lab.example",
        "address": pool.device(17).address,
        "image": "android",
        "assignee": request.assignee,
        "expires": None,
        "waits_until": None,
    }


def test_a_named_device_that_is_taken_ends_the_request_with_status_1(pool: Pool) -> None:
    pool.put(18, held_by=4242, idle_since=None)
    ran = pool.run("request_device", "android", "--device", "panda-0018", "--max-wait", "0")
    request = Request.objects.get()
    assert (ran.status, ran.complaint) == (1, f"request_device: request {request.pk} is failed_device_busy")


def test_ctrl_c_says_that_the_request_stays_and_how_to_give_it_up(pool: Pool) -> None:
    Rack.objects.update(address="192.0.2.7")
    with pool.start("request_device", "android", "--device", "panda-0019") as process:
        _until_pending()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    request = Request.objects.get()
    assert process.returncode == 130
    assert err == (
        f"request_device: interrupted; request {request.pk} stays, in state pending; "
        f"`manage.py return_device {request.pk}` gives it up\n"
    )
    assert request.state == "pending"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_leaks_nothing_when_told_to_return(pool: Pool, number: int) -> None:
    Rack.objects.update(address="192.0.2.7")
    with pool.start("request_device", "android", "--return-on-interrupt") as process:
        _until_pending()
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    request = Request.objects.get()
    assert (process.returncode, request.state) == (130, "closed")
    assert err == f"request_device: interrupted; request {request.pk} is returned\n"
    assert not Device.objects.filter(held_by__isnull=False).exists()


def test_what_nobody_frees_in_time_is_not_waited_for(pool: Pool) -> None:
    Device.objects.update(held_by=None, state="troubleshooting", deadline=None, idle_since=None)
    ran = pool.run("request_device", "android", "--timeout", "1")
    request = Request.objects.get()
    assert (ran.status, ran.complaint) == (
        1,
        (
            f"request_device: not ready after 1 s; request {request.pk} stays, in state finding_device; "
            f"`manage.py return_device {request.pk}` gives it up"
        ),
    )


def test_a_request_that_has_waited_long_enough_fails_without_any_pulse(pool: Pool) -> None:
    Device.objects.update(held_by=None, state="troubleshooting", deadline=None, idle_since=None)
    ran = pool.run("request_device", "android", "--max-wait", "1s")
    request = Request.objects.get()
    assert (ran.status, ran.complaint) == (
        1,
        f"request_device: request {request.pk} is failed_device_not_found",
    )


def test_a_device_is_returned_by_its_name_or_by_its_request(pool: Pool) -> None:
    first = _held(pool, 20)
    second = _held(pool, 21)
    ran = pool.run("return_device", "panda-0020", str(second.pk))
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"request {first.pk} is closed: returned panda-0020",
        f"request {second.pk} is closed: returned panda-0021",
    ]
    again = pool.run("return_device", str(first.pk))
    assert (again.status, again.out) == (0, f"request {first.pk} had ended already: it is closed\n")


def test_one_unknown_name_keeps_all_requests_as_they_are(pool: Pool) -> None:
    held = _held(pool, 22)
    ran = pool.run("return_device", str(held.pk), "panda-9999")
    assert (ran.status, ran.complaint) == (2, "return_device: there is no device panda-9999")
    held.refresh_from_db()
    assert held.ended is None


def test_a_device_that_nobody_holds_cannot_be_returned(pool: Pool) -> None:
    ran = pool.run("return_device", "panda-0023")
    assert (ran.status, ran.complaint) == (
        1,
        "return_device: no request holds panda-0023; it is in state ready",
    )


def test_renewing_sets_the_time_left_from_now(pool: Pool) -> None:
    held = _held(pool, 24)
    ran = pool.run("renew_request", "panda-0024", "2h", "--json")
    assert (ran.status, ran.json["request"]) == (0, held.pk)
    held.refresh_from_db()
    assert (ran.json["expires"], held.duration) == (None, 7200)
    pool.run("return_device", str(held.pk))
    ended = pool.run("renew_request", str(held.pk), "2h")
    assert (ended.status, ended.complaint) == (1, f"renew_request: request {held.pk} has ended: it is closed")


def test_an_image_is_installed_while_only_the_web_is_alive(
    pool: Pool, live_server: LiveServer, settings: Settings
) -> None:
    settings.MOZPOOL_BASE_URL = live_server.url
    ran = pool.run("request_device", "linux", "--device", "panda-0034", "--here")
    assert (ran.status, ran.err) == (0, "")
    device = pool.device(34)
    assert (device.state, device.image.name if device.image else None) == ("ready", "linux")
    assert pool.lab.control.board("panda-0034").image == "linux"
    entered = (
        Journal.objects.filter(device_id=device.pk).exclude(to_state="").values_list("to_state", flat=True)
    )
    assert {"pxe_booting", "downloading", "extracting", "sut_verifying"} <= set(entered)
    # Else the request would have its image again as soon as the self-test is over.
    pool.run("return_device", "panda-0034")
    back = pool.run("maintenance", "panda-0034", "--here")
    assert (back.status, pool.device(34).state) == (0, "maintenance_mode")
    well = pool.run("self_test", "panda-0034", "--here")
    assert (well.status, pool.device(34).state) == (0, "ready")


def _until_pending() -> None:
    deadline = time.monotonic() + 20
    while not Request.objects.filter(state="pending").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _held(pool: Pool, number: int) -> Request:
    ran = pool.run("request_device", "android", "--device", f"panda-{number:04d}", "--no-wait", "--json")
    return Request.objects.get(pk=ran.json["request"])


def test_a_request_that_waits_says_how_many_are_before_it(pool: Pool) -> None:
    Device.objects.update(held_by=None, state="troubleshooting", deadline=None, idle_since=None)
    for _ in range(2):
        pool.run("request_device", "android", "--no-wait")
    ran = pool.run("request_device", "android", "--timeout", "1")
    newest = Request.objects.latest("pk")
    assert ran.status == 1
    assert ran.out.splitlines()[0].endswith(f"request {newest.pk}  finding_device, place 3 in the queue")
