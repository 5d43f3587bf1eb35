"""Drops what access keeps no longer: old lines of the audit trail, expired tokens and sessions, old failures."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session

from mozpool_site.access import throttle, tokens
from mozpool_site.access.models import AuditEntry
from mozpool_site.slices import delete_some

_SLICE = 5_000


def prune(now: datetime) -> int:
    """Drop it all; return how many audit entries went. The trail is kept for MOZPOOL_AUDIT_DAYS."""
    while _drop_short_lived(now):
        pass
    dropped = 0
    while some := _drop_entries(now):
        dropped += some
    return dropped


def prune_some(now: datetime) -> int:
    """Drop a slice of each; return how much that was."""
    return _drop_short_lived(now) + _drop_entries(now)


def _drop_short_lived(now: datetime) -> int:
    sessions = Session.objects.filter(expire_date__lt=now).order_by("expire_date")
    return delete_some(tokens.forgotten(now)) + delete_some(throttle.forgotten(now)) + delete_some(sessions)


def _drop_entries(now: datetime) -> int:
    old = AuditEntry.objects.filter(time__lt=now - timedelta(days=settings.MOZPOOL_AUDIT_DAYS))
    return delete_some(old.order_by("time"), _SLICE)
