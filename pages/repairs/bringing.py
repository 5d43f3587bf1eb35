"""Brings devices in from a CSV file: what would change is shown first, and that is what is done, or nothing.

It plans and works as an inventory does (devices/inventory, lifeguard/inventory.py), but for a file that people made:
what it does not name stays as it is, and a device stays with the inventory that it came from.
"""

import base64
import zlib
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path

from bmm.admin import DeviceAdmin
from devices.inventory import contents, files, shown
from devices.inventory.declared import Source
from devices.inventory.planning import Plan
from devices.inventory.records import FIELDS
from lifeguard.inventory import Done, carry_out, plan_of
from mozpool_site.access.admin_audit import actor_of
from mozpool_site.errors import ConflictError, InvalidInputError, MozpoolError

# What is told of a device and cannot be brought in again: its machine writes it, or people note it on its page.
TOLD = ("comments", "state", "state_since", "held_by", "image", "health", "failures", "quarantine_reason")
# Bytes; the server takes no larger body than 1 MiB. Eight thousand devices take less.
MOST_BYTES = 1_000_000
_NAME = "import"
_KEPT = "devices_import"
_SHOWN = 500


class FileForm(forms.Form):
    """The file."""

    file = forms.FileField(
        label="CSV file",
        help_text="The first line names the columns; , or ; parts them.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def clean_file(self) -> bytes:
        """Give what is in it."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(
                f"At most {MOST_BYTES} bytes: part it, or use manage.py inventory_sync."
            )
        content: bytes = file.read()
        return content


class ImportPages(DeviceAdmin):
    """The page that takes a file, shows what it would change, and does that once it is confirmed. For admins."""

    def get_urls(self) -> list[Any]:
        """Add it."""
        wrap = self.admin_site.admin_view
        return [path("import/", wrap(self.bring), name="devices_device_import"), *super().get_urls()]

    def bring(self, request: HttpRequest) -> HttpResponse:
        """Take a file, or confirm the one that was looked at."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method in ("GET", "HEAD"):
            request.session.pop(_KEPT, None)
            return self._import_page(request, form=FileForm())
        if request.method != "POST":
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        try:
            return self._confirmed(request) if "digest" in request.POST else self._looked_at(request)
        except MozpoolError as error:
            return self._import_page(request, form=FileForm(), error=error.detail, status=400)

    def _looked_at(self, request: HttpRequest) -> HttpResponse:
        form = FileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._import_page(request, form=form)
        content = form.cleaned_data["file"]
        request.session.pop(_KEPT, None)
        plan = planned(content)
        if plan.refused:
            return self._import_page(request, form=FileForm(), plan=plan)
        # Kept here and not in the page: a page may send 64 kB.
        request.session[_KEPT] = base64.b85encode(zlib.compress(content)).decode("ascii")
        return self._import_page(request, form=FileForm(), plan=plan)

    def _confirmed(self, request: HttpRequest) -> HttpResponse:
        kept = request.session.pop(_KEPT, None)
        if kept is None:
            raise ConflictError("the file that you looked at is no longer here: choose it again")
        plan = planned(zlib.decompress(base64.b85decode(kept)))
        if plan.refused:
            raise ConflictError(f"{plan.refused[0].where} can't be used any more: choose the file again")
        done = carry_out(
            plan,
            by=actor_of(request),
            ship_it="ship_it" in request.POST,
            digest=request.POST["digest"],
        )
        return self._import_page(request, plan=plan, done=done)

    def _import_page(self, request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
        plan: Plan | None = more.get("plan")
        done: Done | None = more.get("done")
        context = {
            **self.admin_site.each_context(request),
            "title": "Import devices" if done is None else "Devices imported",
            "opts": self.opts,
            "fields": FIELDS,
            "told": TOLD,
            "shown": _SHOWN,
            "new": [(item.name, shown.told(item.record)) for item in plan.new[:_SHOWN]] if plan else (),
            "changed": [(item.name, shown.changes(item)) for item in plan.changed[:_SHOWN]] if plan else (),
            **more,
        }
        return TemplateResponse(request, "admin/pool/import.html", context, status=status)


def planned(content: bytes) -> Plan:
    """Plan what a file makes necessary; it changes nothing, and no device is gone for not being named.

    Raises InvalidInputError naming a column that is not known, NoAnswerError for what is no CSV.
    """
    items = files.from_csv(content)
    columns = list(items[0][1]) if items else []
    for column in columns:
        if column not in (*FIELDS, *TOLD):
            known = ", ".join(FIELDS)
            raise InvalidInputError(
                f"{column[:64]!r} is no column that can be brought in; there are: {known}"
            )
    fields = {name: name for name in FIELDS if name in columns}
    # Devices stay with the inventory that lists them, and new ones have none: people entered them.
    source = Source(_NAME, "csv", fields=fields, complete=False, owns=False)
    return plan_of(source, contents.read(source, content))
