"""Filters of lists by query parameters: typed by django-filter, and a value that can match nothing is told."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, Q, QuerySet
from django_filters import rest_framework as django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from mozpool_site.api.values import LARGEST_ID, row_id
from mozpool_site.by_row import by_row
from mozpool_site.errors import InvalidInputError

Backend = django_filters.DjangoFilterBackend
FilterSet = django_filters.FilterSet
CharFilter = django_filters.CharFilter
ChoiceFilter = django_filters.ChoiceFilter


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": LARGEST_ID})
class IdFilter(django_filters.CharFilter):  # type: ignore[misc]
    """The number of a row, in digits, and not larger than any row's."""

    def filter(self, qs: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        """Select by it. Raises InvalidInputError for what can be no row's number."""
        if not value:
            return qs
        number = row_id(value)
        if number is None:
            name = self.field_name.removesuffix("_id")
            raise InvalidInputError(f"{name}: a number from 1 to {LARGEST_ID} expected", field=name)
        return qs.filter(**{self.field_name: number})


class TimeFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]
    """A moment in ISO 8601."""

    def filter(self, qs: QuerySet[Any], value: datetime | None) -> QuerySet[Any]:
        """Select by it. Raises InvalidInputError for a moment that is before or after all time in UTC."""
        if value is None:
            return qs
        try:
            moment = value.astimezone(UTC)
        except OverflowError as error:
            # One column has several of these; only the set of filters knows what ours is called.
            name = next(name for name, one in self.parent.filters.items() if one is self)
            raise InvalidInputError(f"{name}: {value.isoformat()} is no moment in UTC", field=name) from error
        narrowed: QuerySet[Any] = super().filter(qs, moment)
        return narrowed


class TrueFalseFilter(django_filters.ChoiceFilter):  # type: ignore[misc]
    """`true` or `false`, and nothing else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=(("true", "true"), ("false", "false")), **options)

    def filter(self, qs: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        """Select rows where the column says so."""
        return qs.filter(**{self.field_name: value == "true"}) if value else qs


class IsSetFilter(TrueFalseFilter):
    """`true` where the column has a value, `false` where it is null.

    `mostly_unset`: most rows have none, so that looking at each along the list's own order soon finds a page of them;
    by the column's index all of these would be read, and sorted.
    """

    def __init__(self, *, mostly_unset: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.mostly_unset = mostly_unset

    def filter(self, qs: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        """Select rows where the column is set, or where it is not."""
        if not value:
            return qs
        unset = Q(**{f"{self.field_name}__isnull": True})
        if value == "true":
            return qs.filter(~unset)
        return qs.filter(by_row(unset) if self.mostly_unset else unset)


@extend_schema_field(OpenApiTypes.STR)
class NameFilter(django_filters.CharFilter):  # type: ignore[misc]
    """The name of a row that ours point at. Looked up first: a join would keep the database from our index."""

    def __init__(self, model: type[Model], column: str = "name", **options: Any) -> None:
        super().__init__(max_length=253, **options)
        self.model_named = model
        self.column = column

    def filter(self, qs: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        """Select rows that point at the one named. Raises InvalidInputError where there is none."""
        return qs.filter(self.condition(value)) if value else qs

    def condition(self, value: str) -> Q:
        """Return the condition for pointing at the one named. Raises InvalidInputError where there is none."""
        found = self.model_named._default_manager.filter(**{self.column: value})
        key = found.values_list("pk", flat=True).first()
        if key is None:
            word = self.model_named._meta.verbose_name
            raise InvalidInputError(f"there is no {word} {value!r}", field=self.field_name)
        return Q(**{f"{self.field_name}_id": key})
