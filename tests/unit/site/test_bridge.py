"""How the bridge writes a call for the application, and what it does with senders who are slow or go away."""

import asyncio
from typing import Any

import pytest

from mozpool_site import bridge
from mozpool_site.bridge import Bridge, Message, Scope, environ

Told = list[dict[str, Any]]


def scope(
    *headers: tuple[bytes, bytes], method: str = "GET", path: bytes = b"/api/x/", query: bytes = b""
) -> Scope:
    return {
        "type": "http",
        "method": method,
        "raw_path": path,
        "query_string": query,
        "http_version": "1.1",
        "scheme": "http",
        "headers": list(headers),
        "client": ("10.1.2.3", 4000),
        "server": ("10.0.0.1", 8000),
    }


def echo(variables: dict[str, Any], start: Any) -> "Chunks":
    start("200 OK", [("Content-Type", "text/plain")])
    return Chunks([variables["REQUEST_METHOD"].encode(), b" ", variables["wsgi.input"].read()])


class Chunks(list[bytes]):
    closed = False

    def close(self) -> None:
        Chunks.closed = True


def call(called: Scope, *messages: Message, silent: bool = False) -> Told:
    """Call the echo with what a client sends; it is silent after that, or goes away."""
    left, told = list(messages), []

    async def receive() -> Message:
        if left:
            return left.pop(0)
        if silent:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        told.append(dict(message))

    asyncio.run(Bridge(echo, 1)(called, receive, send))
    return told


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_the_address_is_the_connections_own_whatever_the_headers_say() -> None:
    variables = environ(scope((b"remote-addr", b"1.1.1.1"), (b"remote_addr", b"1.1.1.1")), b"")
    assert (variables["REMOTE_ADDR"], variables["SERVER_NAME"]) == ("10.1.2.3", "10.0.0.1")


def test_headers_with_an_underscore_are_left_out() -> None:
    variables = environ(scope((b"x_forwarded_for", b"1.1.1.1"), (b"x-forwarded-proto", b"https")), b"")
    assert ("HTTP_X_FORWARDED_FOR" in variables, variables["HTTP_X_FORWARDED_PROTO"]) == (False, "https")


def test_a_header_that_comes_twice_is_one_list() -> None:
    twice = (
        (b"x-forwarded-for", b"1.1.1.1"),
        (b"cookie", b"a=1"),
        (b"x-forwarded-for", b"2.2.2.2"),
        (b"cookie", b"b=2"),
    )
    variables = environ(scope(*twice), b"")
    assert (variables["HTTP_X_FORWARDED_FOR"], variables["HTTP_COOKIE"]) == ("1.1.1.1,2.2.2.2", "a=1; b=2")


def test_a_path_keeps_its_bytes_and_a_query_is_left_as_it_is() -> None:
    variables = environ(scope(path=b"/api/%ff%C3%A9/", query=b"a=%ff"), b"")
    assert (variables["PATH_INFO"], variables["QUERY_STRING"]) == ("/api/\xff\xc3\xa9/", "a=%ff")


def test_no_host_at_all_is_no_empty_host() -> None:
    assert "HTTP_HOST" not in environ(scope((b"host", b"")), b"")


def test_a_body_in_parts_is_put_together_and_the_call_is_ended() -> None:
    Chunks.closed = False
    told = call(scope(method="POST"), part(b"one ", more=True), part(b"two"))
    assert (told[0]["status"], told[1]["body"], Chunks.closed) == (200, b"POST one two", True)


def test_of_an_endless_body_one_byte_more_is_kept_than_is_allowed() -> None:
    told = call(scope(method="POST"), *[part(b"x" * 4_000_000, more=True)] * 9)
    assert len(told[1]["body"]) == len(b"POST ") + 65_537


@pytest.mark.parametrize(
    ("path", "kind", "most"),
    [
        (b"/admin/inventory/", b"multipart/form-data; boundary=x", 1 << 20),
        (b"/admin/inventory/", b"application/x-www-form-urlencoded", 65_537),
        (b"/api/v2/requests/", b"multipart/form-data; boundary=x", 65_537),
    ],
)
def test_only_a_file_for_the_administration_may_be_longer(path: bytes, kind: bytes, most: int) -> None:
    called = scope((b"content-type", kind), method="POST", path=path)
    told = call(called, part(b"x" * 2_000_000))
    assert len(told[1]["body"]) == len(b"POST ") + most


def test_bodies_that_are_too_much_together_are_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_MOST_IN_ALL", 100_000)
    told = call(scope(method="POST"), part(b"x" * 60_000))
    assert told[0]["status"] == 200
    both = bridge.Bridge(echo, 1)
    statuses: list[int] = []

    async def one(body: bytes, have: asyncio.Event, go: asyncio.Event) -> None:
        messages = [part(body, more=True), part(b"")]

        async def receive() -> Message:
            if len(messages) == 1:
                have.set()
                await go.wait()
            return messages.pop(0)

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await both(scope(method="POST"), receive, send)

    async def all_of_them() -> None:
        have, go = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(one(b"x" * 60_000, have, go))
        await have.wait()
        await one(b"x" * 60_000, asyncio.Event(), go)
        go.set()
        await first
        # What was kept is kept no longer.
        await one(b"x" * 60_000, asyncio.Event(), go)

    asyncio.run(all_of_them())
    assert statuses == [503, 200, 200]


def test_a_sender_who_goes_away_gets_no_answer() -> None:
    assert call(scope(method="POST"), part(b"half", more=True)) == []


def test_a_sender_who_falls_silent_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_BODY_SECONDS", 0.05)
    told = call(scope(method="POST"), part(b"half", more=True), silent=True)
    assert (told[0]["status"], b'"error": "timeout"' in told[1]["body"]) == (408, True)
