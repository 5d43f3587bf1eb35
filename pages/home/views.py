"""The home page: how the three layers do, at a glance."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mozpool_site.access.roles import Role
from pages.access import Person, page
from pages.live import live, version


def _version(request: HttpRequest, person: Person) -> str:
    return version()


@page(Role.VIEWER)
def home(request: HttpRequest, person: Person) -> HttpResponse:
    """Show the pool at a glance."""
    return render(request, "pages/home/home.html")


@page(Role.VIEWER)
@live(_version)
def home_part(request: HttpRequest, person: Person) -> HttpResponse:
    """Give what changes of the home page."""
    return render(request, "pages/home/_pool.html")
