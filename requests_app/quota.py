"""How many open requests one owner may have: a share of the pool for everybody, whatever runs wild."""

from django.conf import settings
from django.db.models import Count, Max, Subquery

from mozpool_site.access.models import Limits
from mozpool_site.api.access import LEGACY
from mozpool_site.errors import TooManyError
from requests_app.models import Request

# Seconds after which it makes sense to ask again: requests end at all times.
_RETRY_AFTER = 60


def check(owner: str) -> None:
    """Raise TooManyError if `owner` has more open requests than they may, the newest included. One query at most.

    It belongs into the transaction that files, behind the new row. A user's own limit goes before
    MOZPOOL_MAX_OPEN_REQUESTS; 0 is none. Filings of one owner don't wait for each other, so as many as file at
    the very same moment may all get the last place.
    """
    number, most = _open_and_most(owner)
    if most and number > most:
        raise TooManyError(
            f"{owner or 'nobody'} has {number - 1} open requests, and may have {most}: "
            "return some, or ask an administrator for more",
            retry_after=_RETRY_AFTER,
        )


def _open_and_most(owner: str) -> tuple[int, int]:
    requests, most = Request.objects.filter(owner=owner, ended=None), settings.MOZPOOL_MAX_OPEN_REQUESTS
    if owner.startswith(LEGACY):
        # No user is called so (access.py), and none has a limit of their own: the cheapest question will do.
        return (requests.count() if most else 0), most
    own = Limits.objects.filter(user__username=owner).values("max_open_requests")[:1]
    found = requests.aggregate(number=Count("pk"), own=Max(Subquery(own)))
    return found["number"], most if found["own"] is None else found["own"]
