"""Where webhooks may go: URLs and secrets are checked when they are given, hosts and addresses again at each try.

MOZPOOL_WEBHOOK_HOSTS is an allow-list, and to list a host is to trust all its ports and paths. One that is named in
full, or by address, is trusted wherever its name leads: receivers mostly live in the lab's own private network. Whoever
can change that name's DNS (rebinding) can at most have our JSON posted elsewhere: no redirect is followed, and only
admins see how an answer begins. What only a leading dot covers is anybody's below that domain, so each of its addresses
must be public or listed itself; and the address that was checked is the one that is connected to.
"""

import base64
import binascii
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from mozpool_site.errors import InvalidInputError

LONGEST_URL = 500
# Standard Webhooks: a secret is 24 to 64 random bytes, in base64 behind this.
SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with
_SECRET_BYTES = range(24, 65)
_NEW_SECRET_BYTES = 32
# Printable ASCII, without what programs disagree on when they look for the host's end.
_PLAIN = re.compile(r"[!-~]+")
_DISPUTED = frozenset("\\\"'`<>^{|}#")

# All that is public in IPv6. What lies outside may be translated to an address of IPv4, or is somebody's own network;
# so may addresses of 6to4.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_6TO4 = ipaddress.IPv6Network("2002::/16")


class TargetRefused(Exception):
    """A host is not listed (any longer), or has an address that it must not have: change the list or the URL."""


@dataclass(frozen=True)
class Target:
    """A URL, and the secret that signs what is sent there; an empty one signs nothing. Raises InvalidInputError."""

    url: str
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        check_url(self.url)
        if self.secret:
            check_secret(self.secret)


def read_target(value: object) -> Target:
    """Read {"url", "secret"?}, as a request names its webhook. Raises InvalidInputError for the field `webhook`."""
    if not isinstance(value, dict) or not {"url"} <= value.keys() <= {"url", "secret"}:
        raise InvalidInputError(
            'webhook: an object with "url" and perhaps "secret" expected', field="webhook"
        )
    try:
        secret = "" if value.get("secret") is None else check_secret(value["secret"])
        return Target(check_url(value["url"]), secret)
    except InvalidInputError as error:
        raise InvalidInputError(f"webhook: {error.detail}", field="webhook") from None


def check_url(value: object) -> str:
    """Give an http(s) URL on a host that MOZPOOL_WEBHOOK_HOSTS lists. Raises InvalidInputError."""
    if not settings.MOZPOOL_WEBHOOK_HOSTS:
        raise InvalidInputError(
            "url: webhooks are off here; MOZPOOL_WEBHOOK_HOSTS must list their hosts", field="url"
        )
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_URL:
        raise InvalidInputError(f"url: a text of 1 to {LONGEST_URL} characters expected", field="url")
    url = _split(value)
    if url is None:
        raise InvalidInputError(
            "url: an http or https URL in ASCII expected, without user info and fragment", field="url"
        )
    if not is_listed(url.hostname or ""):
        raise InvalidInputError(
            f"url: {url.hostname} is no host that MOZPOOL_WEBHOOK_HOSTS lists", field="url"
        )
    return value


def check_secret(value: object) -> str:
    """Give a secret as Standard Webhooks writes it. Raises InvalidInputError, which never repeats it."""
    problem = InvalidInputError(
        f"secret: {SECRET_PREFIX} and 24 to 64 random bytes in base64 expected "
        "(openssl rand -base64 32 makes the latter)",
        field="secret",
    )
    if not isinstance(value, str) or not value.startswith(SECRET_PREFIX):
        raise problem
    try:
        key = secret_key(value)
    except (binascii.Error, ValueError):
        raise problem from None
    if len(key) not in _SECRET_BYTES:
        raise problem
    return value


def secret_key(secret: str) -> bytes:
    """Give the bytes that sign."""
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


def new_secret() -> str:
    """Make a secret."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_NEW_SECRET_BYTES)).decode()


def is_listed(host: str) -> bool:
    """Whether MOZPOOL_WEBHOOK_HOSTS lists a host (small letters), by itself or by a domain."""
    return any(
        host == listed[1:] or host.endswith(listed) if listed.startswith(".") else host == _bare(listed)
        for listed in settings.MOZPOOL_WEBHOOK_HOSTS
    )


def addresses(host: str, port: int) -> list[str]:
    """Look a listed host up; give its addresses, all of them fit to be connected to.

    Raises TargetRefused, and OSError for a name that does not resolve.
    """
    host = host.lower()
    if not is_listed(host):
        raise TargetRefused(f"MOZPOOL_WEBHOOK_HOSTS does not list {host}")
    by_name = {_bare(listed) for listed in settings.MOZPOOL_WEBHOOK_HOSTS}
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if host not in by_name:
        for address in found:
            if address not in by_name and not _is_public(address):
                raise TargetRefused(
                    f"{host} has the address {address}, which is not public: list the host by its whole name"
                )
    return list(dict.fromkeys(found))


def _split(value: str) -> SplitResult | None:
    if not _PLAIN.fullmatch(value) or _DISPUTED & set(value):
        return None
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        return None
    if url.scheme not in ("http", "https") or "@" in url.netloc or not url.hostname or port == 0:
        return None
    return url


def _bare(listed: str) -> str:
    return listed.removeprefix("[").removesuffix("]")


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return address in _GLOBAL_UNICAST and address.is_global and address not in _6TO4
        address = address.ipv4_mapped
    return address.is_global and not address.is_multicast
