"""Filters of lists by query parameters: typed by django-filter, and each of them must be one that the list knows."""

from typing import Any

from django_filters import rest_framework as django_filters
from django_filters.utils import translate_validation

from mozpool_site.api.values import LARGEST_ID

Backend = django_filters.DjangoFilterBackend
FilterSet = django_filters.FilterSet


class IdFilter(django_filters.NumberFilter):  # type: ignore[misc]
    """The number of a row: no fraction, and not larger than any row's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=LARGEST_ID, decimal_places=0, **options)


__all__ = ["Backend", "FilterSet", "IdFilter", "translate_validation"]
