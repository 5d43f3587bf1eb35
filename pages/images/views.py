"""The page of images."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mozpool_site import clock
from mozpool_site.api.access import Role
from pages.access import Person, page
from pages.images.catalogue import DAYS, offers


@page(Role.VIEWER)
def images(request: HttpRequest, caller: Person) -> HttpResponse:
    """Show what can be requested."""
    context = {"offers": offers(caller, clock.now()), "days": DAYS, "may_request": caller.may(Role.REQUESTER)}
    return render(request, "pages/images/images.html", context)
