"""The table of devices as Lifeguard sees them, and their comments, edited in their rows."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from devices.listing import device_named
from devices.models import Device
from devices.services import LONGEST_COMMENTS, comments_digest, set_comments
from mozpool_site.api.access import Role
from pages.access import Person, page
from pages.devices.tables import table_of
from pages.shell.answers import is_part


class CommentForm(forms.Form):
    """What is noted about a device. `was` is a digest of what the form began with."""

    comments = forms.CharField(
        label="Comment",
        max_length=LONGEST_COMMENTS,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    was = forms.CharField(widget=forms.HiddenInput, required=False)


@page(Role.VIEWER)
def devices(request: HttpRequest, person: Person) -> HttpResponse:
    """List the devices."""
    table = table_of(request)
    return render(request, "pages/devices/devices.html", {"table": table, "sort": table.sort})


@page(Role.OPERATOR, post=Role.OPERATOR)
def device_comment(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Give the form of a device's comment, and store what comes back; as a part it is the cell of its row."""
    device = device_named(name)
    if request.method == "GET" and "cancel" in request.GET:
        return _cell(request, device)
    if request.method != "POST":
        form = CommentForm(
            initial={"comments": device.comments or "", "was": comments_digest(device.comments)}
        )
        return _editor(request, device, form)
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _editor(request, device, form, status=400)
    # Browsers end lines with CR LF in forms, whatever was typed.
    text = form.cleaned_data["comments"].replace("\r\n", "\n").rstrip()
    set_comments(device.pk, text, by=person.actor, seen=form.cleaned_data["was"] or None)
    if is_part(request):
        device.comments = text
        return _cell(request, device)
    messages.success(request, f"The comment of {device.name} is stored.")
    return HttpResponseRedirect(f"{reverse('pages:devices')}?q={device.name}")


def _editor(request: HttpRequest, device: Device, form: CommentForm, status: int = 200) -> HttpResponse:
    template = "_comment_form.html" if is_part(request) else "comment.html"
    return render(request, f"pages/devices/{template}", {"device": device, "form": form}, status=status)


def _cell(request: HttpRequest, device: Device) -> HttpResponse:
    return render(request, "pages/devices/_comment.html", {"device": device})
