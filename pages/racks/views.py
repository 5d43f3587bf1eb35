"""The racks as maps: all of them, one with its controllers and outlets, and reading outlets back."""

import threading

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from bmm import services
from bmm.drivers.power.contract import Power
from bmm.errors import HardwareError
from devices.models import PowerController
from mozpool_site import clock
from mozpool_site.access.roles import Role
from mozpool_site.errors import ConflictError, UnknownNameError
from pages.access import Person, page
from pages.racks.maps import legend, maps
from pages.racks.queries import board, boards, cells_in, rack_named, racks_in_order
from pages.shell.answers import is_part
from pages.shell.pool import pool
from pages.tables import page_of
from requests_app.outages import racks_down

# Some 4,000 devices; more racks than that are on a page of their own.
_RACKS_A_PAGE = 50
# One at a time in a process: who reads waits for hardware, and holds one of its few threads meanwhile.
_reading = threading.Lock()


@page(Role.VIEWER)
def rack_list(request: HttpRequest, person: Person) -> HttpResponse:
    """Show all racks as maps."""
    now = clock.now()
    # Read before the devices are: what changes in between is told again, not missed.
    version = pool.get(now).version
    racks = page_of(request, racks_in_order(), _RACKS_A_PAGE)
    cells = cells_in(None if racks.pages == 1 else racks.rows)
    context = {
        "maps": maps(racks.rows, cells, racks_down(now)),
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
    version = pool.get(now).version
    found = rack_named(name)
    cells = cells_in([found])
    context = {
        "rack": found,
        "silent": found.pk in racks_down(now),
        "boards": boards(found, cells, now),
        "legend": legend(cells),
        "number": len(cells),
        "live_version": version,
    }
    return render(request, "pages/racks/rack.html", context)


@page(post=Role.OPERATOR)
def outlets(request: HttpRequest, person: Person, name: str, controller: str) -> HttpResponse:
    """Ask a controller for the power of its outlets, in 15 s at most, and show them; switches nothing."""
    found = rack_named(name)
    asked = PowerController.objects.filter(rack=found, name=controller).first()
    if asked is None:
        raise UnknownNameError(
            f"there is no power controller {controller[:64]!r} in rack {name}", field="controller"
        )
    powers, wrong = _read(asked)
    asked.refresh_from_db()
    now = clock.now()
    cells = [cell for cell in cells_in([found]) if cell.controller == asked.name]
    context = {"rack": found, "board": board(asked, cells, now, powers), "wrong": wrong, "read_at": now}
    template = "pages/racks/_board.html" if is_part(request) else "pages/racks/outlets.html"
    return render(request, template, context)


def _read(controller: PowerController) -> tuple[dict[str, Power] | None, str]:
    """Read the outlets back; where none answers, say why once for all of them. Raises ConflictError."""
    if not _reading.acquire(blocking=False):
        raise ConflictError(
            "outlets of another controller are being read just now; try again in some seconds"
        )
    try:
        powers = services.read_outlets(controller)
    except HardwareError as error:
        return None, f"{error}. {error.advice}"
    finally:
        _reading.release()
    errors = [power for power in powers.values() if isinstance(power, HardwareError)]
    if errors and len(errors) == len(powers):
        return powers, f"{errors[0]}. {errors[0].advice}"
    return powers, ""
