"""Requests from filing to the end, for programs that wait and for asyncio, over one core."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable
from typing import Callable, TypeVar

import pytest

from command import until
from contract_server import Connect, ContractServer, Fault
from mozpool_client import (
    AsyncMozpool,
    Conflict,
    Impossible,
    Invalid,
    JournalLine,
    Mozpool,
    MozpoolError,
    NotFound,
    NotReadyInTime,
    Request,
    RequestEnded,
)

T = TypeVar("T")


async def meanwhile(happens: Callable[[], bool]) -> None:
    """Wait in an event loop until something has happened."""
    assert await asyncio.get_running_loop().run_in_executor(None, until, happens)


def in_a_loop(url: str, story: Callable[[AsyncMozpool], Awaitable[T]]) -> T:
    """Tell a story in an event loop."""

    async def told() -> T:
        async with AsyncMozpool([url], patience=60) as pool:
            return await story(pool)

    return asyncio.run(told())


def test_both_clients_offer_the_same() -> None:
    def names(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert names(Mozpool) - names(AsyncMozpool) == {"again", "stop"}
    assert names(AsyncMozpool) - names(Mozpool) == set()
    for name in names(AsyncMozpool) - {"hold", "servers"}:
        ours = inspect.signature(getattr(Mozpool, name)).parameters
        assert ours == inspect.signature(getattr(AsyncMozpool, name)).parameters, name


def test_a_request_is_filed_with_what_was_wished(connect: Connect, server: ContractServer) -> None:
    connect([server.url]).request(
        "b2g",
        device="panda-0001",
        environment="staging",
        hardware="panda",
        tags=["gpu"],
        boot_config={"b2gbase": "http://x/"},
        duration=60,
        max_wait=0,
        assignee="me",
        priority=-1,
    )
    assert server.calls[0].body == {
        "image": "b2g",
        "device": "panda-0001",
        "environment": "staging",
        "hardware": "panda",
        "tags": ["gpu"],
        "boot_config": {"b2gbase": "http://x/"},
        "duration": 60,
        "max_wait": 0,
        "assignee": "me",
        "priority": -1,
    }


def test_a_request_is_waited_for_by_long_looks(connect: Connect, server: ContractServer) -> None:
    server.ready_at_once = False
    pool = connect([server.url])
    seen: list[Request] = []

    def progress(request: Request) -> None:
        seen.append(request)
        if not request.is_ready:
            server.move(request.id, "ready")

    request = pool.wait_ready(pool.request("b2g"), progress=progress)
    assert [entry.state for entry in seen] == ["finding_device", "ready"]
    assert seen[0].waiting is not None
    assert (seen[0].waiting.reason, seen[0].waiting.place) == ("all_busy", 2)
    assert request.device is not None
    assert (request.device.name, request.device.address) == ("panda-0001", "10.1.0.1")
    assert [seen.query for seen in server.calls if seen.method == "GET"] == [
        {"wait": ["15"], "state_seq": ["1"]}
    ]


def test_waiting_outlasts_a_pool_that_is_away(connect: Connect, server: ContractServer) -> None:
    server.ready_at_once = False
    pool = connect([server.url])
    request = pool.request("b2g")
    server.faults.extend([Fault(0), Fault(503), Fault(503), Fault(502)])
    assert pool.wait_ready(request, progress=lambda _: server.move(1, "ready")).is_ready
    assert not server.faults


def test_a_request_that_ends_while_it_is_waited_for_says_how(
    connect: Connect, server: ContractServer
) -> None:
    server.ready_at_once = False
    pool = connect([server.url])
    request = pool.request("b2g")
    with pytest.raises(RequestEnded, match="failed_device_not_found") as raised:
        pool.wait_ready(request, progress=lambda _: server.move(1, "failed_device_not_found"))
    assert raised.value.request.has_ended


def test_waiting_has_an_end_and_says_why_it_was_in_vain(connect: Connect, server: ContractServer) -> None:
    server.ready_at_once = False
    pool = connect([server.url])
    began = time.monotonic()
    with pytest.raises(NotReadyInTime, match="every device that fits is in use"):
        pool.wait_ready(pool.request("b2g"), timeout=1)
    assert time.monotonic() - began >= 1


def test_a_server_that_does_not_wait_is_not_asked_all_the_time(
    connect: Connect, server: ContractServer
) -> None:
    server.ready_at_once = False
    pool = connect([server.url])
    request = pool.request("b2g")
    server.waits = False
    with pytest.raises(NotReadyInTime):
        pool.wait_ready(request, timeout=2)
    assert len(server.paths("GET")) <= 3


def test_the_servers_words_become_errors(connect: Connect, server: ContractServer) -> None:
    pool = connect([server.url])
    with pytest.raises(Invalid) as invalid:
        pool.request("unheard-of")
    assert (invalid.value.field, invalid.value.code, invalid.value.status) == ("image", "invalid", 400)
    with pytest.raises(Impossible, match="no device has the tag"):
        pool.request("b2g", tags=["impossible"])
    with pytest.raises(Conflict) as conflict:
        pool.request("b2g", device="taken")
    assert conflict.value.request is not None
    assert conflict.value.request.state == "failed_device_busy"
    with pytest.raises(NotFound, match="no request 99"):
        pool.get(99)


def test_returning_twice_is_fine_and_renewing_what_has_ended_is_not(
    connect: Connect, server: ContractServer
) -> None:
    pool = connect([server.url])
    number = pool.request("b2g").id
    assert pool.renew(number, 77).seconds_left == 77
    assert pool.return_(number).state == "closed"
    assert pool.return_(number).state == "closed"
    with pytest.raises(Conflict, match="has ended"):
        pool.renew(number, 60)


def test_a_held_device_is_renewed_meanwhile_and_returned_at_the_end(
    connect: Connect, server: ContractServer
) -> None:
    pool = connect([server.url])
    with pool.hold("b2g", duration=1) as held:
        assert held.device.fqdn == "panda-0001.p1.example.com"
        assert until(lambda: len(server.renewed_in) >= 2)
        assert not held.lost
    assert server.states() == ["closed"]


def test_what_is_not_ready_yet_is_not_renewed(connect: Connect, server: ContractServer) -> None:
    server.ready_at_once = False

    def progress(request: Request) -> None:
        if not request.is_ready:
            # Long enough for a renewal, if one were due.
            time.sleep(1)
            server.move(request.id, "ready")

    with connect([server.url]).hold("b2g", duration=1, timeout=30, progress=progress) as held:
        assert held.request.expires is not None
        assert until(lambda: bool(server.renewed_in))
    assert set(server.renewed_in) == {"ready"}
    assert server.calls[0].body["max_wait"] == 90


def test_a_held_device_is_returned_when_the_block_fails(connect: Connect, server: ContractServer) -> None:
    with pytest.raises(KeyError), connect([server.url]).hold("b2g"):
        raise KeyError
    assert server.states() == ["closed"]


def test_a_device_that_is_not_ready_in_time_is_returned(connect: Connect, server: ContractServer) -> None:
    server.ready_at_once = False
    with pytest.raises(NotReadyInTime), connect([server.url]).hold("b2g", timeout=5):
        pytest.fail("it never was ready")
    assert server.states() == ["closed"]


def test_who_holds_a_device_hears_of_its_loss(server: ContractServer) -> None:
    with Mozpool([server.url]).hold("b2g") as held:
        server.move(1, "closed")
        assert until(lambda: held.lost)
        with pytest.raises(RuntimeError, match="gone"):
            _ = held.device


def test_a_fault_of_the_client_itself_is_told_to_who_waits(
    connect: Connect, server: ContractServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mozpool, "file", lambda *_: 1 // 0)
    with pytest.raises(MozpoolError, match="ZeroDivisionError") as raised, connect([server.url]).hold("b2g"):
        pytest.fail("nothing is held")
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_who_holds_a_device_hears_that_it_was_exchanged(server: ContractServer) -> None:
    with Mozpool([server.url]).hold("b2g") as held:
        server.move(1, "ready", device="panda-0002")
        assert until(lambda: held.lost)
        with pytest.raises(RuntimeError, match="gone"):
            _ = held.device


def test_a_hold_that_is_refused_says_why(connect: Connect, server: ContractServer) -> None:
    with pytest.raises(Impossible), connect([server.url]).hold("b2g", tags=["impossible"]):
        pytest.fail("nothing is held")


def test_events_of_a_request_come_until_it_ends(connect: Connect, server: ContractServer) -> None:
    server.ready_at_once = False
    pool = connect([server.url])
    number = pool.request("b2g").id
    found = []
    for entry in pool.follow(request=number, after=0):
        found.append(entry)
        if isinstance(entry, Request) and not entry.has_ended:
            server.move(number, "closed" if entry.is_ready else "ready")
    assert [entry.state for entry in found if isinstance(entry, Request)] == [
        "finding_device",
        "ready",
        "closed",
    ]
    assert [entry.message for entry in found if isinstance(entry, JournalLine)] == [
        "entering state finding_device",
        "entering state ready",
        "entering state closed",
    ]


def test_a_stream_that_breaks_goes_on_where_it_broke(connect: Connect, server: ContractServer) -> None:
    server.break_stream_after = 2
    for number in range(4):
        server.note(f"line {number}", device="panda-0001")
    server.note("another's", device="panda-0002")
    found: list[str] = []
    for entry in connect([server.url]).follow(device="panda-0001", after=0):
        assert isinstance(entry, JournalLine)
        found.append(entry.message)
        if len(found) == 4:
            break
    assert found == ["line 0", "line 1", "line 2", "line 3"]
    assert server.streams_broken == 1


def test_a_line_with_odd_ends_of_lines_in_it_is_one_line(connect: Connect, server: ContractServer) -> None:
    odd = "a\u2028b\u2029c\x85d"
    server.note(odd, device="panda-0001")
    found = next(iter(connect([server.url]).follow(device="panda-0001", after=0)))
    assert isinstance(found, JournalLine)
    assert found.message == odd


def test_the_whole_story_in_an_event_loop(server: ContractServer) -> None:
    server.ready_at_once = False
    server.faults.append(Fault(503))

    async def story(pool: AsyncMozpool) -> list[str]:
        request = await pool.request("b2g", duration=60)
        request = await pool.wait_ready(request, progress=lambda _: server.move(1, "ready"))
        await pool.renew(request.id, 90)
        closed = await pool.return_(request.id)
        return [request.state, closed.state, (await pool.whoami()).name, (await pool.devices())[6].name]

    assert in_a_loop(server.url, story) == ["ready", "closed", "tester", "panda-0007"]


def test_a_device_is_held_in_an_event_loop(server: ContractServer) -> None:
    async def story(pool: AsyncMozpool) -> str:
        async with pool.hold("b2g", duration=1) as request:
            await meanwhile(lambda: bool(server.renewed_in))
            assert request.device is not None
            return request.device.name

    assert in_a_loop(server.url, story) == "panda-0001"
    assert server.states() == ["closed"]


def test_a_cancelled_task_returns_its_device(server: ContractServer) -> None:
    async def story(pool: AsyncMozpool) -> None:
        async def work() -> None:
            async with pool.hold("b2g"):
                begun.set()
                await asyncio.sleep(60)

        begun = asyncio.Event()
        task = asyncio.create_task(work())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_a_loop(server.url, story)
    assert server.states() == ["closed"]


def test_a_task_that_is_cancelled_while_it_files_returns_what_it_has_filed(server: ContractServer) -> None:
    server.answers_filing.clear()

    async def story(pool: AsyncMozpool) -> None:
        async def work() -> None:
            async with pool.hold("b2g"):
                pytest.fail("it was cancelled before")

        task = asyncio.create_task(work())
        await meanwhile(lambda: server.states() == ["ready"])
        task.cancel()
        server.answers_filing.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_a_loop(server.url, story)
    assert server.states() == ["closed"]


def test_a_device_that_can_not_be_renewed_any_more_is_still_returned(server: ContractServer) -> None:
    async def story(pool: AsyncMozpool) -> None:
        async with pool.hold("b2g", duration=1):
            server.faults.append(Fault(401))
            await meanwhile(lambda: not server.faults)

    in_a_loop(server.url, story)
    assert server.states() == ["closed"]


def test_events_come_in_an_event_loop_too(server: ContractServer) -> None:
    async def story(pool: AsyncMozpool) -> list[str]:
        number = (await pool.request("b2g")).id
        found = []
        async for entry in pool.follow(request=number):
            if isinstance(entry, Request):
                found.append(entry.state)
                if entry.is_ready:
                    server.move(number, "closed")
        return found

    assert in_a_loop(server.url, story) == ["ready", "closed"]
