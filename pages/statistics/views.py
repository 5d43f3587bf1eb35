"""The page of statistics: how long things take, how much is used, what fails."""

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
    """Show the statistics of a period; where the query string is wrong, what is wrong, and the usual period."""
    now = clock.now()
    there = places.get(now)
    environments = sorted({environment for _, _, environment in there})
    form = PeriodForm(request.GET, environments, now)
    environment = form.chosen_environment
    here = {place: number for place, number in there.items() if environment in ("", place[2])}
    report = reports.get(Key(form.period, environment), now)
    context = {
        "form": form,
        "links": [(days, days == form.chosen_days) for days in DAYS],
        "days": form.chosen_days,
        "environment": environment,
        "report": report,
        "slots": report.period.slots(),
        "figures": figures(report, here),
        "sections": sections(report, here),
        "kept_days": settings.MOZPOOL_JOURNAL_DAYS,
    }
    status = 200 if form.is_valid() else 400
    return render(request, "pages/statistics/statistics.html", context, status=status)
