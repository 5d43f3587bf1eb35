"""The page of statistics: how long things take, how much is used, what fails."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mozpool_site import clock
from mozpool_site.access.roles import Role
from pages.access import Person, page
from pages.statistics.drawings import figures, sections
from pages.statistics.forms import DAYS, PeriodForm
from pages.statistics.report import Key, places, reports


@page(Role.VIEWER)
def statistics(request: HttpRequest, person: Person) -> HttpResponse:
    """Show the statistics of a period; where the query string is wrong, say what is wrong and ask again."""
    now = clock.now()
    there = places.get(now)
    environments = sorted({environment for _, _, environment in there})
    form = PeriodForm(request.GET, environments, now)
    environment = form.chosen_environment
    context: dict[str, Any] = {
        "form": form,
        "links": [(days, days == form.chosen_days) for days in DAYS],
        "days": form.chosen_days,
        "environment": environment,
    }
    if not form.is_valid():
        return render(request, "pages/statistics/statistics.html", context, status=400)
    here = {place: number for place, number in there.items() if environment in ("", place[2])}
    report = reports.get(Key(form.period, environment), now)
    context |= {
        "report": report,
        "slots": report.period.slots(),
        "figures": figures(report, here),
        "sections": sections(report, here),
        "kept_days": settings.MOZPOOL_JOURNAL_DAYS,
    }
    return render(request, "pages/statistics/statistics.html", context)
