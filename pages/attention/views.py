"""The page of what needs attention, its live part, and the one thing that is done right there: power by hand."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from bmm import by_hand
from bmm.models import HandTask
from mozpool_site.access.roles import Role
from mozpool_site.errors import UnknownNameError
from pages.access import Person, page
from pages.attention.reading import attention, forget
from pages.live import live


@page(Role.VIEWER)
def attention_page(request: HttpRequest, person: Person) -> HttpResponse:
    """Show everything that needs attention, the most urgent first."""
    return render(request, "pages/attention/attention.html", _context(person))


def _version(request: HttpRequest, person: Person) -> str:
    return attention.get(timezone.now()).version


@page(Role.VIEWER)
@live(_version)
def attention_part(request: HttpRequest, person: Person) -> HttpResponse:
    """Show the same as a part of the open page."""
    return render(request, "pages/attention/_groups.html", _context(person))


@page(post=Role.OPERATOR)
def hand_done(request: HttpRequest, person: Person, task: int) -> HttpResponse:
    """Take a person's word that they have switched an outlet by hand."""
    try:
        wanted = by_hand.confirm(task, by=person.actor)
    except HandTask.DoesNotExist:
        raise UnknownNameError(f"there is no task {task} for a person", field="task") from None
    forget()
    if wanted:
        messages.success(request, f"Task {task} is done; what waited for it goes on.")
    else:
        messages.warning(request, f"Nothing waits for task {task} any more.")
    return HttpResponseRedirect(reverse("pages:attention"))


def _context(person: Person) -> dict[str, Any]:
    groups = attention.get(timezone.now()).seen_by(person)
    return {"groups": groups, "number": sum(group.count for group in groups), "person": person}
