"""Keeps open pages live for little: one light request each 1.5 s, answered by 304 while there is no news.

A *part* of a page is a view with `@live(version_of)`; devices' states are told as JSON by `devices.py` beside this.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db.models import BigIntegerField, Count, F, Max, Sum
from django.http import HttpRequest, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils import timezone

from devices.models import Journal
from mozpool_site import clock
from mozpool_site.epoch import Epoch
from mozpool_site.version import VERSION
from pages.access import Person, View
from requests_app.memory import Memory
from requests_app.models import Request

# Lines of the journal may become visible out of the order of their numbers, as their transactions end: the last
# seconds are counted, too. Longer than a wait for a lock.
LOOK_BACK = timedelta(seconds=10)


def version(*, device: int | None = None, request: int | None = None) -> str:
    """Give a word that changes with the journal of a device or a request, or of all; two reads of an index."""
    lines = Journal.objects.order_by()
    if device is not None:
        lines = lines.filter(device_id=device)
    if request is not None:
        lines = lines.filter(request_id=request)
    newest = lines.order_by("-time", "-id").values_list("pk", flat=True).first()
    recent = lines.filter(time__gte=clock.now() - LOOK_BACK).count()
    return f"{newest or 0}.{recent}"


def _open_requests(now: object) -> str:
    # Each expiry weighs differently, so that what one renewal adds is not what another, a shorter one, takes away.
    ends = Sum(Epoch(F("expires")) * (F("pk") % 9973 + 1), output_field=BigIntegerField())
    seen = Request.objects.filter(ended=None).aggregate(n=Count("pk"), seq=Sum("state_seq"), ends=ends)
    last = Request.objects.aggregate(last=Max("pk"))["last"]
    return f"{seen['n']}.{seen['seq']}.{seen['ends']}.{last}"


_requests: Memory[str] = Memory(_open_requests, 0.4)


def requests_version() -> str:
    """Give a word that changes when a request is filed, moves, is renewed, or ends; 0.4 s old."""
    return _requests.get(timezone.now())


def forget() -> None:
    """Read anew the next time."""
    _requests.forget()


def live(version_of: Callable[..., str]) -> Callable[[View], View]:
    """Answer 304 without rendering while `version_of(request, person, ...)` is what the page has; stands below @page.

    The version is that of the data; who looks, at what address, and our own version are added here.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def served(request: HttpRequest, person: Person, *args: Any, **kwargs: Any) -> HttpResponseBase:
            tag = etag(request, person, version_of(request, person, *args, **kwargs))
            response: HttpResponseBase
            if request.META.get("HTTP_IF_NONE_MATCH", "").removeprefix("W/") == tag:
                response = HttpResponseNotModified()
            else:
                response = view(request, person, *args, **kwargs)
            response["ETag"] = tag
            return response

        return served

    return decorate


def etag(request: HttpRequest, person: Person, data: str) -> str:
    """Give the ETag of what a person sees at an address while the data has a version."""
    words = "\n".join((VERSION, request.get_full_path(), person.name, str(person.role), data))
    return f'"{hashlib.sha256(words.encode()).hexdigest()[:20]}"'
