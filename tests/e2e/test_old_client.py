"""An untouched old client does its day's work against web process, worker, pulse and lab, over real sockets."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simlab.pool import Pool
from tests.e2e.crowd import settled
from tests.e2e.observer import Observer
from tests.e2e.old_client import MozpoolConflictError, MozpoolError, OldClient

# Trusted as a requester, and as an operator (simlab/pool.py).
CLIENT, OPERATOR = "127.0.0.2", "127.0.0.1"
BUILD = "http://images.example/b2g/"


def wait_for(client: OldClient, url: str, state: str, seconds: float = 90) -> Any:
    """Poll the status of a request, as the old scripts did, until it is in a state."""
    ends = time.monotonic() + seconds
    while (status := client.request_status(url))["state"] != state:
        assert not status["state"].startswith("failed"), status
        assert time.monotonic() < ends, status
        time.sleep(0.2)
    return status


@pytest.fixture
def client(e2e_pool: Pool) -> OldClient:
    return OldClient(e2e_pool.url, CLIENT)


def test_an_old_client_requests_polls_uses_renews_and_returns(
    e2e_pool: Pool, observer: Observer, client: OldClient
) -> None:
    request = client.request_device("any", "b2g", "slave-7", BUILD)
    url = request["url"]
    assert url == f"{e2e_pool.url}/api/request/{request['id']}/"
    status = wait_for(client, url, "ready")
    assert [line["message"] for line in status["log"]][-2:] == [
        "entering state pending",
        "entering state ready",
    ]
    details = client.request_details(url)
    device = details["assigned_device"]
    assert (details["id"], details["image"], details["boot_config"]) == (
        request["id"],
        "b2g",
        f'{{"b2gbase": "{BUILD}"}}',
    )
    (shown,) = (
        entry
        for entry in client.get(f"{e2e_pool.url}/api/device/list/?details=1")["devices"]
        if entry["name"] == device
    )
    assert (shown["state"], shown["image"], shown["request_id"]) == ("ready", "b2g", request["id"])

    # Somebody else wants that very device, and is told at once.
    other = OldClient(e2e_pool.url, "127.0.0.3")
    began = time.monotonic()
    with pytest.raises(MozpoolConflictError):
        other.request_device(device, "android", "slave-8")
    assert time.monotonic() - began < 15

    client.renew_request(url, 7200)
    left = datetime.fromisoformat(client.request_details(url)["expires"]).replace(tzinfo=UTC) - datetime.now(
        UTC
    )
    assert timedelta(minutes=119) < left <= timedelta(minutes=120)
    assert client.power_cycle(device) == {}
    messages = [
        line["message"] for line in client.get(f"{e2e_pool.url}/api/device/{device}/log/?limit=20")["log"]
    ]
    assert any("power cycle asked for by legacy@127.0.0.2" in message.lower() for message in messages)

    client.close_request(url)
    client.close_request(url)
    assert client.request_status(url)["state"] == "closed"
    assert client.request_details(url)["assigned_device"] == ""
    with pytest.raises(MozpoolConflictError):
        client.renew_request(url, 60)
    settled(e2e_pool, observer, 60)


def test_an_old_client_tries_again_while_the_web_process_is_away(
    e2e_pool: Pool, observer: Observer, client: OldClient
) -> None:
    e2e_pool.kill9("web")
    with ThreadPoolExecutor(1) as aside:
        filing = aside.submit(client.request_device, "any", "android", "slave-9")
        time.sleep(1)
        # From this thread: a process dies with the thread that has started it.
        e2e_pool.start_web()
        request = filing.result()
    e2e_pool.wait_for_web()
    assert client.tries > 1
    wait_for(client, request["url"], "ready")
    filed = observer.number("SELECT COUNT(*) FROM requests_app_request WHERE assignee = %s", "slave-9")
    assert filed == 1
    client.close_request(request["url"])
    settled(e2e_pool, observer, 60)


def test_an_old_operator_pings_a_device_from_its_rack_and_tests_its_relay_board(
    e2e_pool: Pool, observer: Observer
) -> None:
    operator = OldClient(e2e_pool.url, OPERATOR)
    began = time.monotonic()
    assert operator.get(f"{e2e_pool.url}/api/device/panda-0001/ping") == {"success": True}
    assert time.monotonic() - began < 9.5
    assert operator.get(f"{e2e_pool.url}/api/relay/relay-1-1/test/") == {"success": True}
    with pytest.raises(MozpoolError, match="404"):
        operator.get(f"{e2e_pool.url}/api/relay/nosuch/test/")
    with pytest.raises(MozpoolError, match="403"):
        OldClient(e2e_pool.url, CLIENT).get(f"{e2e_pool.url}/api/relay/relay-1-1/test/")
