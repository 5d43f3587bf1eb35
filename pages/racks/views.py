"""The racks as maps: all of them, one with its controllers and outlets, and reading outlets back."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from bmm import services
from bmm.models import Kind
from bmm.readings import reading_of
from devices.models import PowerController
from devices.models.rack import pulse_is_silent
from mozpool_site import clock
from mozpool_site.access.roles import Role
from mozpool_site.api.values import row_id
from mozpool_site.errors import UnknownNameError
from pages.access import Person, page
from pages.racks.maps import legend, maps
from pages.racks.queries import board, boards, cells_in, rack_named, racks_in_order
from pages.shell import changes
from pages.shell.answers import is_part
from pages.tables import page_of

# Some 4,000 devices; more racks than that are on a page of their own.
_RACKS_A_PAGE = 50


@page(Role.VIEWER)
def rack_list(request: HttpRequest, person: Person) -> HttpResponse:
    """Show all racks as maps."""
    now = clock.now()
    # Read before the devices are: what changes in between is told again, not missed.
    version = changes.version()
    racks = page_of(request, racks_in_order(), _RACKS_A_PAGE)
    cells = cells_in(None if racks.pages == 1 else racks.rows)
    silent = frozenset(one.pk for one in racks.rows if pulse_is_silent(one.pulse_seen, now))
    context = {
        "maps": maps(racks.rows, cells, silent),
        "legend": legend(cells),
        "racks": racks,
        "number": len(cells),
        "live_version": version,
    }
    return render(request, "pages/racks/rack_list.html", context)


@page(Role.VIEWER)
def rack(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Show a rack: each controller with its outlets, each device in its own."""
    now = clock.now()
    version = changes.version()
    found = rack_named(name)
    cells = cells_in([found])
    context = {
        "rack": found,
        "silent": pulse_is_silent(found.pulse_seen, now),
        "boards": boards(found, cells, now),
        "legend": legend(cells),
        "number": len(cells),
        "live_version": version,
    }
    return render(request, "pages/racks/rack.html", context)


@page(Role.OPERATOR, post=Role.OPERATOR)
def outlets(request: HttpRequest, person: Person, name: str, controller: str) -> HttpResponse:
    """Show a controller's outlets; a POST has a worker of the rack ask what they read, which switches nothing."""
    found = rack_named(name)
    asked = PowerController.objects.filter(rack=found, name=controller).first()
    if asked is None:
        raise UnknownNameError(
            f"there is no power controller {controller[:64]!r} in rack {name}", field="controller"
        )
    number = row_id(request.GET.get("reading", ""))
    if request.method == "POST":
        number = services.ask_controller(asked.pk, Kind.READ_OUTLETS, by=person.actor).operation.pk
        if not is_part(request):
            return redirect(f"{request.path}?reading={number}")
    now = clock.now()
    reading = reading_of(asked, number, now) if number else None
    cells = [cell for cell in cells_in([found]) if cell.controller == asked.name]
    context = {"rack": found, "board": board(asked, cells, now, reading), "reading": reading}
    template = "pages/racks/_board.html" if is_part(request) else "pages/racks/outlets.html"
    return render(request, template, context)
