"""What serializers share: they refuse what they do not know, take nothing for what it is not, and look names up."""

import re
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Model
from rest_framework import serializers

if TYPE_CHECKING:
    # Generic in the stubs only.
    AnyModelSerializer = serializers.ModelSerializer[Any]
    AnySerializer = serializers.Serializer[Any]
    NameField = serializers.SlugRelatedField[Any]
else:
    AnyModelSerializer = serializers.ModelSerializer
    AnySerializer = serializers.Serializer
    NameField = serializers.SlugRelatedField


_DIGITS = re.compile(r"-?[0-9]{1,400}")


class Text(serializers.CharField):
    """A text that is sent as one: DRF would take a number, too."""

    def to_internal_value(self, data: Any) -> str:
        """Read it."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Whole(serializers.IntegerField):
    """A whole number that is sent as one, or as its digits; Python's other spellings of numbers are none."""

    def to_internal_value(self, data: Any) -> int:
        """Read it."""
        if isinstance(data, bool) or (isinstance(data, str) and not _DIGITS.fullmatch(data)):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    """True or false, sent as such: DRF would take 0, "off" and more."""

    def to_internal_value(self, data: Any) -> bool:
        """Read it."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


def refuse_unknown(serializer: Any, data: object) -> None:
    """Raise ValidationError for keys that a serializer would silently leave out: a typing error, as a rule."""
    if not isinstance(data, dict):
        return
    writable = {name for name, field in serializer.fields.items() if not field.read_only}
    if unknown := sorted(data.keys() - writable):
        known = ", ".join(sorted(writable)) or "none"
        told = [f"unknown, or not yours to set; there are: {known}"]
        raise serializers.ValidationError({name[:64]: told for name in unknown[:10]})


class StrictSerializer(AnySerializer):
    """A body that has the declared keys and no others."""

    def to_internal_value(self, data: Any) -> Any:
        """Read a body."""
        refuse_unknown(self, data)
        return super().to_internal_value(data)


class WholeSerializer(StrictSerializer):
    """A part of a body that is given whole or not at all, also where the body changes only what it names."""

    def to_internal_value(self, data: Any) -> Any:
        """Read the part."""
        if isinstance(data, dict):
            missing = [name for name, field in self.fields.items() if field.required and name not in data]
            if missing:
                raise serializers.ValidationError({name: ["this is missing"] for name in missing})
        return super().to_internal_value(data)


class StrictModelSerializer(AnyModelSerializer):
    """A row of a table, written with the declared keys and no others."""

    serializer_field_mapping: ClassVar[Any] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: Text,
        models.TextField: Text,
        models.BooleanField: Flag,
        models.PositiveIntegerField: Whole,
        models.PositiveSmallIntegerField: Whole,
        models.PositiveBigIntegerField: Whole,
    }

    def to_internal_value(self, data: Any) -> Any:
        """Read a body."""
        refuse_unknown(self, data)
        return super().to_internal_value(data)


class Named(NameField):
    """A row that is told by its name."""

    def __init__(self, model: type[Model] | None = None, **options: Any) -> None:
        if model is not None:
            options["queryset"] = model._default_manager.all()
        super().__init__(slug_field="name", **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Check it. An empty name is none of a row's; DRF would take it for null."""
        if data == "":
            self.fail("does_not_exist", slug_name=self.slug_field, value=data)
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        """Look the row up."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


def names(most: int, **options: Any) -> serializers.ListField:
    """Make a field for a list of plain names, 64 characters each at most."""
    return serializers.ListField(child=Text(max_length=64), max_length=most, **options)
