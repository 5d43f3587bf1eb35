"""Keeps the audit trail of what is saved and deleted in the administration, in the transaction of the change."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from mozpool_site.access import audit
from mozpool_site.api.access import client_address
from mozpool_site.statemachine.runner import Actor

if TYPE_CHECKING:
    # Generic in the stubs only; the class itself cannot be subscripted.
    ModelAdmin = admin.ModelAdmin[Any]
    Form = forms.ModelForm[Any]
else:
    ModelAdmin = admin.ModelAdmin
    Form = forms.ModelForm

Values = dict[str, object]

# What Django's own filters ask of the column that they are declared for, or of the number of a row that it points at.
_ASKED_OF_A_FILTER = frozenset(
    {"exact", "gt", "gte", "id__exact", "id__in", "in", "isempty", "isnull", "lt", "lte"}
)


def actor_of(request: HttpRequest) -> Actor:
    """Say who uses the administration, and from where."""
    return Actor(request.user.get_username(), "user", str(client_address(request) or ""))


class AuditedAdmin(ModelAdmin):
    """Tells the audit trail of every row that is added, changed or deleted, with its values before and after."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Whether a list may be narrowed by this: by its filters alone.

        Django would take every column of the table, and so tell a secret letter by letter by what is listed.
        """
        return any(
            lookup == name
            or (lookup.startswith(f"{name}__") and lookup.removeprefix(f"{name}__") in _ASKED_OF_A_FILTER)
            for name in map(filtered_by, self.get_list_filter(request))
        )

    def save_related(self, request: HttpRequest, form: Form, formsets: Any, change: bool) -> None:
        """Save what hangs on the row, then tell of all of it."""
        super().save_related(request, form, formsets, change)
        before, after = _difference(form, change=change)
        for formset in formsets:
            for inner in formset.forms:
                _tell_inline(formset, inner, before, after)
        if change and not (before or after):
            return
        audit.record(
            "change" if change else "add", _kind(form.instance), str(form.instance),
            by=actor_of(request), before=before, after=after,
        )  # fmt: skip

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any] | Iterable[Any]) -> Any:
        """Tell of rows that are about to be deleted."""
        for row in queryset:
            audit.record("delete", _kind(row), str(row), by=actor_of(request), before=_columns(row))
        return super().log_deletions(request, queryset)  # type: ignore[arg-type]  # a list will do, Django sends one


def filtered_by(declared: Any) -> str:
    """Return what a declared filter is called in a query string."""
    if isinstance(declared, type):
        return str(getattr(declared, "parameter_name", ""))
    return declared if isinstance(declared, str) else str(declared[0])


def _tell_inline(formset: Any, form: Form, before: Values, after: Values) -> None:
    """Add what became of a row that is edited on the page of another."""
    if not form.has_changed() or (form.instance.pk is None and not form.cleaned_data):
        return
    name = f"{_kind(form.instance)} {form.instance}"
    if formset.can_delete and form.cleaned_data.get("DELETE"):
        before[name] = _columns(form.instance)
        return
    was, is_ = _difference(form, change=form in formset.initial_forms)
    if was:
        before[name] = was
    after[name] = is_


def _difference(form: Form, *, change: bool) -> tuple[Values, Values]:
    """Give what changed in a form, before and after; of a new row what was filled in. Secrets are masked."""
    before: Values = {}
    after: Values = {}
    for name in form.changed_data:
        if name in form.cleaned_data:
            field = form.fields[name]
            # A row that is chosen is told by its name, which is no secret, even where its contents are.
            key = (
                f"{name}_name" if isinstance(field, forms.ModelChoiceField) and name in audit.SECRET else name
            )
            # What a page never shows again must not be read here either, whatever its name.
            secret = getattr(field.widget, "writes_only", False)
            before[key] = audit.MASK if secret else _masked(key, _shown(field, form.initial.get(name)))
            after[key] = audit.MASK if secret else _masked(key, _shown(field, form.cleaned_data[name]))
    return (before if change else {}), after


def _masked(name: str, value: object) -> object:
    return audit.MASK if name in audit.SECRET else value


def _shown(field: forms.Field, value: Any) -> object:
    """Name rows by what people call them, not by their numbers."""
    if isinstance(value, Model):
        return str(value)
    if isinstance(value, QuerySet | list | tuple):
        return [_shown(field, one) for one in value]
    if isinstance(field, forms.ModelChoiceField) and value not in (None, "") and field.queryset is not None:
        return str(field.queryset.filter(pk=value).first() or value)
    return value if isinstance(value, str | int | float | bool | dict) or value is None else str(value)


def _columns(row: Model) -> Values:
    """Give the values of a row that is about to go."""
    return {
        field.name: _masked(field.name, field.value_from_object(row))
        for field in row._meta.concrete_fields
        if not field.primary_key
    }


def _kind(row: Model) -> str:
    return "user" if isinstance(row, User) else str(row._meta.verbose_name)[:32]
