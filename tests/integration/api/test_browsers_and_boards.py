"""In legacy mode: a web page moves nothing through somebody's browser, and a board speaks for itself alone."""

from ipaddress import ip_network

import pytest
from pytest_django import Settings

from bmm.models import Operation
from devices.models import Device, Journal
from requests_app.models import Request
from tests.integration.api import pool
from tests.integration.api.conftest import OLD_CLIENT, OPERATOR

pytestmark = pytest.mark.django_db
ORDER = {"assignee": "me@x", "duration": 3600, "image": "android"}
BOARD = "127.9.0.1"

# What browsers send with an image of a page that came by plain HTTP and asked for no Referer.
IMAGES = {
    "Firefox": {
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)",
        "Accept-Language": "en-US,en;q=0.5",
    },
    "old": {"User-Agent": "mozilla/4.0 (compatible; MSIE 6.0)"},
    "no name": {"Accept-Language": "de"},
    "a page": {"Upgrade-Insecure-Requests": "1"},
}
PATHS = [
    f"/api/{path}{end}"
    for path in (
        "device/device1/power-off",
        "device/device1/event/mobile_init_started",
        "request/ID/event/foo",
    )
    for end in ("", "/", "?x=1", "/?x=1")
]


def filed(path: str) -> str:
    """File a request for device1, and put its number into a path."""
    answer = pool.post(pool.at(OLD_CLIENT), "/api/device/device1/request/", ORDER)
    return path.replace("ID", str(answer.json()["request"]["id"]))


@pytest.mark.parametrize("browser", IMAGES)
@pytest.mark.parametrize("path", PATHS)
def test_a_web_page_changes_nothing_through_a_trusted_browser(path: str, browser: str) -> None:
    path = filed(path)
    before = Journal.objects.count(), Operation.objects.count()
    answer = pool.at(OPERATOR, **IMAGES[browser]).get(path)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert (Journal.objects.count(), Operation.objects.count()) == before


@pytest.mark.parametrize("browser", IMAGES)
def test_a_form_of_a_web_page_files_nothing_through_a_trusted_browser(browser: str) -> None:
    answer = pool.post(
        pool.at(OLD_CLIENT, **IMAGES[browser]), "/api/device/any/request/", ORDER, kind="text/plain"
    )
    assert answer.status_code == 403
    assert Request.objects.count() == 0


@pytest.mark.parametrize("agent", ["Wget/1.21", "curl/8.5.0", "python-requests/1.2.0", ""])
@pytest.mark.parametrize("path", PATHS)
def test_old_scripts_still_change_by_get(path: str, agent: str) -> None:
    path = filed(path)
    headers = {"User-Agent": agent} if agent else {}
    assert pool.at(OPERATOR, **headers).get(path).status_code == 200


@pytest.fixture
def boards(settings: Settings) -> None:
    """Say where devices are, within what is trusted."""
    settings.MOZPOOL_DEVICE_NETWORKS = (ip_network("127.9.0.0/16"),)


@pytest.mark.usefixtures("boards")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "device/any/request"),
        ("POST", "device/device1/power-cycle"),
        ("POST", "request/ID/return"),
        ("POST", "request/ID/renew"),
        ("GET", "request/ID/event/foo"),
        ("GET", "request/list"),
        ("GET", "device/list"),
        ("GET", "device/device2/bootconfig"),
        ("GET", "device/device2/event/mobile_init_started"),
        ("POST", "device/device2/event/mobile_init_started"),
        ("POST", "v2/requests"),
        ("GET", "v2/devices"),
    ],
)
def test_a_board_counts_as_no_requester(method: str, path: str) -> None:
    path = filed(path)
    board, before = pool.at(BOARD), (Request.objects.count(), Journal.objects.count())
    body = ORDER if path.endswith("request") else {"duration": 60}
    answer = pool.post(board, f"/api/{path}/", body) if method == "POST" else board.get(f"/api/{path}/")
    assert answer.status_code == 403, answer.content
    assert (Request.objects.count(), Journal.objects.count()) == before
    assert Request.objects.get().state != "closed"


@pytest.mark.usefixtures("boards")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_board_tells_its_own_events_and_reads_its_own_boot_config(method: str) -> None:
    Device.objects.filter(name="device1").update(next_boot_config='{"b2gbase": "http://x/y"}')
    board = pool.at(BOARD)
    assert board.generic(method, "/api/device/device1/event/mobile_init_started/").status_code == 200
    assert board.get("/api/device/device1/bootconfig/").json() == {"b2gbase": "http://x/y"}
