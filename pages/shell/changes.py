"""Which devices changed since a page was made, told by indexes on when: no look reads all devices.

A version is the moment of the newest change and a digest of those shortly before it, so it means the same in every web
process, and none has to remember anything.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from devices.models import Device
from pages.live import LOOK_BACK
from requests_app.memory import Memory
from requests_app.models import Request

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# No moment that a database can store has more digits.
_LONGEST = 17
# Of the newest changes so many tell whether one became visible late, behind others.
_NEWEST = 64


def _read(_: datetime) -> str:
    """Read the version at the ends of two indexes."""
    moved = Device.objects.order_by("-state_since", "-pk").values_list("state_since", "pk")[:_NEWEST]
    ended = (
        Request.objects.filter(ended__isnull=False).order_by("-ended").values_list("ended", "pk")[:_NEWEST]
    )
    newest = [*moved, *ended]
    last = max((moment for moment, _ in newest if moment is not None), default=_EPOCH)
    return f"{(last - _EPOCH) // _MICROSECOND}-{hashlib.sha256(repr(newest).encode()).hexdigest()[:12]}"


_version: Memory[str] = Memory(_read, 0.4)


def version() -> str:
    """Return a word that changes when a device moves, is taken or given back; 0.4 s old, for all pages together."""
    return _version.get(timezone.now())


def changed_since(version: str) -> Q | None:
    """Return the condition of devices that may have changed since a version; None where it is none of ours.

    Transactions end out of the order of their moments: what changed shortly before is told again, not missed.
    """
    number = version.partition("-")[0]
    if not (number.isascii() and number.isdigit()) or len(number) > _LONGEST:
        return None
    since = _EPOCH + int(number) * _MICROSECOND - LOOK_BACK
    # Who gives a device back while its state stays has ended.
    given_back = Request.objects.filter(ended__gte=since, last_device__isnull=False).values("last_device")
    return Q(state_since__gte=since) | Q(pk__in=given_back)


def forget() -> None:
    """Look anew the next time."""
    _version.forget()
