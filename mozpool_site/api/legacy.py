"""What the legacy endpoints of all apps write alike: JSON, times, and nothing."""

from datetime import UTC, datetime

from django.http import HttpResponse, JsonResponse

from mozpool_site.api.errors import JSON_TYPE

# Stands in the place of a boot config that the caller may not read: it is no JSON, so nobody takes it for one.
MASK = "***"


def answer(data: object, status: int = 200) -> JsonResponse:
    """Answer with JSON."""
    return JsonResponse(data, status=status, safe=False, content_type=JSON_TYPE)


def nothing() -> HttpResponse:
    """Answer 204: done, and there is nothing to say."""
    response = HttpResponse(status=204)
    del response["Content-Type"]
    return response


def stamp(moment: datetime) -> str:
    """Write a time as old clients parse it: naive ISO 8601 in UTC, always with microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
