"""The page of images: what can be requested, how well it installs, and how long that takes."""

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Image
from lifeguard.models import Install
from mozpool_site import clock
from pages.images.catalogue import medians, records
from requests_app.snapshot import stock
from tests.factories import make_device, make_devices, make_image, make_request

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Let no test see what the one before found in the pool."""
    stock.forget()
    records.forget()


def look(role: str) -> str:
    user = User.objects.create(username=f"a-{role}")
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    client = Client()
    client.force_login(user)
    response = client.get("/images/")
    assert response.status_code == 200
    return response.content.decode()


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def install(image: Image, device: Device, finished: datetime, failed_in: str = "") -> None:
    Install.objects.create(
        device=device, image=image, config_digest="", succeeded=not failed_in, healthy_before=True,
        failed_in=failed_in, finished=finished,
    )  # fmt: skip


def test_an_image_is_shown_with_its_notes_its_hardware_and_what_it_asks_for() -> None:
    make_image("b2g", boot_config_keys=["b2gbase"], version_notes="Gecko 25 <b>")
    make_devices(3)
    make_device(state="ready", idle_since=None, held_by=5)
    told = look("viewer")
    assert (
        "b2g reusable Gecko 25 &lt;b&gt; Installed well no figures Median time to install no figures"
        in words(told)
    )
    assert "Hardware panda/es-b3 3 of 4 free Asks for b2gbase Verified by a TCP port accepts" in words(told)
    assert "/requests/new/?image=b2g" not in told
    assert "/requests/new/?image=b2g" in look("requester")


def test_hidden_images_are_for_operators_and_lifeguards_own_for_nobody() -> None:
    for name in ("android", "self-test", "maintenance"):
        make_image(name)
    make_image("next", hidden=True)
    shown = {
        role: re.findall(r'<section class="card image" id="([^"]+)"', look(role))
        for role in ("viewer", "operator")
    }
    assert shown == {"viewer": ["android"], "operator": ["android", "next"]}


def test_an_image_that_nothing_installs_says_so() -> None:
    make_image("android", installable=False)
    assert "none: it has no active boot config, so nobody can get it" in words(look("viewer"))


def test_success_rate_and_median_are_those_of_installations_in_the_last_thirty_days() -> None:
    image, now = make_image("android"), clock.now()
    device = make_device()
    for number, seconds in enumerate((100, 140, 400)):
        matched = now - timedelta(hours=number + 1)
        ready = matched + timedelta(seconds=seconds)
        make_request(
            image, state="ready", last_device=device, matched_at=matched, ready_at=ready, deadline=None
        )
        install(image, device, ready - timedelta(seconds=1))
    # Found the image there: only power-cycled.
    again = now - timedelta(hours=9)
    make_request(image, state="closed", last_device=device, matched_at=again, ready_at=again + timedelta(seconds=5),
                 ended=now, deadline=None)  # fmt: skip
    install(image, device, now - timedelta(minutes=2), "downloading_failed")
    install(image, device, now - timedelta(days=31), "downloading_failed")
    told = words(look("viewer"))
    assert "Installed well 75 % 3 of 4 Median time to install 2 min 20 s from a device to ready" in told
    assert f"Last installed 2 min ago ✕ {device.name} gave up in downloading failed 2 min ago ●" in told


def test_an_installation_counts_for_the_request_that_it_was_made_for() -> None:
    now = clock.now()

    def row(device: int, minutes: int, *, succeeded: bool = True) -> dict[str, object]:
        return {
            "image_id": 1,
            "device_id": device,
            "finished": now + timedelta(minutes=minutes),
            "succeeded": succeeded,
        }

    prepared = (1, 7, now, now + timedelta(minutes=3))
    assert medians([row(7, 2)], [prepared]) == {1: 180.0}
    for other in (row(8, 2), row(7, 4), row(7, -1), row(7, 2, succeeded=False)):
        assert medians([other], [prepared]) == {}


def test_the_page_costs_the_same_however_many_images_and_installations_there_are() -> None:
    asked = []
    for more in range(2):
        for number in range(10 * more + 1):
            image = make_image(f"image-{more}-{number}")
            for device in make_devices(3):
                install(image, device, clock.now())
        stock.forget()
        records.forget()
        with CaptureQueriesContext(connection) as queries:
            look(("viewer", "operator")[more])
        asked.append(len([one for one in queries if one["sql"].startswith("SELECT")]))
    assert asked[1] <= asked[0] <= 17
