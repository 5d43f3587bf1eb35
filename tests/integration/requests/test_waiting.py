"""Stories of waiting for news of a request: by long poll and by a stream of events, over real sockets."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from django.conf import settings as settings_
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from devices.journal import append, line
from devices.models import Device, Journal
from mozpool_site import clock
from mozpool_site.access import tokens
from mozpool_site.statemachine.runner import Actor
from requests_app.api.v2 import events as streams
from requests_app.models import Request
from requests_app.services import renew, return_request
from requests_app.waiting.watcher import Watch
from tests.factories import make_device, make_image, make_request
from tests.factories.requests import CLIENT
from tests.integration.requests.live import Live, running, until

pytestmark = pytest.mark.django_db(transaction=True)
# A look each half second, and what a busy machine takes.
SOON = 20.0


@pytest.fixture
def live(transactional_db: None, settings: Settings) -> Iterator[Live]:
    settings.MOZPOOL_TRUSTED_NETWORKS = (ip_network("127.0.0.0/8"),)
    settings.ALLOWED_HOSTS = ["*"]
    with running() as server:
        yield server


@pytest.fixture
def request_() -> Request:
    """Give a request that has its device, ready."""
    image = make_image(boot_config_keys=["base"])
    return make_request(
        image,
        state="ready",
        device=make_device(image=image),
        boot_config='{"base": "http://x/"}',
        owner="legacy@10.0.0.1",
    )


def path(request: Request, query: str = "") -> str:
    return f"/api/v2/requests/{request.pk}/{query}"


def asked(live: Live, where: str, **headers: str) -> "Future[tuple[httpx.Response, float]]":
    """Ask in another thread; the answer comes with the seconds that it took."""

    def ask() -> tuple[httpx.Response, float]:
        begin = time.monotonic()
        with httpx.Client(base_url=live.http.base_url, timeout=70) as client:
            return client.get(where, headers=headers), time.monotonic() - begin

    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(ask)
    finally:
        pool.shutdown(wait=False)


# Long polls.


def test_who_knows_an_older_state_is_answered_at_once(live: Live, request_: Request) -> None:
    answer, seconds = asked(live, path(request_, "?wait=60&state_seq=17")).result()
    assert (answer.status_code, answer.json()["state_seq"]) == (200, 0)
    assert answer.json()["boot_config"] == {"base": "http://x/"}
    assert seconds < SOON
    assert live.waiting() == 0


def test_who_waits_hears_of_a_change_within_a_moment(live: Live, request_: Request) -> None:
    waiting = asked(live, path(request_, "?wait=60"))
    until(lambda: live.waiting() == 1)
    time.sleep(0.7)
    changed = time.monotonic()
    return_request(request_.pk, by=CLIENT)
    answer, _ = waiting.result()
    assert time.monotonic() - changed < SOON
    assert (answer.json()["state"], answer.json()["device"], answer.json()["seconds_left"]) == (
        "closed",
        None,
        0,
    )
    until(lambda: live.waiting() == 0)


def test_when_the_time_is_up_the_request_is_given_as_it_is(live: Live, request_: Request) -> None:
    answer, seconds = asked(live, path(request_, "?wait=1")).result()
    assert (answer.status_code, answer.json()["state"]) == (200, "ready")
    assert 1 <= seconds < 1 + SOON
    tag = answer.headers["ETag"]
    again, seconds = asked(live, path(request_, "?wait=1"), **{"If-None-Match": tag}).result()
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert seconds >= 1


def test_a_renewal_is_no_change_of_state_but_another_answer(live: Live, request_: Request) -> None:
    before = live.http.get(path(request_, "?wait=0"))
    renew(request_.pk, 1800, by=CLIENT)
    after = live.http.get(path(request_, "?wait=0"), headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json()["state_seq"]) == (200, before.json()["state_seq"])


def test_nobody_waits_for_what_has_ended(live: Live, request_: Request) -> None:
    return_request(request_.pk, by=CLIENT)
    answer, seconds = asked(live, path(request_, "?wait=60")).result()
    assert (answer.json()["state"], seconds < SOON) == ("closed", True)


@pytest.mark.parametrize(
    ("where", "status", "field"),
    [
        ("requests/999999/?wait=5", 404, "id"),
        ("requests/nosuch?wait=5", 404, "id"),
        ("requests/1/?wait=61", 400, "wait"),
        ("requests/1/?wait=-1", 400, "wait"),
        ("requests/1/?wait=five", 400, "wait"),
        ("requests/1/?wait=5&state_seq=x", 400, "state_seq"),
        ("requests/1/?wait=5&patience=1", 400, "patience"),
        ("requests/999999/events/", 404, "id"),
        ("events/?device=nosuch", 404, "device"),
        ("events/?request=999999", 404, "request"),
        ("events/?since=1", 400, "since"),
    ],
)
def test_what_is_wrong_is_told_as_everywhere(live: Live, where: str, status: int, field: str) -> None:
    answer = live.http.get(f"/api/v2/{where}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["field"] == field
    assert live.waiting() == 0


def test_a_stranger_waits_for_nothing(live: Live, request_: Request, settings: Settings) -> None:
    settings.MOZPOOL_TRUSTED_NETWORKS = ()
    for where in (path(request_, "?wait=5"), path(request_, "events/"), "/api/v2/events/"):
        answer = live.http.get(where)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("where", ["requests/1/?wait=5", "events/"])
def test_a_body_that_nobody_would_read_is_not_taken_in(live: Live, where: str) -> None:
    answer = live.http.request("GET", f"/api/v2/{where}", content=b"x" * 1000)
    assert (answer.status_code, answer.json()["field"]) == (400, "body")
    assert answer.headers["connection"] == "close"
    assert live.http.get("/api/v2/requests/1/?wait=5", headers={"Content-Length": "0"}).status_code == 404


def test_who_goes_away_is_forgotten_at_once(live: Live, request_: Request) -> None:
    with httpx.Client(base_url=live.http.base_url) as client, pytest.raises(httpx.ReadTimeout):
        client.get(path(request_, "?wait=60"), timeout=1)
    assert until(lambda: live.waiting() == 0) < 1
    with live.stream("/api/v2/events/"), live.stream(path(request_, "events/")):
        until(lambda: live.waiting() == 2)
    assert until(lambda: live.waiting() == 0) < 1


def test_waiters_hold_no_thread(live: Live, request_: Request) -> None:
    with httpx.Client(
        base_url=live.http.base_url, timeout=70, limits=httpx.Limits(max_connections=300)
    ) as client:
        before = threading.active_count()
        with ThreadPoolExecutor(60) as pool:
            answers = [pool.submit(client.get, path(request_, "?wait=60")) for _ in range(60)]
            until(lambda: live.waiting() == 60)
            # The test's own 60, two that look, and the one that Django's middleware shares.
            assert threading.active_count() - before <= 60 + 3
            return_request(request_.pk, by=CLIENT)
            assert {answer.result().json()["state"] for answer in answers} == {"closed"}


# Streams.


def told(stream: Iterator[tuple[str, Any, str]], number: int) -> list[tuple[str, Any, str]]:
    return [next(stream) for _ in range(number)]


def test_a_stream_tells_the_state_then_each_change_with_its_lines_and_ends_with_the_request(
    live: Live, request_: Request
) -> None:
    with live.stream(path(request_, "events/")) as stream:
        name, data, _ = next(stream)
        assert (name, data["id"], data["state"]) == ("state", request_.pk, "ready")
        return_request(request_.pk, by=CLIENT)
        rest = list(stream)
    assert [(name, data["state"]) for name, data, _ in rest if name == "state"] == [("state", "closed")]
    journal = [data for name, data, _ in rest if name == "journal"]
    assert [entry["to_state"] or entry["message"] for entry in journal] == [
        f"released by request {request_.pk}",
        "closed",
    ]
    assert set(journal[0]) == {
        "id", "time", "device", "request", "source", "actor", "event", "from_state", "to_state", "message",
    }  # fmt: skip


def test_a_stream_is_resumed_behind_the_last_line_that_was_seen(live: Live, request_: Request) -> None:
    now = clock.now()
    append(line(f"line {number}", now, request_id=request_.pk) for number in range(1200))
    append([line("of another", now, request_id=request_.pk + 1)])
    seen = Journal.objects.get(message="line 3").pk
    with live.stream(path(request_, "events/"), **{"Last-Event-ID": str(seen)}) as stream:
        assert next(stream)[0] == "state"
        lines = told(stream, 1196)
        assert [data["message"] for _, data, _ in lines] == [f"line {number}" for number in range(4, 1200)]
        assert [number for _, data, number in lines] == [str(data["id"]) for _, data, _ in lines]
        append([line("a new one", now, request_id=request_.pk)])
        assert next(stream)[1]["message"] == "a new one"


def test_the_pools_stream_tells_of_one_device_if_that_is_asked_for(live: Live) -> None:
    one, other = make_device(), make_device()
    with live.stream("/api/v2/events/") as whole, live.stream(f"/api/v2/events/?device={one.name}") as single:
        now = clock.now()
        append([line("first", now, device_id=other.pk), line("second", now, device_id=one.pk)])
        assert [(data["device"], data["message"]) for _, data, _ in told(whole, 2)] == [
            (other.name, "first"),
            (one.name, "second"),
        ]
        assert next(single)[1]["message"] == "second"


def test_a_line_that_becomes_visible_late_is_told_and_the_place_to_resume_stays_before_it(live: Live) -> None:
    device = make_device()
    now = clock.now()
    append([line("old", now, device_id=device.pk)])
    last = Journal.objects.latest("pk").pk
    with live.stream("/api/v2/events/") as stream:
        Journal.objects.create(pk=last + 2, time=now, device_id=device.pk, message="came first")
        _, data, number = next(stream)
        assert (data["message"], number) == ("came first", str(last))
        Journal.objects.create(pk=last + 1, time=now, device_id=device.pk, message="was written first")
        _, data, number = next(stream)
        assert (data["message"], number) == ("was written first", str(last + 1))
    with live.stream("/api/v2/events/", **{"Last-Event-ID": str(last)}) as stream:
        assert [data["message"] for _, data, _ in told(stream, 2)] == ["was written first", "came first"]


def test_a_quiet_stream_shows_that_it_lives(
    live: Live, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_HEARTBEAT", 0.2)
    with live.stream("/api/v2/events/") as stream:
        assert [data for _, data, _ in told(stream, 3)] == [": still here"] * 3


def test_a_stream_ends_when_its_token_is_revoked(
    live: Live, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_HEARTBEAT", 0.2)
    by = Actor("root", "command")
    token, text = tokens.create(User.objects.create(username="eve", is_superuser=True), "x", by=by)
    with live.stream("/api/v2/events/", Authorization=f"Bearer {text}") as stream:
        assert next(stream)[1] == ": still here"
        tokens.revoke(token.pk, by=by)
        assert len(list(stream)) < 10


def test_a_stream_ends_when_its_session_does(
    live: Live, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_HEARTBEAT", 0.2)
    cookie = f"{settings_.SESSION_COOKIE_NAME}={alice.session.session_key}"
    with live.stream("/api/v2/events/", Cookie=cookie) as stream:
        assert next(stream)[1] == ": still here"
        alice.logout()
        assert len(list(stream)) < 10


def test_who_resumes_far_back_costs_no_memory(
    live: Live, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered: list[int] = []

    async def ended(stream: object, watch: object, entry: object, known: set[int]) -> AsyncIterator[str]:
        remembered.append(len(known))
        yield ": the end"

    monkeypatch.setattr(streams.Stream, "_live", ended)
    long_ago = clock.now() - timedelta(hours=1)
    append(line("old", long_ago, request_id=request_.pk) for _ in range(600))
    with live.stream("/api/v2/events/", **{"Last-Event-ID": "0"}) as stream:
        assert len([data for _, data, _ in stream if "message" in data]) >= 600
    assert remembered == [0]


def test_a_look_from_before_the_answer_is_no_change() -> None:
    async def waited() -> list[bool]:
        watch = Watch(number=1)
        watch.tell(4, [], 0)
        before = await watch.differs(5, 0.05)
        watch.tell(6, [], 0)
        return [before, await watch.differs(5, 0.05)]

    assert asyncio.run(waited()) == [False, True]


def test_a_stream_shows_boot_configs_to_their_owners_only(
    live: Live, request_: Request, settings: Settings
) -> None:
    Request.objects.filter(pk=request_.pk).update(owner="bob")
    with live.stream(path(request_, "events/")) as stream:
        assert next(stream)[1]["boot_config"] is None
    settings.MOZPOOL_TRUSTED_OPERATOR_NETWORKS = (ip_network("127.0.0.0/8"),)
    with live.stream(path(request_, "events/")) as stream:
        assert next(stream)[1]["boot_config"] == {"base": "http://x/"}


def test_the_head_of_a_stream_ends(live: Live, request_: Request) -> None:
    answer = live.http.head(path(request_, "events/"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert not Device.objects.filter(held_by=None).exists()


def test_one_caller_fills_no_process_with_streams_and_long_polls(
    live: Live, request_: Request, settings: Settings
) -> None:
    settings.MOZPOOL_MAX_WAITING = 2
    with live.stream("/api/v2/events/"), live.stream(path(request_, "events/")):
        until(lambda: live.waiting() == 2)
        for where in ("/api/v2/events/", path(request_, "events/"), path(request_, "?wait=60")):
            refused = live.http.get(where)
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "15")
        assert live.http.get(path(request_)).status_code == 200
        user = User.objects.create(username="ada")
        user.groups.add(Group.objects.get_or_create(name="viewer")[0])
        token = tokens.create(user, "for a test", by=Actor("root", "user"))[1]
        # Others wait as ever.
        with live.stream("/api/v2/events/", Authorization=f"Bearer {token}"):
            until(lambda: live.waiting() == 3)
    until(lambda: live.waiting() == 0)
    with live.stream("/api/v2/events/"):
        pass
