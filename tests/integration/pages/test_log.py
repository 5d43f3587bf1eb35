"""Logs in the browser: read, filtered, followed as they grow, and downloaded."""

import re
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from devices import journal
from devices.models import Device, Journal
from devices.models.journal import Source
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from pages.device import marks
from pages.log import reading
from tests.factories import make_device, make_image, make_request

pytestmark = pytest.mark.django_db
Person = Callable[..., Client]


@pytest.fixture
def vera(db: None) -> Client:
    import_module("devices.migrations.0002_roles").create(apps, None)
    user = User.objects.create(username="vera")
    user.groups.add(Group.objects.get_or_create(name="viewer")[0])
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def device() -> Device:
    return make_device()


def write(device: Device, *texts: str, source: Source = Source.SYSLOG, **ago: float) -> None:
    """Write lines about a device, a second apart, the last of them now or so long ago."""
    last = clock.now() - timedelta(**ago)
    moments = [last - timedelta(seconds=number) for number in range(len(texts))][::-1]
    journal.append_texts(
        [(moment, device.pk, text) for moment, text in zip(moments, texts, strict=True)], source
    )


def get(client: Client, path: str, status: int = 200, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == status, response.content
    return response.content.decode()


def messages(html: str) -> list[str]:
    found = re.findall(r'<span class="message">(.*?)</span></li>', html, re.DOTALL)
    return [strip_tags(one) for one in found]


def older(html: str) -> str:
    """Give the address that leads to older lines; empty where there is none."""
    found = re.search(r'class="older" href="([^"]*)"', html)
    return found[1].replace("&amp;", "&") if found else ""


def newest(html: str) -> str:
    return str(re.findall(r'data-newest="([^"]*)"', html)[0])


def test_the_newest_line_is_last_and_what_a_device_sends_stays_text(vera: Client, device: Device) -> None:
    write(device, "first", "\x1b[31mred\x1b[0m <script>alert(1)</script>")
    html = get(vera, f"/devices/{device.name}/log/")
    assert "\\x1b[31mred\\x1b[0m &lt;script&gt;alert(1)&lt;/script&gt;</span></li>" in html
    assert "<script>alert" not in html
    assert "\x1b" not in html
    assert messages(html)[0] == "first"
    assert "The log begins here." in html


def test_older_lines_are_reached_page_by_page_each_once(
    vera: Client, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE", 10)
    now = clock.now()
    # Ten at a moment: where a page ends, time alone does not tell.
    Journal.objects.bulk_create(
        Journal(
            time=now - timedelta(seconds=(34 - number) // 10), device_id=device.pk, message=f"line {number}"
        )
        for number in range(35)
    )
    path, found = f"/devices/{device.name}/log/", list[str]()
    query = "?"
    while query:
        html = get(vera, path + query)
        found = messages(html) + found
        query = older(html)
    assert found == [f"line {number}" for number in range(35)]


def test_lines_can_be_narrowed_down_by_source_and_words(vera: Client, device: Device) -> None:
    write(device, "Kernel panic", "all is well")
    write(device, "panic of the agent", source=Source.AGENT)
    path = f"/devices/{device.name}/log/"
    assert messages(get(vera, f"{path}?source=agent")) == ["panic of the agent"]
    assert messages(get(vera, f"{path}?q=PANIC")) == ["Kernel panic", "panic of the agent"]
    assert messages(get(vera, f"{path}?q=panic&source=syslog")) == ["Kernel panic"]
    none = get(vera, f"{path}?q=100%25")
    assert messages(none) == []
    assert "No line is like that." in none
    assert "at most 100 characters" in get(vera, f"{path}?q={'x' * 101}", 400)


def test_a_search_says_how_far_back_it_has_looked_and_goes_on_from_there(
    vera: Client, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "SEARCHED", 5)
    write(device, "a needle", *[f"hay {number}" for number in range(8)])
    path = f"/devices/{device.name}/log/"
    first = get(vera, f"{path}?q=needle")
    assert messages(first) == []
    assert "Looked through as far as" in first
    assert messages(get(vera, path + older(first))) == ["a needle"]


def test_who_follows_is_given_what_is_new_and_what_turned_up_late(vera: Client, device: Device) -> None:
    write(device, "long ago", minutes=5)
    write(device, "now")
    mark = newest(get(vera, f"/devices/{device.name}/log/"))
    # A transaction that took its time: its line is older than the newest that was seen.
    write(device, "late", seconds=3)
    write(device, "news")
    fresh = get(vera, f"/devices/{device.name}/log/lines/?after={mark}")
    assert messages(fresh) == ["late", "now", "news"]
    assert newest(fresh) > mark


def test_who_follows_an_empty_log_is_given_its_first_lines(vera: Client, device: Device) -> None:
    html = get(vera, f"/devices/{device.name}/log/")
    assert "Nothing has been written yet." in html
    assert newest(html) == ""
    write(device, "the first")
    assert messages(get(vera, f"/devices/{device.name}/log/lines/?after=")) == ["the first"]


def test_an_idle_log_costs_a_304(vera: Client, device: Device) -> None:
    write(device, "long ago", minutes=5)
    mark = newest(get(vera, f"/devices/{device.name}/log/"))
    path = f"/devices/{device.name}/log/lines/?after={mark}"
    tag = vera.get(path)["ETag"]
    with CaptureQueriesContext(connection) as queries:
        response = vera.get(path, headers={"If-None-Match": tag})
    assert (response.status_code, response.content) == (304, b"")
    assert len(queries) <= 7, "\n".join(query["sql"] for query in queries)
    write(device, "news")
    assert vera.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_a_log_that_grows_too_fast_says_that_lines_are_left_out(
    vera: Client, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_NEW", 3)
    write(device, "one", "two", "three")
    assert "data-gap" not in get(vera, f"/devices/{device.name}/log/lines/")
    write(device, "four")
    fresh = get(vera, f"/devices/{device.name}/log/lines/")
    assert "data-gap" in fresh
    assert messages(fresh)[-1] == "four"
    assert len(messages(fresh)) == 3


def test_a_download_is_plain_text_with_a_line_for_each_line(
    vera: Client, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(device, "older", "two\nlines \x1b[2J <b>")
    path = f"/devices/{device.name}/log/?download=1"
    response = vera.get(path)
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="{device.name}.log"'
    head, *lines = response.content.decode().splitlines()
    assert head == f"# Log of {device.name}, times in UTC"
    assert [line.split(" ", 2)[2] for line in lines] == ["syslog: older", "syslog: two\\nlines \\x1b[2J <b>"]
    monkeypatch.setattr(reading, "MOST_DOWNLOADED", 1)
    assert "# Only the newest 1 lines; there are older ones" in get(vera, path)
    assert "older" not in get(vera, f"{path}&q=two").splitlines()[-1]


def test_the_log_of_a_request_has_what_its_devices_did_for_it(vera: Client, device: Device) -> None:
    request = make_request(make_image(), state="ready", device=device)
    now = clock.now()
    journal.append(
        [
            journal.line("entering state pending", now, request_id=request.pk, by=Actor("rob", "api")),
            journal.line("entering state pxe_booting", now, request_id=request.pk, device_id=device.pk),
        ]
    )
    write(device, "a line of nobody's request")
    html = get(vera, f"/requests/{request.pk}/log/")
    assert messages(html) == ["rob entering state pending", f"{device.name} entering state pxe_booting"]
    assert f'<a href="/devices/{device.name}/log/">' in html
    text = get(vera, f"/requests/{request.pk}/log/?download=1").splitlines()
    assert text[-1].endswith(f"machine [{device.name}]: entering state pxe_booting")


def test_what_is_not_there_has_no_log(vera: Client) -> None:
    for path in ("/devices/no-such/log/", "/devices/no-such/log/lines/", "/requests/4711/log/"):
        assert "there is no" in get(vera, path, 404)
    for path in (f"/requests/{2**70}/log/", f"/requests/{2**70}/log/lines/"):
        assert "there is no" in get(vera, path, 404)


def test_an_address_that_no_link_has_is_refused(vera: Client, device: Device) -> None:
    assert "before: take the page" in strip_tags(
        get(vera, f"/devices/{device.name}/log/?before=x", 400)
    ).replace("&#x27;", "'")
    assert "after: take the page" in get(vera, f"/devices/{device.name}/log/lines/?after=x", 400)


@pytest.mark.parametrize("lines", [2, 1000])
def test_a_page_costs_the_same_however_long_the_log_is(vera: Client, device: Device, lines: int) -> None:
    write(device, *(f"line {number}" for number in range(lines)))
    with CaptureQueriesContext(connection) as queries:
        html = get(vera, f"/devices/{device.name}/log/")
    assert len(messages(html)) == min(lines, reading.PAGE)
    assert len(queries) <= 8, "\n".join(query["sql"] for query in queries)
