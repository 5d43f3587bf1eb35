"""What all our admin pages share, so that looking and editing harm nothing.

They never write a machine's columns, never list thousands of rows to be deleted, never count a table of history, and
never answer a refused deletion with an error page; and what they save is in the audit trail, which a row's history
shows.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import build_q_object_from_lookup_parameters, unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import (
    PROTECT,
    ForeignKey,
    ForeignObjectRel,
    IntegerField,
    Max,
    Model,
    ProtectedError,
    Q,
    QuerySet,
)
from django.db.models.deletion import CASCADE
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from mozpool_site.access.admin_audit import AuditedAdmin, filtered_by
from mozpool_site.access.models import AuditEntry
from mozpool_site.api.values import row_id
from mozpool_site.by_row import by_row

if TYPE_CHECKING:
    # Generic in the stubs only; the class itself cannot be subscripted.
    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator

# Nobody turns more pages than these rows fill; counting the millions behind them takes seconds.
MOST_COUNTED = 10_000
# So many of the newest rows are looked at for what has no index, and so many found for each column that is searched.
SEARCHED = 50_000
MOST_FOUND = 1000
_EXAMPLES = 3
_LATEST_IN_TRAIL = 100

# What a button above a list or a form says, and where it leads.
Tool = tuple[str, str]


class KeysFirst(AnyPaginator):
    """Reads all keys, then the rows of a page: joins would lead the database past the index that has their order."""

    most: int | None = None

    @cached_property
    def count(self) -> int:
        """Return the number of rows."""
        return len(self._keys)

    def page(self, number: Any) -> Any:
        """Return a page, read."""
        page = super().page(number)
        begin = self.per_page * (page.number - 1)
        keys = self._keys[begin : begin + self.per_page]
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        found = {row.pk: row for row in rows.order_by().filter(pk__in=keys)}
        page.object_list = [found[key] for key in keys if key in found]
        return page

    @cached_property
    def _keys(self) -> list[Any]:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return list(rows.values_list("pk", flat=True)[: self.most])


class CappedPaginator(KeysFirst):
    """Reads no more than MOST_COUNTED keys; what lies beyond is found by filter and search."""

    @property
    def most(self) -> int:  # type: ignore[override]
        """How many."""
        return MOST_COUNTED


class LongList(ChangeList):
    """A list whose rows come from its paginator, also where they fill one page only."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page."""
        super().get_results(request)
        if not self.multi_page:
            self.result_list = self.paginator.page(1).object_list


def trail_of(row: Model) -> list[AuditEntry]:
    """Give the latest 100 entries of the audit trail about a row, known by its present name, newest first."""
    kind = str(row._meta.verbose_name)[:32]
    entries = AuditEntry.objects.filter(target_kind=kind, target=str(row)[:200])
    return list(entries.order_by("-time", "-pk")[:_LATEST_IN_TRAIL])


def machine_columns(model: type[Model]) -> tuple[str, ...]:
    """Name the columns that only programs write: those declared `editable=False`."""
    return tuple(field.name for field in model._meta.concrete_fields if not field.editable)


class CarefulAdmin(AuditedAdmin):
    """Saves only what was changed in the form, and says in time what stands against a deletion."""

    change_list_template = "admin/pool/change_list.html"
    object_history_template = "admin/pool/history.html"

    def tools(self, request: HttpRequest) -> list[Tool]:
        """Give the buttons above the list, besides the one that adds a row."""
        return []

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer no button that deletes the row that a field names: it stands where one is chosen, and others use it."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and hasattr(field.widget, "can_delete_related"):
            field.widget.can_delete_related = False
        return field

    def why_kept(self, rows: Iterable[Any]) -> list[str]:
        """Say what, besides other rows' references, stands against deleting these; a sentence each."""
        return []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store the changed fields alone: a runner may have moved the row since the page was loaded."""
        if not change:
            obj.save()
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=sorted(columns & set(form.changed_data)))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete one row, unless something stands against it by now."""
        self._refuse([obj.pk])
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete rows, unless something stands against it by now."""
        self._refuse(list(queryset.values_list("pk", flat=True)))
        queryset.delete()

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Show what stands against the deletion, also when it came up only while the page was open."""
        return self._guarded(
            request, lambda: super(CarefulAdmin, self).delete_view(request, object_id, extra_context)
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """List, or carry out an action; one that is refused half-way changes nothing."""
        context = {**(extra_context or {}), "tools": self.tools(request)}
        return self._guarded(request, lambda: super(CarefulAdmin, self).changelist_view(request, context))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Show who did what: the audit trail of this row, below what was saved on these pages."""
        row = self.get_object(request, unquote(object_id))
        trail = trail_of(row) if row is not None else []
        return super().history_view(request, object_id, {**(extra_context or {}), "trail": trail})

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count what would go along, and say what stands against it, without loading every row.

        Rows of history that go along need no permission of their own: nobody has it.
        """
        rows = list(objs)
        counts = {str(self.opts.verbose_name_plural): len(rows)}
        kept = list(self.why_kept(rows))
        for relation in _relations(self.model):
            if relation.on_delete not in (CASCADE, PROTECT):
                continue
            referring = _referring(relation, [row.pk for row in rows])
            if relation.on_delete is PROTECT:
                kept += _protected(relation, referring)
            elif number := referring.count():
                counts[str(referring.model._meta.verbose_name_plural)] = number
        lacking = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return [str(row) for row in rows], counts, lacking, kept

    def _refuse(self, keys: list[Any]) -> None:
        # Locked until the deletion is committed, so that no runner takes the row meanwhile.
        locked = self.model._default_manager.select_for_update().filter(pk__in=keys)
        if kept := self.why_kept(list(locked)):
            raise ProtectedError(" ".join(kept), set())

    def _guarded(self, request: HttpRequest, view: Any) -> HttpResponse:
        try:
            if request.method != "POST":
                return view()  # type: ignore[no-any-return]
            with transaction.atomic():
                return view()  # type: ignore[no-any-return]
        except ProtectedError as error:
            self.message_user(request, str(error.args[0]), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class HistoryAdmin(CarefulAdmin):
    """Rows that programs write and that nobody changes: to be looked at only.

    There are millions of them, so a list walks along an index or looks at the newest SEARCHED rows, and says so. What
    is searched for is looked up column by column, each of which has an index: to ask for one or another reads all.
    """

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_max_show_all = 0
    # Sorting by a column without an index would read all history.
    sortable_by: ClassVar[tuple[str, ...]] = ()
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    # The filters that have an index in the list's order, each by itself.
    indexed_filters: ClassVar[frozenset[str]] = frozenset()
    actions = None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the list."""
        return LongList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return all rows, or the newest ones where the list is filtered by what has no index."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return self.newest(rows) if self._only_newest(request) else rows

    def newest(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the newest SEARCHED rows."""
        return rows.filter(self.are_newest())

    def are_newest(self) -> Q:
        """Return the condition for being one of them."""
        last = self.model._default_manager.aggregate(last=Max("pk"))["last"] or 0
        return Q(pk__gt=last - SEARCHED)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the newest rows that have the term in one of the columns searched."""
        term = search_term.strip()
        if not term:
            return queryset, False
        keys: set[Any] = set()
        for condition in self.conditions(term):
            keys.update(queryset.filter(condition).values_list("pk", flat=True)[:MOST_FOUND])
        return queryset.filter(pk__in=sorted(keys)), False

    def conditions(self, term: str) -> Iterator[Any]:
        """Yield what a row has one of that is searched for; rows that are pointed at are looked up first."""
        for lookup in self.search_fields:
            column, _, theirs = lookup.partition("__")
            field = self.opts.get_field(column)
            if isinstance(field, ForeignKey) and theirs:
                for key in _pointed_at(field, theirs, term):
                    yield Q(**{column: key})
            elif isinstance(field, ForeignKey | IntegerField):
                if (number := row_id(term)) is not None:
                    yield Q(**{column: number})
            else:
                yield Q(**{lookup: term})

    def _only_newest(self, request: HttpRequest) -> bool:
        offered = {filtered_by(one) for one in self.list_filter}
        used = {name.partition("__")[0] for name in request.GET} & offered
        return len(used) > 1 or not used <= self.indexed_filters

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """List them; say where not all were looked at."""
        searched = SEARCHED if self._only_newest(request) else None
        return super().changelist_view(request, {**(extra_context or {}), "searched": searched})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False


class ChoicesByRow(admin.ChoicesFieldListFilter):
    """A choice whose index, where there is one, is not in the list's order."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down."""
        return _by_row(queryset, self.used_parameters)


class RelatedByRow(admin.RelatedFieldListFilter):
    """A row that is pointed at, likewise."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down."""
        return _by_row(queryset, self.used_parameters)


def _by_row(rows: QuerySet[Any], parameters: Any) -> QuerySet[Any]:
    """Narrow a list down. Raise IncorrectLookupParameters, of which Django makes the whole list, for what can't be."""
    try:
        return rows.filter(by_row(build_q_object_from_lookup_parameters(parameters))) if parameters else rows
    except (ValueError, ValidationError) as error:
        raise IncorrectLookupParameters(error) from error


def _pointed_at(field: Any, lookup: str, term: str) -> list[Any]:
    related = field.related_model._default_manager
    return list(related.filter(**{lookup: term}).values_list("pk", flat=True)[:1])


def _relations(model: type[Model]) -> list[ForeignObjectRel]:
    """Give the foreign keys of other models that point at this one."""
    return [
        field
        for field in model._meta.get_fields(include_hidden=True)
        if isinstance(field, ForeignObjectRel) and field.auto_created and not field.many_to_many
    ]


def _referring(relation: ForeignObjectRel, keys: list[Any]) -> QuerySet[Any]:
    related: Any = relation.related_model
    return related._default_manager.filter(**{f"{relation.field.name}__in": keys})  # type: ignore[no-any-return]


def _protected(relation: ForeignObjectRel, referring: QuerySet[Any]) -> list[str]:
    number = referring.count()
    if not number:
        return []
    names = ", ".join(str(row) for row in referring.order_by("pk")[:_EXAMPLES])
    more = ", ..." if number > _EXAMPLES else ""
    label = getattr(relation.field, "verbose_name", relation.field.name)
    return [f"{number} {referring.model._meta.verbose_name_plural} (as {label}): {names}{more}"]
