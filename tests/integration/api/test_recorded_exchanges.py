"""Plays what clients said to Mozpool 4.2.1 to us, in order: statuses, keys, types and all that does not move are equal.

tests/golden/exchanges.json was recorded from a running server. Where we differ on purpose, DIFFERENT quotes the words
of the contract that say so; nothing else may.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from pytest_django import Settings

from bmm import operations
from bmm.models import Kind, Operation, Status
from bmm.questions import ask_from_here
from bmm.run import run
from devices.models import BootConfig, Device, Image, ImageBootConfig
from devices.models.image import OWN_IMAGES
from lifeguard.reports import report
from lifeguard.states import DEVICE
from mozpool_site import clock
from requests_app.models import Request
from requests_app.states import REQUEST

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "exchanges.json"
RECORDED: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
JSON_TYPE = "application/json; charset=utf-8"
OTHER_SERVER = "http://other.server:1234"

# The contract's words, the old behaviour first.
NO_SLASH = "Paths work with and without the trailing slash. A GET without it was redirected"
POST_NO_SLASH = f"{NO_SLASH}; a POST without it is simply served, since a redirect would lose the body"
UNKNOWN_DEVICE = "unknown device in a request: 500, and a dead request row stays behind | 404, nothing stored"
TAKEN = (
    "a named device that is taken: 200, then `failed_device_busy` some 10 s later | 409 at once with the request "
    "object in the body; the request is kept as `failed_device_busy`"
)
ERRORS = (
    "bad inputs: no body, a list for a body | 400, 404 or 409 with `{error, detail}`; every error is JSON"
)
NO_NEXT_IMAGE = "a device without a next image: bootconfig answers the text `None` | `{}`"
CORS = "CORS for the imaging servers' own origins only | the same list, exact, from settings"
ACCESS = f"{CORS}; no authentication | see Access: without credentials from a browser's page of somebody else: refused"
ANY_SERVER = (
    "a request or device of another imaging server: 302 to that server | any server answers; no redirect"
)


@dataclass(frozen=True)
class Difference:
    """Our status, the JSON that comes in the place of the recorded one (None: some error), and the row that says so."""

    because: str
    status: int
    answer: Any = None


def recorded(name: str) -> dict[str, Any]:
    (found,) = (exchange for exchange in RECORDED if exchange["name"] == name)
    return found


def same_as(name: str) -> Any:
    return recorded(name)["json"]


DIFFERENT: dict[str, Difference] = {
    "version_noslash": Difference(NO_SLASH, 200, same_as("version")),
    "device_list_details_noslash": Difference(NO_SLASH, 200, same_as("device_list_details")),
    "ping_noslash": Difference(NO_SLASH, 200, same_as("ping")),
    # The seventh request of this session, for the device that is left.
    "device_request_noslash": Difference(
        POST_NO_SLASH,
        200,
        {"request": {**same_as("device_request_any")["request"], "id": 7, "assigned_device": "device2"}},
    ),
    "device_request_busy_specific": Difference(TAKEN, 409, same_as("device_request_busy_specific")),
    "device_request_unknown_device": Difference(UNKNOWN_DEVICE, 404),
    "bootconfig_none": Difference(NO_NEXT_IMAGE, 200, {}),
    "device_event_other_server": Difference(ANY_SERVER, 200, {}),
    "device_ping_other_server": Difference(ANY_SERVER, 200, {"success": True}),
    "relay_test_other_server": Difference(ANY_SERVER, 200, {"success": False}),
    "state_change_conflict": Difference(ERRORS, 409),
    "state_change_get": Difference(ERRORS, 405),
    "api_unknown": Difference(ERRORS, 404),
    "options_device": Difference(ERRORS, 405),
    "put_device_list": Difference(ERRORS, 405),
    "get_on_post_only": Difference(ERRORS, 405),
    "cors_get_bad_origin": Difference(CORS, 403),
    "cors_list_bad_origin": Difference(ACCESS, 403),
}
# How far something was depends on the moment; every other state must be the same.
PASSING = {
    "ready", "finding_device", "contact_lifeguard", "pending",
    "pc_power_cycling", "pxe_power_cycling", "pxe_booting",
}  # fmt: skip
# Our version is ours; and their device1 had lost its power by then, while ours answers ping.
WORLD = {"version.version", "version_noslash.version", "cors_get_known_origin.success"}
OUR_STATES = {"", *DEVICE.stored(), *REQUEST.stored()}
SOURCES = {"statemachine", "syslog", "sut", "api", "user"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
# The recorder did not write requests' headers down; the names tell of them.
ORIGINS = {
    "cors_get_known_origin": OTHER_SERVER,
    "cors_get_bad_origin": "http://evil.example",
    "cors_list_bad_origin": "http://evil.example",
}


def expectation(exchange: dict[str, Any]) -> Difference:
    """Give what must come: what was recorded, unless DIFFERENT says otherwise."""
    return DIFFERENT.get(exchange["name"], Difference("", exchange["status"], exchange.get("json")))


class Replay:
    """Sends what was recorded; requests may have other numbers here, so it keeps a list of which is which."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.numbers: dict[int, int] = {}

    def send(self, exchange: dict[str, Any]) -> Any:
        headers = {"Origin": ORIGINS[exchange["name"]]} if exchange["name"] in ORIGINS else {}
        answer = self.client.generic(
            exchange["method"],
            re.sub(r"(?<=/request/)\d+", lambda found: str(self.numbers[int(found[0])]), exchange["path"]),
            exchange["request_body"] or "",
            headers=headers,
        )
        expected = expectation(exchange).answer
        if isinstance(expected, dict) and "request" in expected:
            self.numbers[expected["request"]["id"]] = answer.json()["request"]["id"]
        return answer

    def as_ours(self, value: Any, key: str = "") -> Any:
        """Put our numbers into what was recorded, and leave the row out that we don't keep (UNKNOWN_DEVICE)."""
        if isinstance(value, list):
            kept = [item for item in value if key != "requests" or item["id"] in self.numbers]
            return [self.as_ours(item, "image" if key == "images" else "") for item in kept]
        if not isinstance(value, dict):
            return value
        ours = {name: self.as_ours(part, name) for name, part in value.items()}
        if "assignee" in ours:
            ours["id"] = self.numbers[ours["id"]]
        if "url" in ours:
            ours["url"] = f"http://mozpool.example/api/request/{ours['id']}/"
        if ours.get("request_id") is not None:
            ours["request_id"] = self.numbers[ours["request_id"]]
        if key == "image":
            ours["id"] = Image.objects.get(name=ours["name"]).pk
        return ours


def compare(ours: Any, theirs: Any, where: str) -> None:
    """Demand equal values, except of what moves by itself: there equal types and forms."""
    key = where.rpartition(".")[2]
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), where
        assert set(ours) == set(theirs), where
        for name, part in theirs.items():
            compare(ours[name], part, f"{where}.{name}")
    elif key == "log":
        # What is told in it is ours; how, is theirs.
        for line in ours:
            assert {name: type(part) for name, part in line.items()} == {
                "id": int,
                "timestamp": str,
                "source": str,
                "message": str,
            }, where
            assert MOMENT.fullmatch(line["timestamp"]), where
            assert line["source"] in SOURCES, where
        assert [line["timestamp"] for line in ours] == sorted(line["timestamp"] for line in ours), where
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), where
        for one, other in zip(ours, theirs, strict=True):
            compare(one, other, where)
    elif key == "expires":
        assert MOMENT.fullmatch(ours), where
    elif key in ("state", "device_state") and theirs in PASSING:
        assert ours in OUR_STATES, where
    elif where in WORLD:
        assert type(ours) is type(theirs), where
    else:
        assert (ours, type(ours)) == (theirs, type(theirs)), where


def check(exchange: dict[str, Any], answer: Any, replay: Replay) -> None:
    """Demand the recorded answer, or the one that DIFFERENT names."""
    name = exchange["name"]
    different = expectation(exchange)
    assert answer.status_code == different.status, (name, answer.content)
    if different.status == 204:
        assert (answer.content, answer.headers.get("Content-Type")) == (b"", None), name
        return
    assert answer.headers["Content-Type"] == JSON_TYPE, name
    if exchange["method"] == "HEAD":
        assert answer.content == b"", name
        return
    for header in ("Cache-Control", "Access-Control-Allow-Origin"):
        if header in exchange["headers"]:
            # What a caller may see after it has said who it is, no shared cache may keep for others.
            expected = exchange["headers"][header].replace("public, max-age", "private, max-age")
            assert answer.headers[header] == expected, name
    ours = answer.json()
    if different.status >= 400:
        extra = {"field", "request"} if different.answer else {"field"}
        assert {"error", "detail"} <= set(ours) <= {"error", "detail", *extra}, name
        if different.answer is None:
            return
        ours = {"request": ours["request"]}
    compare(ours, replay.as_ours(different.answer), name)


@contextmanager
def pinging_worker() -> Iterator[None]:
    """Ping and test as the racks' workers do. All else waits, as no relay board of the recording is there."""
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.wait(0.02):
                queued = Operation.objects.filter(status=Status.QUEUED)
                for pk in list(queued.filter(kind=Kind.PING).values_list("pk", flat=True)):
                    run(pk, report)
                # Not the whole queue of the board, as a worker would: its power work is to wait.
                for test in queued.filter(kind=Kind.TEST_CONTROLLER).select_related("controller"):
                    if test.controller and operations.claim(test, clock.now()):
                        report(test, ask_from_here(Kind.TEST_CONTROLLER, test.controller))
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def as_recorded(settings: Settings) -> None:
    """Bring the pool to the letter of the recording."""
    settings.MOZPOOL_IMAGE_HOSTS = ("x", "z")
    ImageBootConfig.objects.filter(image__name__in=OWN_IMAGES).delete()
    Image.objects.filter(name__in=OWN_IMAGES).delete()
    BootConfig.objects.filter(name__in=[f"fake-{name}" for name in OWN_IMAGES]).delete()
    BootConfig.objects.filter(name="fake-b2g").update(contents="mobile-imaging-url=fake/b2g-second-stage.sh")
    # The old one chose among the free devices by chance; ours takes the longest idle, so it was this one.
    first = Device.objects.get(name="device1")
    assert first.idle_since is not None
    Device.objects.filter(name="device4").update(idle_since=first.idle_since + timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("as_recorded")
def test_a_whole_session_of_2014_gets_the_answers_that_it_got(operator: Client) -> None:
    replay = Replay(operator)
    played = []
    # What was redirected then takes a device now, which others were to get: so it comes last.
    with pinging_worker():
        for exchange in sorted(RECORDED, key=lambda each: each["name"] == "device_request_noslash"):
            answer = replay.send(exchange)
            check(exchange, answer, replay)
            played.append(exchange["name"])
    assert len(played) == len(set(played)) == 73
    assert set(DIFFERENT) <= set(played)
    # No dead row of the unknown device: five of six, and the one that was redirected.
    assert Request.objects.count() == 6


def test_every_difference_is_one_and_quotes_its_reason() -> None:
    for name, different in DIFFERENT.items():
        exchange = recorded(name)
        told_alike = (
            exchange["headers"]["Content-Type"] == JSON_TYPE and exchange.get("json") == different.answer
        )
        assert (different.status, told_alike) != (exchange["status"], True), name
        assert different.because, name


def test_the_pool_looks_as_it_did_to_the_letter(operator: Client, as_recorded: None) -> None:
    for name in ("device_list", "device_list_details", "device_state", "environment_list"):
        assert operator.get(recorded(name)["path"]).json() == recorded(name)["json"]
