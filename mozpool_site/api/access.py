"""Who calls, and what may they do: by personal token, by session, or (old clients) by the network they call from.

Default deny: a caller without a token or a session, outside of every listed network, is nobody.
"""

import ipaddress
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import CSRFCheck

from mozpool_site.access import throttle, tokens
from mozpool_site.access.roles import Role, role_of
from mozpool_site.access.tokens import Bearer
from mozpool_site.env_kinds import Network
from mozpool_site.errors import NotAllowedError, NotAuthenticatedError
from mozpool_site.statemachine.runner import Actor

__all__ = [
    "ANYBODY", "LEGACY", "Address", "Caller", "Role", "client_address", "demand", "identify", "listed_origin",
    "may_change_by_get", "read_address", "refuse_in_clear", "role_of",
]  # fmt: skip

Address = throttle.Address

# What old clients are called, with their address; requests carry it as their owner.
LEGACY = "legacy@"
# Only browsers send these, and a browser may have been sent by any page that somebody looks at.
_SENT_BY_BROWSERS = ("HTTP_ORIGIN", "HTTP_REFERER", "HTTP_SEC_FETCH_")
_BROWSER = "a browser must log in: this call has no credentials, but a browser's headers"
_READING = ("GET", "HEAD", "OPTIONS")
# `Token` is what clients of knox and of DRF send.
_SCHEMES = ("bearer", "token")
# What a browser sends with whatever a page makes it call, also by plain HTTP, where it tells nothing of the page.
_SENT_WITH_IMAGES = ("HTTP_ACCEPT_LANGUAGE", "HTTP_UPGRADE_INSECURE_REQUESTS")
By = Literal["token", "session", "network", "device", ""]


@dataclass(frozen=True)
class Caller:
    """Somebody who calls. `by` says how we know them; for a stranger it is empty.

    `user_id` is None for callers who are known by nothing but their network (legacy mode); `bearer` tells of
    the token, where one was sent.
    """

    name: str
    role: Role
    address: Address | None
    by: By = ""
    user_id: int | None = None
    bearer: Bearer | None = None

    @property
    def by_network(self) -> bool:
        """Whether nothing but the address tells who this is."""
        return self.by == "network"

    @property
    def by_device(self) -> bool:
        """Whether they call, without credentials, from a network of devices: each of these speaks for itself alone."""
        return self.by == "device"

    @property
    def actor(self) -> Actor:
        """The caller as the journal and the audit trail name them."""
        return Actor(self.name, "api", str(self.address or ""))

    def may(self, least: Role) -> bool:
        """Whether the caller has at least this role."""
        return self.role >= least

    def is_at(self, address: str | None) -> bool:
        """Whether the caller is the machine with this address: legacy mode only, for a session may be anywhere."""
        may_be = self.by_network or self.by_device
        return may_be and address is not None and read_address(address) == self.address

    def owns(self, owner: str) -> bool:
        """Whether a request filed by `owner` is the caller's. Old clients share theirs: addresses change hands."""
        if self.by_network:
            return owner.startswith(LEGACY)
        return owner == self.name


ANYBODY = Caller("", Role.NOBODY, None)


def identify(request: HttpRequest) -> Caller:
    """Find out who calls; give ANYBODY for a stranger.

    A token counts before a session, a session before the network. Raises NotAuthenticatedError for credentials
    that we do not take (TooManyError from an address that has sent many), NotAllowedError for a session's POST
    without its CSRF token, for a token sent in the clear, and for a browser that comes without credentials from a
    trusted network.
    """
    if "HTTP_AUTHORIZATION" in request.META:
        return _bearer(request, request.META["HTTP_AUTHORIZATION"])
    if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
        return _person(request, request.user)
    address = client_address(request)
    by, role = _role_of_network(address)
    if not by:
        return ANYBODY
    if _is_browser(request) or (request.method not in _READING and _looks_like_browser(request)):
        raise NotAllowedError(_BROWSER)
    return Caller(f"{LEGACY}{address}", role, address, by=by)


def may_change_by_get(request: HttpRequest, caller: Caller) -> bool:
    """Whether a GET may change something: of old scripts, which have no credentials and are no browser.

    Any page that somebody on a trusted network looks at can make their browser send one. Raise NotAllowedError for
    what looks like that.
    """
    if not (caller.by_network or caller.by_device):
        return False
    if _looks_like_browser(request):
        raise NotAllowedError(_BROWSER)
    return True


def demand(caller: Caller, least: Role) -> None:
    """Raise NotAuthenticatedError for a stranger, NotAllowedError for somebody with too small a role."""
    if caller.may(least):
        return
    if not caller.name:
        raise NotAuthenticatedError(
            "send a token (Authorization: Bearer mzp_...), log in, or call from a network that "
            "MOZPOOL_TRUSTED_NETWORKS lists"
        )
    has = f"{caller.name} is {caller.role.word}"
    if caller.bearer is not None:
        has = f"{caller.name} with the token {caller.bearer.token_name!r} is {caller.role.word}"
    raise NotAllowedError(f"{has}; this needs {least.word}")


def client_address(request: HttpRequest) -> Address | None:
    """Give the caller's address; None where it can't be told for certain.

    X-Forwarded-For is read from its end, and only as far as listed proxies wrote it. A listed proxy that
    names nobody is nobody: its own address must not lend trust to whoever is behind it.
    """
    peer = read_address(request.META.get("REMOTE_ADDR", ""))
    if peer is None or not _within(peer, settings.MOZPOOL_TRUSTED_PROXIES):
        return peer
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        address = read_address(hop.strip())
        if address is None or not _within(address, settings.MOZPOOL_TRUSTED_PROXIES):
            return address
    return None


def read_address(text: str) -> Address | None:
    """Read an IP address; one of IPv4 in IPv6's clothes is the IPv4 address. None for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def listed_origin(request: HttpRequest) -> str | None:
    """Give the Origin of a script that MOZPOOL_CORS_ORIGINS lets in; None for every other."""
    origin = request.META.get("HTTP_ORIGIN", "")
    return origin if origin.lower() in settings.MOZPOOL_CORS_ORIGINS else None


def refuse_in_clear(request: HttpRequest) -> None:
    """Raise NotAllowedError for credentials that came over a network without encryption, where there is HTTPS."""
    address = client_address(request)
    if settings.SECURE_SSL_REDIRECT and not request.is_secure() and not (address and address.is_loopback):
        raise NotAllowedError(
            "passwords and tokens are taken by HTTPS alone; whoever listens may know this one now: change it"
        )


def _bearer(request: HttpRequest, header: str) -> Caller:
    refuse_in_clear(request)
    address = client_address(request)
    scheme, _, text = header.partition(" ")
    if scheme.lower() not in _SCHEMES:
        raise NotAuthenticatedError("the Authorization header takes a token: Bearer mzp_...")
    bearer = tokens.find(text.strip())
    if bearer is None:
        throttle.token_failed(address)
        raise NotAuthenticatedError("this token is wrong, expired or revoked; get a new one by logging in")
    _refuse_legacy_name(bearer.user_name)
    return Caller(bearer.user_name, bearer.role, address, "token", bearer.user_id, bearer)


def _person(request: HttpRequest, user: User) -> Caller:
    name = user.get_username()
    _refuse_legacy_name(name)
    # The CSRF check may look for its token in a form, which would use the body up: read it first, as it is.
    _ = request.body
    check = CSRFCheck(_no_view)
    check.process_request(request)
    refused = check.process_view(request, _no_view, (), {})
    if refused:
        raise NotAllowedError(f"CSRF check failed: {refused}")
    return Caller(name, role_of(user), client_address(request), "session", user.pk)


def _refuse_legacy_name(name: str) -> None:
    if name.startswith(LEGACY):
        raise NotAllowedError(f"a user name that begins with {LEGACY} would pass for an old client")


def _no_view(request: HttpRequest) -> HttpResponse:
    """Stand in for the view that the check wants to see and never calls."""
    return HttpResponse()


def _role_of_network(address: Address | None) -> tuple[By, Role]:
    if address is None:
        return "", Role.NOBODY
    if _within(address, settings.MOZPOOL_DEVICE_NETWORKS):
        return "device", Role.NOBODY
    if _within(address, settings.MOZPOOL_TRUSTED_OPERATOR_NETWORKS):
        return "network", Role.OPERATOR
    return (
        ("network", Role.REQUESTER)
        if _within(address, settings.MOZPOOL_TRUSTED_NETWORKS)
        else ("", Role.NOBODY)
    )


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _looks_like_browser(request: HttpRequest) -> bool:
    if listed_origin(request):
        return False
    return "mozilla/" in request.META.get("HTTP_USER_AGENT", "").lower() or any(
        name in request.META for name in _SENT_WITH_IMAGES
    )


def _is_browser(request: HttpRequest) -> bool:
    if request.META.get("HTTP_COOKIE"):
        return True
    # Scripts of a listed origin may call, in a browser that keeps its cookies to itself.
    if listed_origin(request):
        return False
    return any(name.startswith(_SENT_BY_BROWSERS) for name in request.META)
