import base64
import socket
from typing import Any

import pytest
from pytest_django import Settings

from mozpool_site.errors import InvalidInputError
from requests_app.webhooks.targets import (
    Target,
    TargetRefused,
    addresses,
    check_secret,
    check_url,
    is_listed,
    new_secret,
    read_target,
    secret_key,
)


@pytest.fixture(autouse=True)
def hosts(settings: Settings) -> None:
    settings.MOZPOOL_WEBHOOK_HOSTS = ("ci.example.com", ".lab.example", "192.0.2.7", "[::1]")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Let names mean what a test says: no test may ask the real DNS."""
    known: dict[str, list[str]] = {}

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(2, 1, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize(
    "url",
    [
        "https://ci.example.com",
        "http://CI.example.com:8080/hook?job=7&x=%20",
        "http://a.b.lab.example/",
        "http://lab.example/",
        "http://192.0.2.7/",
        "http://[::1]:8000/",
    ],
)
def test_urls_on_listed_hosts_are_taken_as_they_are(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        None, 5, "", "ci.example.com", "ftp://ci.example.com/", "file:///etc/passwd", "//ci.example.com/",
        "http://evil.example/", "http://evilci.example.com/", "http://ci.example.com.evil.example/",
        "http://evillab.example/", "http://127.0.0.1/", "http://[::2]/", "http://[::1/",
        "http://ada:pw@ci.example.com/", "http://ci.example.com@evil.example/", "http://@ci.example.com/",
        "http://ci.example.com:0/", "http://ci.example.com:99999/", "http://ci.example.com:x/",
        "http://ci.example.com\\@evil.example/", "http://evil.example#ci.example.com/",
        "http://ci.example.com/#part", "http://ci.example.com/a b", "http://ci.example.com/\n", "http:///x",
        "http://ci.example.com/\x00", "http://ci.example.com/ä", "http://ci.example.com/" + "x" * 500,
        "javascript:alert(1)",
    ],
)  # fmt: skip
def test_any_other_url_is_refused_by_name(url: object) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_url(url)
    assert refused.value.field == "url"


def test_without_a_list_there_are_no_webhooks(settings: Settings) -> None:
    settings.MOZPOOL_WEBHOOK_HOSTS = ()
    with pytest.raises(InvalidInputError, match="webhooks are off here; MOZPOOL_WEBHOOK_HOSTS must list"):
        check_url("https://ci.example.com/")
    assert not is_listed("ci.example.com")


def test_a_new_secret_is_32_random_bytes_as_standard_webhooks_writes_them() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert len(secret_key(first)) == 32
    assert check_secret(first) == first


@pytest.mark.parametrize("length", [24, 64])
def test_secrets_of_24_to_64_bytes_are_taken(length: int) -> None:
    secret = "whsec_" + base64.b64encode(bytes(length)).decode()
    assert check_secret(secret) == secret


@pytest.mark.parametrize(
    "secret",
    [
        None, 7, "", "swordfish", "whsec_", "whsec_swordfish!", base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(), "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + "ä" * 40,
    ],
)  # fmt: skip
def test_other_secrets_are_refused_without_being_repeated(secret: object) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_secret(secret)
    assert refused.value.field == "secret"
    assert not isinstance(secret, str) or len(secret) < 7 or secret not in refused.value.detail


def test_a_request_names_its_webhook_by_url_and_perhaps_secret() -> None:
    secret = new_secret()
    assert read_target({"url": "https://ci.example.com/"}) == Target("https://ci.example.com/")
    assert read_target({"url": "https://ci.example.com/", "secret": secret}).secret == secret
    assert secret not in repr(Target("https://ci.example.com/", secret))


@pytest.mark.parametrize(
    "value",
    [
        None, "https://ci.example.com/", [], {}, {"url": 1}, {"url": "http://evil.example/"}, {"secret": "x"},
        {"url": "https://ci.example.com/", "secret": "short"}, {"url": "https://ci.example.com/", "events": []},
    ],
)  # fmt: skip
def test_any_other_webhook_of_a_request_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_target(value)
    assert refused.value.field == "webhook"


def test_a_host_that_is_listed_in_full_may_be_anywhere(names: dict[str, list[str]]) -> None:
    names["ci.example.com"] = ["10.0.0.5", "127.0.0.1", "10.0.0.5"]
    assert addresses("ci.example.com", 80) == ["10.0.0.5", "127.0.0.1"]
    assert addresses("CI.example.com", 80) == ["10.0.0.5", "127.0.0.1"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.5", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.1.2.3", "224.0.0.1",
        "255.255.255.255", "::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::",
    ],
)  # fmt: skip
def test_what_only_a_dot_covers_must_be_public(names: dict[str, list[str]], address: str) -> None:
    names["x.lab.example"] = ["8.8.8.8", address]
    if address == "::1":
        # Listed by address.
        assert addresses("x.lab.example", 80) == ["8.8.8.8", "::1"]
        return
    with pytest.raises(TargetRefused, match="is not public: list the host by its whole name"):
        addresses("x.lab.example", 80)


def test_what_only_a_dot_covers_may_have_an_address_that_is_listed_itself(
    names: dict[str, list[str]],
) -> None:
    names["x.lab.example"] = ["192.0.2.7", "2606:4700::1111"]
    assert addresses("x.lab.example", 443) == ["192.0.2.7", "2606:4700::1111"]


def test_a_host_that_is_not_listed_is_not_looked_up(names: dict[str, list[str]]) -> None:
    names["evil.example"] = ["8.8.8.8"]
    with pytest.raises(TargetRefused, match="MOZPOOL_WEBHOOK_HOSTS does not list evil"):
        addresses("evil.example", 80)


def test_a_name_that_does_not_resolve_is_an_error_of_the_network(names: dict[str, list[str]]) -> None:
    with pytest.raises(OSError, match="not known"):
        addresses("gone.lab.example", 80)


@pytest.mark.parametrize(
    "address",
    [
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "fec0::1",
        "::10.0.0.1",
        "::8.8.8.8",
        "2002:a00:1::1",
        "2001:0:a00:1::1",
        "fd00::1",
    ],
)
def test_an_address_that_leads_to_somebodys_own_network_is_refused(
    names: dict[str, list[str]], address: str
) -> None:
    names["a.lab.example"] = [address]
    with pytest.raises(TargetRefused):
        addresses("a.lab.example", 443)


def test_a_public_address_of_ipv6_is_taken(names: dict[str, list[str]]) -> None:
    names["a.lab.example"] = ["2606:4700::1111"]
    assert addresses("a.lab.example", 443) == ["2606:4700::1111"]
