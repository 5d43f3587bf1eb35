"""Makes, changes and deletes rows by the rules of their admin forms: one truth for pages and programs."""

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import Model, ProtectedError
from django.forms.models import model_to_dict
from django.http import HttpResponse
from rest_framework.request import Request

from mozpool_site.access import audit
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.views import Resource
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from mozpool_site.transactions import retrying

Values = dict[str, Any]


class Writable(Resource, abstract=True):
    """A resource whose rows can be written. The serializer reads types, the form knows the rules.

    Subclasses may override `saved` for what is no column of the row, and `why_kept` for what forbids a deletion.
    """

    form_class: ClassVar[Any]  # of forms.ModelForm, generic in the stubs only
    collection: ClassVar[str]

    def create(self, request: Request, **parts: str) -> HttpResponse:
        """Make one. 201, and where it is."""
        values = self.read(request, None)
        model = self.get_queryset().model

        def make() -> Any:
            row = self.saved(model(), dict(values))
            audit.record(
                f"create_{self._kind}", self._kind, str(row), by=self.caller.actor, after=_told(values)
            )
            return row

        key = str(getattr(self._write(make), self.lookup_field))
        return self.reply(self.entry(key), 201, {"Location": link(self.collection, key)})

    def partial_update(self, request: Request, **parts: str) -> HttpResponse:
        """Change what the body names, and nothing else; with If-Match only if nobody else did meanwhile."""
        key = parts[self.lookup_field]

        def change() -> Any:
            row = self.locked(key)
            self.demand_unchanged(self.entry(key))
            values = self.read(request, row)
            before = _told({name: getattr(row, name, None) for name in values})
            changed = self.saved(row, dict(values))
            audit.record(
                f"change_{self._kind}",
                self._kind,
                str(changed),
                by=self.caller.actor,
                before=before,
                after=_told(values),
            )
            return changed

        changed = self._write(change)
        return self.reply(self.entry(str(getattr(changed, self.lookup_field))))

    def destroy(self, request: Request, **parts: str) -> HttpResponse:
        """Delete one; 409 while something refers to it."""
        key = parts[self.lookup_field]

        def delete() -> Any:
            row = self.locked(key)
            self.demand_unchanged(self.entry(key))
            if kept := self.why_kept(row):
                raise ConflictError(kept)
            name = str(row)
            row.delete()
            audit.record(f"delete_{self._kind}", self._kind, name, by=self.caller.actor)
            return row

        self._write(delete)
        response = HttpResponse(status=204)
        del response["Content-Type"]
        return response

    def read(self, request: Request, row: Model | None) -> Values:
        """Give what the body says, typed. Raises DRF's ValidationError."""
        serializer = self.get_serializer(row, data=request.data, partial=row is not None)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def locked(self, key: str) -> Any:
        """Give the row, locked until the transaction ends. Raises UnknownNameError."""
        row = self.one(key).select_for_update().first()
        if row is None:
            raise UnknownNameError(f"there is no {self.word} {key[:63]!r}", field=self.lookup_field)
        return row

    def saved(self, row: Any, values: Values) -> Any:
        """Store a row by its form, only the columns that change. Raises ValidationError naming the fields."""
        form = self.form_class(data=_form_data(self.form_class, row, values), instance=row)
        if not form.is_valid():
            raise ValidationError(form.errors.as_data())
        if row.pk is None:
            return form.save()
        columns = {field.name for field in row._meta.concrete_fields}
        # A form tidies text up; what the body does not name stays as it is. Secrets are kept among the settings.
        changed = set(form.changed_data) & values.keys()
        changed |= {"settings"} if "secrets" in changed else set()
        form.instance.save(update_fields=sorted(columns & changed))
        return form.instance

    def why_kept(self, row: Any) -> str:
        """Say what forbids deleting a row, besides other rows that need it; nothing when it may go."""
        return ""

    @property
    def _kind(self) -> str:
        return self.word.replace(" ", "_")

    def _write(self, work: Callable[[], Any]) -> Any:
        try:
            return retrying(work)()
        except ProtectedError as error:
            raise ConflictError(f"this {self.word} is needed by {_examples(error)}") from error
        except IntegrityError as error:
            raise InvalidInputError(
                f"another {self.word} has that already", field=self.lookup_field
            ) from error


def _form_data(form_class: Any, row: Model, values: Mapping[str, Any]) -> Values:
    """Give what a browser would send: the row as it is (or its defaults), and over it what is to change."""
    fields = form_class.base_fields
    shown = {
        **model_to_dict(row, fields=fields.keys()),
        **{name: values[name] for name in values if name in fields},
    }
    # A form of power controllers must not be shown the secrets that it keeps.
    if "secrets" in fields and "settings" not in values:
        shown["settings"] = form_class(instance=row).initial["settings"]
    return {name: _as_sent(fields[name], value) for name, value in shown.items()}


def _as_sent(field: forms.Field, value: Any) -> Any:
    if isinstance(value, Model):
        return value.pk
    if isinstance(field, forms.JSONField):
        return json.dumps(value)
    return "" if value is None else value


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write values for the audit trail; rows by their names, settings not at all, for some are secret."""
    return {
        name: str(value) if isinstance(value, Model) else value
        for name, value in values.items()
        if name not in ("settings", "secrets")
    }


def _examples(error: ProtectedError) -> str:
    rows = sorted(error.protected_objects, key=str)
    names = ", ".join(str(row) for row in rows[:3])
    return f"{len(rows)} {rows[0]._meta.verbose_name_plural}: {names}{', ...' if len(rows) > 3 else ''}"  # noqa: PLR2004
