"""Names, the way to the web server, and the clock."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from bmm import bootfiles, netboot
from devices.models import Device
from lifeguard.rack.findings import Finding, Findings, Place, fail, ok, warn
from mozpool_site import clock

_RESOLVERS = 32
_EXAMPLES = 5
_WEB_SECONDS = 5.0
_LARGEST_ANSWER = 10_000
# Times are the database's, so an offset harms only what reads this host's clock: log files, TLS, tokens of others.
_NOTICED_SECONDS, _WRONG_SECONDS = 2.0, 60.0
_REFUSED = "answered 403 Forbidden"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def names(place: Place) -> Findings:
    """See whether the names of devices and of the imaging server lead where the rows say."""
    rack = place.rack
    found = _resolve([rack.imaging_server, *(device.fqdn for device in place.devices)])
    addresses = found[rack.imaging_server]
    if not addresses:
        mend = "add it to DNS, or correct the rack's imaging server in the admin"
        yield fail("dns", f"imaging server {rack.imaging_server} does not resolve", mend)
    elif rack.address not in addresses:
        told = f"imaging server {rack.imaging_server} is {', '.join(sorted(addresses))}, the rack says {rack.address}"
        yield warn(
            "dns",
            told,
            "right where the server has one address for each VLAN; else correct the rack's address",
        )
    nameless = [device.name for device in place.devices if device.address and not found[device.fqdn]]
    if nameless:
        told = f"{len(nameless)} devices are known by address only: {', '.join(nameless[:_EXAMPLES])}"
        yield warn(
            "dns",
            told + (", ..." if nameless[_EXAMPLES:] else ""),
            "add their FQDNs to DNS, for people's sake",
        )
    astray = [finding for device in place.devices if (finding := _astray(device, found[device.fqdn]))]
    yield from astray
    if not (nameless or astray):
        yield ok("dns", f"the names of {len(place.devices)} devices lead to them")


def _astray(device: Device, addresses: frozenset[str]) -> Finding | None:
    """Say where a device's name leads nowhere, or to another."""
    if not addresses and not device.address:
        told = f"{device.name}: {device.fqdn} does not resolve, and no address is stored"
        return fail("dns", told, "add it to DNS, or give the device an address")
    if addresses and device.address and device.address not in addresses:
        told = (
            f"{device.name}: {device.fqdn} is {', '.join(sorted(addresses))}, its row says {device.address}"
        )
        return fail("dns", told, "correct DNS, or the device's address")
    return None


def _resolve(names: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Look all names up at once; a silent name server costs as long as one name."""
    asked = list(dict.fromkeys(names))
    with ThreadPoolExecutor(_RESOLVERS, "resolve") as pool:
        return dict(zip(asked, pool.map(_addresses, asked), strict=True))


def _addresses(name: str) -> frozenset[str]:
    try:
        return frozenset(
            str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        )
    except (OSError, UnicodeError):
        return frozenset()


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: a board's wget may not, either."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def web(place: Place) -> Findings:
    """Ask the web server where this rack's boards would."""
    base = bootfiles.web_of(place.rack)
    whose = "the rack's base URL" if place.rack.base_url else "MOZPOOL_BASE_URL"
    if urlsplit(base).hostname in _LOOPBACK and place.rack.address not in _LOOPBACK:
        yield fail(
            "web",
            f"{whose} is {base}: boards would call themselves",
            "give the rack a base URL that they reach",
        )
        return
    probe = netboot.check_token(settings.MOZPOOL_BOOT_KEYS[0])
    if wrong := _asked(f"{base}/healthz"):
        mend = f"start the web server, open the way to it without a redirect, or correct {whose}"
        yield fail("web", f"{base}/healthz {wrong}", mend)
    elif (wrong := _asked(f"{base}/boot/check/{probe}")) == _REFUSED:
        told = f"{base} takes no token that this host signs: its boards would be refused"
        yield fail("web", told, "give all hosts one MOZPOOL_SECRET_KEY, or one MOZPOOL_BOOT_KEYS")
    elif wrong:
        yield fail("web", f"{base}/boot/ {wrong}", "let the proxy pass /boot/ on without a redirect")
    else:
        yield ok("web", f"{base} answers, has its database, and takes this host's tokens")


def _asked(url: str) -> str:
    """Say what is wrong with a web server's answer, as a board would get it; nothing where it is well."""
    try:
        # The rack's form and the settings take http and https URLs only. Boards know no proxy of this host's shell.
        opener = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=_WEB_SECONDS) as response:
            told = json.loads(response.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        error.close()
        return f"answered {error.code} {error.reason}"
    except ValueError:
        return "is answered by something that is not Mozpool"
    except (OSError, http.client.HTTPException) as error:
        return f"gave no answer: {getattr(error, 'reason', None) or error}"
    return (
        ""
        if isinstance(told, dict) and told.get("status") == "ok"
        else "is answered by something that is not Mozpool"
    )


def time(place: Place) -> Findings:
    """Hold this host's clock against the database's."""
    before = datetime.now(UTC)
    told = clock.now()
    after = datetime.now(UTC)
    offset = abs((before + (after - before) / 2 - told).total_seconds())
    found = f"this host's clock and the database's differ by {offset:.1f} s"
    mend = "run chrony or systemd-timesyncd on both hosts"
    if offset >= _WRONG_SECONDS:
        yield fail("clock", found, mend)
    elif offset >= _NOTICED_SECONDS:
        yield warn("clock", found, mend)
    else:
        yield ok("clock", found)
