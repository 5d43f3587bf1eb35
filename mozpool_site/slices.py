"""Deletes what is old in slices, so that nobody who writes waits long."""

from typing import Any

from django.db.models import QuerySet


def delete_some(rows: QuerySet[Any], most: int = 1_000) -> int:
    """Delete some of the rows, in their order, with what belongs to them; return how many of them went."""
    keys = list(rows.values_list("pk", flat=True)[:most])
    if keys:
        rows.model._default_manager.filter(pk__in=keys).delete()
    return len(keys)
