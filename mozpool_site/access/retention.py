"""Drops what access keeps no longer: old lines of the audit trail, long expired tokens, forgotten failures."""

from datetime import datetime, timedelta

from django.conf import settings

from mozpool_site.access import throttle, tokens
from mozpool_site.access.models import AuditEntry

_SLICE = 5_000


def prune(now: datetime) -> int:
    """Drop it all; give how many audit entries went. The trail is kept for MOZPOOL_AUDIT_DAYS."""
    tokens.forget(now)
    throttle.forget(now)
    old = AuditEntry.objects.filter(time__lt=now - timedelta(days=settings.MOZPOOL_AUDIT_DAYS)).order_by(
        "time"
    )
    dropped = 0
    # In slices, so that nobody who writes waits long.
    while slice_ := list(old.values_list("pk", flat=True)[:_SLICE]):
        dropped += AuditEntry.objects.filter(pk__in=slice_).delete()[0]
    return dropped
