"""What all templates share: badges, times, fields of forms, headers that sort, pages of a table."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms, template
from django.template.context import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from mozpool_site import commands
from pages import texts
from pages.families import family_of, request_family_of, words
from pages.tables import Page

register = template.Library()


@register.simple_tag
def badge(state: str, held: object = None) -> SafeString:
    """Show a device's state in the colour of its family; `held` is whatever is true when a request has it."""
    known = family_of(state, held=bool(held))
    return _badge(known.name, known.mark, words(state), known.doc, state)


@register.simple_tag
def request_badge(state: str) -> SafeString:
    """Show a request's state in the colour of its family."""
    known = request_family_of(state)
    return _badge(f"request-{known.name}", known.mark, words(state), known.doc, state)


@register.simple_tag
def device_badge(device: Any) -> SafeString:
    """Show the state of a device (a row, or a mapping with name, state, held_by) and keep it live."""
    name, state, held_by = (
        (device["name"], device["state"], device["held_by"])
        if isinstance(device, Mapping)
        else (device.name, device.state, device.held_by)
    )
    known = family_of(state, held=held_by is not None)
    return format_html(
        '<span class="badge" data-device="{}" data-family="{}" data-state="{}" title="{}">'
        '<span class="badge-mark" data-field="mark" aria-hidden="true">{}</span>'
        '<span data-field="words">{}</span></span>',
        name, known.name, state, known.doc, known.mark, words(state),
    )  # fmt: skip


def _badge(name: str, mark: str, label: str, doc: str, state: str) -> SafeString:
    return format_html(
        '<span class="badge badge-{}" data-family="{}" data-state="{}" title="{}">'
        '<span class="badge-mark" aria-hidden="true">{}</span>{}</span>',
        name, name, state, doc, mark, label,
    )  # fmt: skip


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """Show how long ago a moment was, or will be; live.js keeps it fresh. A dash for none."""
    if moment is None:
        return "–"
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        moment.isoformat(timespec="seconds"), commands.moment(moment), texts.ago(moment),
    )  # fmt: skip


@register.filter
def span(seconds: float | None) -> str:
    """Write seconds for people: `2 h 5 min`. A dash for none."""
    return "–" if seconds is None else commands.span(seconds)


@register.filter
def visible(text: object) -> str:
    """Show control characters of somebody's text escaped, new lines as they are; templates escape the rest."""
    return texts.visible("" if text is None else str(text))


@register.filter(name="words")
def words_of(state: str) -> str:
    """Write a state for people."""
    return words(state)


@register.simple_tag(takes_context=True)
def sort_header(context: Context, field: str, label: str, kind: str = "") -> SafeString:
    """Make a column's header a link that sorts by it, and by it the other way round. `kind` is a class of the cell."""
    query = context["request"].GET.copy()
    now = query.get("sort", "") or context.get("sort", "")
    order = {field: "ascending", f"-{field}": "descending"}.get(str(now), "")
    query["sort"] = f"-{field}" if order == "ascending" else field
    query.pop("page", None)
    sorted_ = format_html(' aria-sort="{}"', order) if order else ""
    return format_html(
        '<th scope="col"{}{}><a href="?{}">{}</a></th>',
        format_html(' class="{}"', kind) if kind else "", sorted_, query.urlencode(), label,
    )  # fmt: skip


@register.inclusion_tag("pages/_pager.html", takes_context=True)
def pager(context: Context, page: Page[Any]) -> dict[str, Any]:
    """Show which rows of how many are here, and lead to the others."""
    query = context["request"].GET.copy()

    def link(number: int) -> str:
        query["page"] = str(number)
        return f"?{query.urlencode()}"

    return {
        "page": page,
        "first": link(1) if page.number > 1 else "",
        "before": link(page.number - 1) if page.number > 1 else "",
        "after": link(page.number + 1) if page.number < page.pages else "",
        "last": link(page.pages) if page.number < page.pages else "",
    }


@register.filter
def fields(form: forms.Form) -> SafeString:
    """Show a form's fields, each with label, help and errors tied to it; then the form's own errors on top."""
    wrong = format_html_join(
        "", '<p class="field-error" role="alert">{}</p>', ((e,) for e in form.non_field_errors())
    )
    hidden = mark_safe("".join(str(one) for one in form.hidden_fields()))  # noqa: S308 - widgets escape themselves
    return format_html(
        "{}{}{}", wrong, hidden, format_html_join("", "{}", ((field(one),) for one in form.visible_fields()))
    )


@register.filter
def field(bound: forms.BoundField) -> SafeString:
    """Show one field of a form."""
    box = isinstance(bound.field.widget, forms.CheckboxInput)
    told = format_html('<span class="field-help" id="{}_helptext">{}</span>', bound.auto_id, bound.help_text)
    errors = format_html_join("", '<span class="field-error" id="{}_error" role="alert">{}</span>',
                              ((bound.auto_id, error) for error in list(bound.errors)[:1]))  # fmt: skip
    described = [
        *([f"{bound.auto_id}_helptext"] if bound.help_text else []),
        *([f"{bound.auto_id}_error"] if bound.errors else []),
    ]
    attributes: dict[str, str | bool] = {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        attributes["aria-invalid"] = "true"
    label = bound.label_tag(label_suffix="")
    return format_html(
        '<div class="field{}{}">{}{}{}{}</div>',
        " field-box" if box else "", " field-wrong" if bound.errors else "",
        *((bound.as_widget(attrs=attributes), label) if box else (label, bound.as_widget(attrs=attributes))),
        told if bound.help_text else "", errors,
    )  # fmt: skip
