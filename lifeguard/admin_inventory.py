"""The administration's page of inventories: upload a file or ask a declared source, look at the plan, carry it out.

What was looked at is what is done: the second step plans anew, and refuses when the plan has another digest. A declared
source is read by a worker, for this process may be where it can't be reached.
"""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from devices.inventory import contents
from devices.inventory.declared import FILE_KINDS, Source, declared, find
from devices.inventory.errors import NoAnswerError
from devices.inventory.planning import Plan
from devices.inventory.shown import counts, rows
from lifeguard import inventory_readings
from lifeguard.inventory import Done, carry_out, plan_of
from lifeguard.inventory_readings import KEPT, records_of
from lifeguard.models import InventoryReading
from mozpool_site import clock
from mozpool_site.access.admin_audit import actor_of
from mozpool_site.access.backend import known_role
from mozpool_site.access.roles import Role
from mozpool_site.errors import InvalidInputError, MozpoolError

_KEPT = "inventory_upload"
# What a browser has to show in one table; the rest is counted.
_MOST_ROWS = 2000
# The web process cuts a body off after 1 MiB (bridge.py): what is so large may not be all of it.
_LARGEST_FILE = 900_000
# Workers take what waits within milliseconds, and a pulse in their place within seconds.
_LATE = timedelta(seconds=12)


class SourceForm(forms.Form):
    """Which inventory: a declared one, or a file."""

    source = forms.ChoiceField(required=False, label="Declared source")
    file = forms.FileField(
        required=False, label="Or a file", help_text="CSV or YAML of 900 kB at most; larger ones by command."
    )
    name = forms.SlugField(
        required=False, max_length=64, label="Its name", help_text="Empty: the file's. Devices remember it."
    )
    add_only = forms.BooleanField(
        required=False, label="Retire nothing", help_text="The file lists some of the devices only."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = sorted(_declared())
        self.fields["source"] = forms.ChoiceField(
            choices=[("", "-"), *((name, name) for name in names)], required=False, label="Declared source"
        )

    def clean(self) -> dict[str, Any]:
        """Demand one of the two."""
        cleaned = super().clean() or {}
        if bool(cleaned.get("source")) == bool(cleaned.get("file")) and not self.errors:
            raise forms.ValidationError("A declared source or a file, please, one of them.")
        if cleaned.get("file") and cleaned["file"].size > _LARGEST_FILE:
            self.add_error("file", "900 kB at most, please; manage.py inventory_sync takes larger ones.")
        if cleaned.get("file") and Path(cleaned["file"].name).suffix.lower() not in FILE_KINDS:
            self.add_error("file", "A name that ends with .csv, .yaml or .yml, please.")
        return cleaned


def inventory(request: HttpRequest) -> HttpResponse:
    """Show the form; on POST a plan, or what became of one. For admins only."""
    if known_role(request.user) < Role.ADMIN:  # type: ignore[arg-type]  # admin_view lets in users only
        raise PermissionDenied
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    try:
        if request.method == "POST":
            return _carry_out(request) if "digest" in request.POST else _preview(request)
        if "reading" in request.GET:
            return _follow(request)
        request.session.pop(_KEPT, None)
        return _page(request, SourceForm())
    except MozpoolError as error:
        return _page(request, None, error=error.detail)


def _preview(request: HttpRequest) -> HttpResponse:
    form = SourceForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form)
    given = form.cleaned_data
    file = given["file"]
    content = file.read() if file else None
    word = file.name if file else given["source"]
    # Kept on the server: a browser's second word of the same file would not have been looked at.
    request.session[_KEPT] = {
        "word": word,
        "name": given["name"],
        "add_only": given["add_only"],
        "content": None if content is None else base64.b64encode(zlib.compress(content)).decode(),
    }
    if content is None:
        reading = inventory_readings.ask(word, by=actor_of(request))
        request.session[_KEPT]["reading"] = reading.pk
        return HttpResponseRedirect(f"{reverse('inventory')}?reading={reading.pk}")
    return _page(request, None, plan=_plan(request))


def _follow(request: HttpRequest) -> HttpResponse:
    """Show how far the reading of a source is, and then the plan."""
    reading = _reading(request)
    if reading.finished is None:
        return _page(request, None, reading=reading)
    return _page(request, None, reading=reading, plan=_plan(request))


def _carry_out(request: HttpRequest) -> HttpResponse:
    plan = _plan(request)
    if request.POST["digest"] != plan.digest:
        return _page(
            request, None, plan=plan, error="Something has changed meanwhile: look at the plan again."
        )
    ship_it = request.POST.get("ship_it") == "on"
    if plan.too_much and not ship_it:
        return _page(request, None, plan=plan, error="So many changes need your word that they are meant.")
    done = carry_out(plan, by=actor_of(request), ship_it=ship_it, digest=request.POST["digest"])
    del request.session[_KEPT]
    _tell(request, plan, done)
    return HttpResponseRedirect(reverse("inventory"))


def _plan(request: HttpRequest) -> Plan:
    """Plan what the inventory that this browser looked at last makes necessary, as things are stored now."""
    kept = _kept(request)
    if kept["content"] is not None:
        source = find(kept["word"], declared_in=None, name=kept["name"])
        content = zlib.decompress(base64.b64decode(kept["content"]))
        return plan_of(_scoped(source, kept), contents.read(source, content))
    reading = _reading(request)
    if reading.error:
        raise NoAnswerError(reading.error)
    if reading.finished is None or reading.finished < clock.now() - KEPT:
        raise InvalidInputError("what was read is no longer fresh: begin again", field="digest")
    declared_source = _declared().get(kept["word"])
    if declared_source is None:
        raise InvalidInputError(f"{kept['word']} is no longer declared", field="source")
    return plan_of(_scoped(declared_source, kept), records_of(reading))


def _scoped(source: Source, kept: Mapping[str, Any]) -> Source:
    return replace(source, complete=source.complete and not kept["add_only"])


def _reading(request: HttpRequest) -> InventoryReading:
    """Return the reading that this browser has asked for."""
    reading = InventoryReading.objects.filter(pk=_kept(request).get("reading", 0)).first()
    if reading is None:
        raise InvalidInputError("what was read is no longer fresh: begin again", field="digest")
    return reading


def _kept(request: HttpRequest) -> dict[str, Any]:
    """Return what this browser looked at last."""
    kept: dict[str, Any] | None = request.session.get(_KEPT)
    if not kept:
        raise InvalidInputError("there is no plan any more: begin again", field="digest")
    return kept


def _declared() -> dict[str, Source]:
    path: Path | None = settings.MOZPOOL_INVENTORY
    return declared(path) if path else {}


def _tell(request: HttpRequest, plan: Plan, done: Done) -> None:
    # Each begins with a word: Django makes the first letter of a message a capital, which no name would survive.
    told = f"Inventory {plan.source}: entered {done.entered}, changed {done.changed}, retired {done.retired}."
    messages.success(request, told)
    if done.leaving:
        messages.info(request, f"Retired as soon as nobody holds them: {', '.join(done.leaving)}.")
    for name, reason in done.left:
        messages.warning(request, f"Left for the next time: {name}: {reason}")


def _page(
    request: HttpRequest,
    form: SourceForm | None,
    *,
    plan: Plan | None = None,
    reading: InventoryReading | None = None,
    error: str = "",
) -> HttpResponse:
    listed = rows(plan) if plan else []
    context = {
        **admin.site.each_context(request),
        "title": "Inventory",
        "form": form,
        "plan": plan,
        "rows": listed[:_MOST_ROWS],
        "more": max(0, len(listed) - _MOST_ROWS),
        "counts": counts(plan) if plan else "",
        "error": error,
        "reading": reading,
        "late": reading is not None and reading.runner == "" and reading.created < clock.now() - _LATE,
    }
    is_part = request.headers.get("X-Requested-With") == "fetch"
    return render(request, f"lifeguard/{'_inventory_plan' if is_part else 'inventory'}.html", context)


inventory_page = admin.site.admin_view(inventory)
