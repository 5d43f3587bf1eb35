"""Slows down whoever guesses passwords or tokens, from a table that all web processes share.

Attempts are counted by name and by address. The first few are free; then each failure doubles the pause before the
next one is heard, up to a limit. A counter is forgotten an hour after its last failure.
"""

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from mozpool_site import clock
from mozpool_site.access.models import Failures
from mozpool_site.errors import TooManyError
from mozpool_site.transactions import retrying

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FORGET = timedelta(hours=1)
_PLAIN = re.compile(r"[a-z0-9@._+-]{1,80}")
# An IPv6 host picks its addresses freely within its network.
_IPV6_PREFIX = 64
# 2**20 seconds is beyond every limit below.
_MOST_DOUBLINGS = 20


@dataclass(frozen=True)
class Allowance:
    """How many failures are free, and the longest pause after more, in seconds."""

    free: int
    longest: int


# Somebody at one place who fails at one name: a guesser, or a person who has forgotten. Nobody else is in their way.
_HERE = Allowance(free=5, longest=900)
# A name from anywhere, and a place whatever the name: others share these, so nobody waits longer than a minute.
_SHARED = Allowance(free=30, longest=60)
# Bad tokens from a place; good ones are never held up by them.
_TOKENS = Allowance(free=20, longest=60)


def login_attempt(name: str, address: Address | None) -> None:
    """Count an attempt to log in, before its password is checked: many at once can't slip through.

    Raises TooManyError, counting nothing, while any of its counters asks for a pause.
    """
    _attempt(_login_keys(name, address), "too many failed logins")


@retrying
def login_succeeded(name: str, address: Address | None) -> None:
    """Forget the failures at this name, and take this attempt back from those of its place."""
    *of_name, of_place = sorted(_login_keys(name, address), key=_is_place)
    Failures.objects.filter(key__in=of_name).delete()
    row = Failures.objects.select_for_update().filter(key=of_place).first()
    if row is not None:
        row.count, row.until = max(0, row.count - 1), None
        row.save(update_fields=["count", "until"])


def token_failed(address: Address | None) -> None:
    """Count a bad token. Raises TooManyError when its place has sent too many."""
    _attempt({f"token from {_place(address)}": _TOKENS}, "too many calls with bad tokens")


@retrying
def forgotten(now: datetime) -> QuerySet[Failures]:
    """Select counters that count no more."""
    return Failures.objects.filter(last__lt=now - FORGET).order_by("last")


def _login_keys(name: str, address: Address | None) -> dict[str, Allowance]:
    who, place = _named(name), _place(address)
    return {
        f"login {who}": _SHARED,
        f"login {who} from {place}": _HERE,
        f"login from {place}": _SHARED,
    }


def _is_place(key: str) -> bool:
    return key.startswith("login from ")


@retrying
def _count(allowances: dict[str, Allowance], now: datetime) -> float:
    """Count one more failure in each; give the seconds to wait instead, where a counter asks for that."""
    Failures.objects.bulk_create([Failures(key=key, last=now) for key in allowances], ignore_conflicts=True)
    rows = list(Failures.objects.select_for_update().filter(key__in=allowances).order_by("key"))
    wait = max((((row.until or now) - now).total_seconds() for row in rows), default=0.0)
    if wait > 0:
        return wait
    for row in rows:
        allowance = allowances[row.key]
        row.count = 1 if row.last < now - FORGET else row.count + 1
        row.last = now
        row.until = _until(row.count - allowance.free, allowance.longest, now)
    Failures.objects.bulk_update(rows, ["count", "last", "until"])
    return 0.0


def _until(over: int, longest: int, now: datetime) -> datetime | None:
    if over < 0:
        return None
    return now + timedelta(seconds=min(longest, 2 ** min(over, _MOST_DOUBLINGS)))


def _attempt(allowances: dict[str, Allowance], what: str) -> None:
    wait = _count(allowances, clock.now())
    if wait > 0:
        seconds = int(wait) + 1
        raise TooManyError(f"{what}; try again in {seconds} s", retry_after=seconds)


def _named(name: str) -> str:
    """Give a name as a key; one that is long or odd by its digest."""
    folded = name.strip().casefold()
    return folded if _PLAIN.fullmatch(folded) else "#" + hashlib.sha256(folded.encode()).hexdigest()[:40]


def _place(address: Address | None) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return "somewhere" if address is None else str(address)
