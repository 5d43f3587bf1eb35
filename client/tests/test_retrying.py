"""Which servers are asked, how often, and when the client gives up."""

from __future__ import annotations

import time

import pytest

from contract_server import Connect, ContractServer, Fault, serving
from mozpool_client import BadAnswer, ConfigError, Invalid, Mozpool, NotAuthenticated, TooMany, Unavailable


def test_a_dead_server_costs_nothing_when_another_answers(server: ContractServer, dead_url: str) -> None:
    for _ in range(6):
        with Mozpool([dead_url, server.url], patience=5) as pool:
            assert pool.whoami().name == "tester"
            assert pool.servers[0] == server.url


def test_the_order_of_servers_is_random() -> None:
    urls = [f"http://mozpool{number}.example.com" for number in range(8)]
    orders = {tuple(Mozpool(urls).servers) for _ in range(20)}
    assert len(orders) > 15
    assert all(sorted(order) == urls for order in orders)


def test_when_no_server_answers_each_is_named_with_its_reason(
    connect: Connect, dead_url: str, server: ContractServer
) -> None:
    server.faults.extend([Fault(503)] * 50)
    pool = connect([dead_url, server.url], patience=2)
    with pytest.raises(Unavailable) as raised:
        pool.whoami()
    assert sorted(raised.value.servers) == sorted([dead_url, server.url])
    assert raised.value.servers[server.url] == "answered 503"
    assert "refused" in raised.value.servers[dead_url].lower()
    assert raised.value.exit_status == 3


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_away_for_a_moment_is_asked_again(
    connect: Connect, server: ContractServer, status: int
) -> None:
    server.faults.extend([Fault(status), Fault(status)])
    assert connect([server.url]).whoami().role == "requester"
    assert len(server.calls) == 3


def test_retry_after_is_honoured(connect: Connect, server: ContractServer) -> None:
    server.faults.append(Fault(503, {"Retry-After": "1"}))
    began = time.monotonic()
    connect([server.url]).whoami()
    assert time.monotonic() - began >= 1.0


def test_a_quota_that_lasts_longer_than_our_patience_is_told_at_once(
    connect: Connect, server: ContractServer
) -> None:
    server.faults.append(Fault(429, {"Retry-After": "600"}))
    with pytest.raises(TooMany) as raised:
        connect([server.url], patience=60).request("b2g")
    assert raised.value.retry_after == 600
    assert len(server.calls) == 1


def test_a_request_whose_answer_is_lost_is_filed_once(connect: Connect, server: ContractServer) -> None:
    server.faults.extend([Fault(0, after=True), Fault(503, after=True), Fault(502, after=True)])
    request = connect([server.url]).request("b2g", boot_config={"b2gbase": "http://x/"})
    assert request.id == 1
    assert len(server.requests) == 1
    keys = {seen.headers["idempotency-key"] for seen in server.calls}
    assert len(server.calls) == 4
    assert len(keys) == 1


def test_two_requests_have_two_keys(connect: Connect, server: ContractServer) -> None:
    pool = connect([server.url])
    assert [pool.request("b2g").id, pool.request("b2g").id] == [1, 2]


def test_a_lost_request_is_filed_once_although_another_server_takes_over(
    connect: Connect, dead_url: str
) -> None:
    with serving() as first, serving() as second:
        # Both are the same pool: they share what a database would hold.
        second.requests, second.keys, second.journal = first.requests, first.keys, first.journal
        for running in (first, second):
            running.faults.append(Fault(0, after=True))
        assert connect([first.url, second.url, dead_url]).request("b2g").id == 1
        assert len(first.requests) == 1
        assert {len(first.calls), len(second.calls)} in ({1, 2}, {1})


def test_a_power_cycle_whose_answer_is_lost_is_not_repeated(connect: Connect, server: ContractServer) -> None:
    server.faults.append(Fault(0, after=True))
    with pytest.raises(Unavailable, match="look before you repeat"):
        connect([server.url]).power_cycle("panda-0001")
    assert server.paths("POST") == ["/api/v2/devices/panda-0001/power-cycle/"]


def test_a_power_cycle_that_was_refused_for_now_is_repeated(
    connect: Connect, server: ContractServer, dead_url: str
) -> None:
    server.faults.append(Fault(503))
    assert connect([server.url, dead_url]).power_cycle("panda-0001").id == 7


def test_errors_of_the_caller_are_not_repeated(connect: Connect, server: ContractServer) -> None:
    for _ in range(3):
        server.faults.append(Fault(401))
    with pytest.raises(NotAuthenticated, match="mozpool login"):
        connect([server.url]).whoami()
    assert len(server.calls) == 1


def test_a_redirect_is_told_and_not_followed(connect: Connect, server: ContractServer) -> None:
    server.faults.append(Fault(302, {"Location": "https://elsewhere.example/"}))
    with pytest.raises(BadAnswer, match="real address"):
        connect([server.url], token="mzp_secret").whoami()


@pytest.mark.parametrize("page", [b"<html>Welcome</html>", b"[]", b'{"name": 5}', b'{"role": "viewer"}'])
def test_what_is_no_mozpool_is_told_so(connect: Connect, server: ContractServer, page: bytes) -> None:
    server.faults.append(Fault(200, body=page))
    with pytest.raises(BadAnswer):
        connect([server.url]).whoami()


def test_a_proxys_page_of_an_error_is_told_by_its_status(connect: Connect, server: ContractServer) -> None:
    server.faults.append(Fault(500, body=b"<html>Oops</html>"))
    with pytest.raises(BadAnswer, match="500"):
        connect([server.url]).whoami()
    server.faults.append(Fault(404, body=b"<html>Oops</html>"))
    with pytest.raises(BadAnswer, match="no v2 API"):
        connect([server.url]).whoami()


def test_each_server_gets_its_own_token_only(connect: Connect, server: ContractServer) -> None:
    with serving() as other:
        tokens = {server.url: "mzp_one"}
        for running in (server, other):
            running.faults.append(Fault(503))
        connect([server.url, other.url], tokens).whoami()
        told = {seen.headers.get("authorization") for seen in server.calls}
        others = {seen.headers.get("authorization") for seen in other.calls}
        assert told == {"Bearer mzp_one"}
        assert others == {None}


def test_pages_are_asked_of_the_servers_that_we_know(connect: Connect, server: ContractServer) -> None:
    names = [
        device.name for device in connect([server.url], token="mzp_x").devices(state="ready", held=False)
    ]
    assert names == [f"panda-{number:04}" for number in range(1, 8)]
    assert server.calls[0].query == {"state": ["ready"], "held": ["false"], "limit": ["500"]}
    assert [seen.query.get("cursor") for seen in server.calls] == [None, ["3"], ["6"]]


def test_a_limit_ends_the_list(connect: Connect, server: ContractServer) -> None:
    assert len(connect([server.url]).devices(limit=4)) == 4
    assert len(server.calls) == 2


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mozpool.example.com",
        "ftp://x",
        "http://",
        "http://u:p@x",
        "http://x?y=1",
        "http://x:0",
        "http://a b",
    ],
)
def test_what_is_no_server_is_refused(connect: Connect, url: str) -> None:
    with pytest.raises(ConfigError, match="is no server"):
        connect([url])


@pytest.mark.parametrize("token", ["mzp_\xe9", "mzp_a\nb", "mzp_a b"])
def test_a_token_that_can_not_be_sent_is_refused_and_not_repeated(
    connect: Connect, server: ContractServer, token: str
) -> None:
    with pytest.raises(ConfigError, match="can't be sent") as refused:
        connect([server.url], token)
    assert token not in str(refused.value)


def test_a_pool_without_servers_is_refused(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="MOZPOOL_SERVERS"):
        connect([])


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_name_that_is_no_part_of_a_path_is_refused(
    connect: Connect, server: ContractServer, name: str
) -> None:
    with pytest.raises(Invalid):
        connect([server.url]).device(name)
    assert server.calls == []
