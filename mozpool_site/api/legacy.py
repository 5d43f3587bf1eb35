"""What the legacy endpoints of all apps share: JSON, times, nothing, numbers in query strings; and the version."""

import re
from datetime import UTC, datetime

import orjson
from django.http import HttpResponse

from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, Call, endpoint, with_and_without_slash
from mozpool_site.api.errors import JSON_TYPE
from mozpool_site.errors import InvalidInputError
from mozpool_site.version import VERSION

# Stands in the place of a boot config that the caller may not read: it is no JSON, so nobody takes it for one.
MASK = "***"
_NUMBER = re.compile(r"[0-9]{1,12}")


def answer(data: object, status: int = 200) -> HttpResponse:
    """Answer with JSON; orjson writes a list of thousands of devices in a tenth of the time."""
    return HttpResponse(orjson.dumps(data), status=status, content_type=JSON_TYPE)


def nothing() -> HttpResponse:
    """Answer 204: done, and there is nothing to say."""
    response = HttpResponse(status=204)
    del response["Content-Type"]
    return response


def stamp(moment: datetime) -> str:
    """Write a time as old clients parse it: naive ISO 8601 in UTC, always with microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def number_in_query(call: Call, key: str, most: int) -> int | None:
    """Give a whole number from 1 to `most` out of the query string; None when it is not there.

    Raises InvalidInputError, naming the key.
    """
    text = call.request.GET.get(key)
    if text is None:
        return None
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= number <= most:
        raise InvalidInputError(f"{key}: a whole number from 1 to {most} expected", field=key)
    return number


@endpoint(*READ, least=Role.VIEWER)
def version(call: Call) -> HttpResponse:
    """Give the version of this Mozpool."""
    return answer({"version": VERSION})


urlpatterns = with_and_without_slash("version", version)
