"""Two hundred who wait at once on one web server of two processes, and its end while they do."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psutil
import pytest
from django.db import connection

from requests_app.models import Request
from requests_app.services import return_request
from tests.factories import make_device, make_image, make_request
from tests.factories.requests import CLIENT
from tests.integration.web.server import WebServer, serving, until, variables

pytestmark = pytest.mark.django_db(transaction=True)
WAITERS = 200


def database_url() -> str:
    """Give the address of the test's own database."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


@pytest.fixture
def server(transactional_db: None, tmp_path: Path) -> Iterator[WebServer]:
    environment = variables(tmp_path, DATABASE_URL=database_url())
    with serving(environment, tmp_path / "web.log") as running:
        yield running


def ready() -> list[Request]:
    image = make_image()
    return [make_request(image, state="ready", device=make_device(image=image)) for _ in range(4)]


def threads(server: WebServer) -> int:
    return sum(psutil.Process(worker).num_threads() for worker in server.workers())


def test_two_hundred_hear_of_a_change_within_seconds_and_others_are_served_meanwhile(
    server: WebServer,
) -> None:
    requests = ready()
    paths = [f"/api/v2/requests/{request.pk}/?wait=60&state_seq=0" for request in requests]

    async def story() -> tuple[list[float], float, int]:
        limits = httpx.Limits(max_connections=WAITERS + 10)
        base = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(base_url=base, limits=limits, timeout=70) as client:

            async def waits(number: int) -> float:
                answer = await client.get(paths[number % len(paths)])
                assert (answer.status_code, answer.json()["state"]) == (200, "closed")
                return time.monotonic()

            waiting = [asyncio.ensure_future(waits(number)) for number in range(WAITERS)]
            await asyncio.sleep(4)
            assert not any(one.done() for one in waiting)
            begin = time.monotonic()
            assert (await client.get("/api/v2/requests/")).status_code == 200
            meanwhile = time.monotonic() - begin
            there = threads(server)
            for request in requests:
                await asyncio.to_thread(return_request, request.pk, by=CLIENT)
            changed = time.monotonic()
            return [moment - changed for moment in await asyncio.gather(*waiting)], meanwhile, there

    before = threads(server)
    delays, meanwhile, there = asyncio.run(story())
    print(
        f"\n{WAITERS} waiters: last heard after {max(delays):.2f} s; another call took {meanwhile * 1000:.0f} ms"
    )
    # Half a second and what a machine that runs other tests takes; the client itself works for about a second.
    assert max(delays) < 10
    assert meanwhile < 2
    # Two that look in each process, and the one for Django's middleware; none for each who waits.
    assert there - before <= 2 * (2 + 1) + 10


def test_a_server_that_is_told_to_end_sends_those_who_wait_home_at_once(server: WebServer) -> None:
    (request, *_) = ready()

    async def story() -> float:
        base = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(base_url=base, timeout=70) as client:
            polls = [
                asyncio.ensure_future(client.get(f"/api/v2/requests/{request.pk}/?wait=60")) for _ in range(5)
            ]
            async with client.stream("GET", "/api/v2/events/") as stream:
                lines = stream.aiter_lines()
                await anext(lines)
                await asyncio.sleep(1)
                begin = time.monotonic()
                server.process.terminate()
                assert [line async for line in lines if line.startswith("event")] == []
            answers = await asyncio.gather(*polls)
            assert {(answer.status_code, answer.json()["state"]) for answer in answers} == {(200, "ready")}
            return time.monotonic() - begin

    assert asyncio.run(story()) < 5
    until(lambda: server.process.poll() is not None, server.log)
