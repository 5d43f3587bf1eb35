"""Tells a load balancer or a monitor whether this web process can do its work."""

from django.db import connection
from django.http import HttpResponse

from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, Call, endpoint
from mozpool_site.api.legacy import answer


@endpoint(*READ, least=Role.NOBODY)
def health(call: Call) -> HttpResponse:
    """Answer 200 when the database answers us; 503 while it is away."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return answer({"status": "ok", "database": "ok"})
