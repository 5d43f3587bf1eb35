"""The racks as maps."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mozpool_site.access.roles import Role
from pages.access import Person, page


@page(Role.VIEWER)
def rack_list(request: HttpRequest, person: Person) -> HttpResponse:
    """Show all racks as maps."""
    return render(request, "pages/racks/rack_list.html")


@page(Role.VIEWER)
def rack(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Show a rack as a map."""
    return render(request, "pages/racks/rack.html", {"name": name})
