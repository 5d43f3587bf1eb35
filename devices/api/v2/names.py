"""How the v2 API names what has no name of its own: a type of hardware is `kind/model`, as the commands write it."""

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django_filters import rest_framework as django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.models import HardwareType
from mozpool_site.errors import InvalidInputError

if TYPE_CHECKING:
    # Generic in the stubs only.
    AnyField = serializers.Field[Any, Any, Any, Any]
else:
    AnyField = serializers.Field


def hardware_name(kind: str, model: str) -> str:
    """Give the name of a type of hardware."""
    return f"{kind}/{model}"


def hardware_type_named(name: str) -> HardwareType | None:
    """Give the type of hardware of a name; None where there is none."""
    kind, _, model = name.partition("/")
    return HardwareType.objects.filter(kind=kind, model=model).first()


@extend_schema_field(OpenApiTypes.STR)
class HardwareName(AnyField):
    """A type of hardware by its name."""

    def to_internal_value(self, data: Any) -> HardwareType:
        """Look the type up."""
        found = hardware_type_named(data) if isinstance(data, str) else None
        if found is None:
            raise serializers.ValidationError(f"there is no hardware type {str(data)[:129]!r}")
        return found

    def to_representation(self, value: Any) -> str:
        """Give the name."""
        return hardware_name(value.kind, value.model)


@extend_schema_field(OpenApiTypes.STR)
class HardwareFilter(django_filters.CharFilter):  # type: ignore[misc]
    """Rows of a type of hardware, by its name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=129, **options)

    def filter(self, qs: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        """Select them. Raises InvalidInputError where there is no such type."""
        if not value:
            return qs
        found = hardware_type_named(value)
        if found is None:
            raise InvalidInputError(f"there is no hardware type {value!r}", field=self.field_name)
        return qs.filter(**{self.field_name: found.pk})
