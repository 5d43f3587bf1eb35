"""What is about to be done: shown with how many devices, which, and what it means for their holders; then begun."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from lifeguard.bulk import progress, services
from lifeguard.bulk.models import Batch
from lifeguard.bulk.verbs import Verb, verb_named
from mozpool_site.api.access import Role, demand
from mozpool_site.api.values import row_id
from mozpool_site.errors import InvalidInputError, NotAllowedError, UnknownNameError
from pages.access import Person, page
from pages.bulk.forms import VerbForm
from pages.bulk.selection import Selection, named, selected
from requests_app.api.ownership import own_request_ids

# A form waits so long for its first devices; the rest is shown on the way.
_AT_ONCE_SECONDS = 1.0
_NAMES_SHOWN = 200
_LONGEST_KEY = 64


@dataclass(frozen=True)
class _Intent:
    """What a form is about: a verb over a selection, perhaps again after the batch `again` failed for them."""

    verb: Verb
    selection: Selection
    again: Batch | None = None


@page(Role.REQUESTER, post=Role.REQUESTER)
def confirm(request: HttpRequest, person: Person) -> HttpResponse:
    """Show what would be done. The selection is often too long for an address, so it is posted, too."""
    given = request.POST if request.method == "POST" else request.GET
    intent = _intent(given, person)
    arguments, reason = _first_arguments(given, intent)
    form = VerbForm(intent.verb, given={**arguments, "reason": reason})
    return _confirmation(request, intent, form)


@page(post=Role.REQUESTER)
def start(request: HttpRequest, person: Person) -> HttpResponse:
    """Begin what was confirmed, and go to its progress; back to the question where something is wrong with it."""
    intent = _intent(request.POST, person)
    form = VerbForm(intent.verb, request.POST)
    if request.POST.get("digest", "") != intent.selection.digest:
        now = len(intent.selection.rows)
        form.add_error(None, f"Other devices match now than you saw: {now}. Look again, then confirm.")
    if not form.is_valid():
        return _confirmation(request, intent, form, status=400)
    batch = services.start(
        intent.verb.name,
        _bound(form.arguments, intent, request.POST, person),
        intent.selection.names,
        by=person.actor,
        reason=form.cleaned_data["reason"],
        key=request.POST.get("key", "")[:_LONGEST_KEY] or None,
        again_of=intent.again.pk if intent.again else None,
    )
    progress.advance(batch.pk, budget_seconds=_AT_ONCE_SECONDS)
    return HttpResponseRedirect(reverse("pages:bulk", args=[batch.pk]))


def _intent(given: QueryDict, person: Person) -> _Intent:
    """Read what a form is about. Raises InvalidInputError, and NotAllowedError where it is not this person's to do."""
    again = _again(given.get("again", ""))
    verb = verb_named(again.verb if again else _verb(given))
    picked = bool(given.get("device") or given.get("devices") or given.get("all"))
    selection = named(services.unsuccessful(again.pk)) if again and not picked else selected(given)
    _demand(person, verb, selection)
    return _Intent(verb, selection, again)


def _verb(given: QueryDict) -> str:
    name = given.get("verb", "")
    if not name:
        raise InvalidInputError("verb is missing: choose what to do", field="verb")
    return name


def _again(text: str) -> Batch | None:
    if not text:
        return None
    number = row_id(text)
    batch = Batch.objects.filter(pk=number).first() if number else None
    if batch is None:
        raise UnknownNameError(f"there is no bulk action {text[:20]!r}", field="again")
    return batch


def _demand(person: Person, verb: Verb, selection: Selection) -> None:
    if person.may(verb.least):
        return
    if not verb.holder_may:
        demand(person, verb.least)
    own = own_request_ids(person)
    others = [row["name"] for row in selection.rows if row["held_by"] not in own]
    if others:
        raise NotAllowedError(
            f"{verb.label.lower()} of {others[0]} is for its holder and for operators", field="device"
        )


def _first_arguments(given: QueryDict, intent: _Intent) -> tuple[dict[str, Any], str]:
    """Give what the form begins with: what a batch had that is tried again, or what a page has filled in already."""
    if intent.again:
        return dict(intent.again.arguments), intent.again.reason
    names = {field.name for field in intent.verb.fields if field.kind != "values"}
    return {name: given[name] for name in names if name in given}, given.get("reason", "")


def _bound(arguments: dict[str, Any], intent: _Intent, form: QueryDict, person: Person) -> dict[str, Any]:
    """Add what must still be true of each device when its turn comes: else it is left alone.

    A forced change starts from the states that were seen; what somebody may only as a holder, while they hold it.
    """
    if intent.verb.name == "force_state":
        return {**arguments, "from": [state for state in form.get("seen", "").split(",") if state]}
    if not person.may(intent.verb.least):
        return {**arguments, "held_by": sorted({row["held_by"] for row in intent.selection.rows})}
    return arguments


def _confirmation(request: HttpRequest, intent: _Intent, form: VerbForm, status: int = 200) -> HttpResponse:
    selection, verb = intent.selection, intent.verb
    by_hardware = verb.name in ("power_cycle", "pxe_boot", "power_off")
    context = {
        "verb": verb,
        "selection": selection,
        "number": len(selection.rows),
        "shown": selection.rows[:_NAMES_SHOWN],
        "unshown": max(0, len(selection.rows) - _NAMES_SHOWN),
        "unwilling": selection.unwilling(verb.event) if verb.event else [],
        "without_outlet": selection.without_outlet if by_hardware else [],
        "form": form,
        "again": intent.again,
        "key": request.POST.get("key", "") or uuid4().hex,
        "back": _back(request),
    }
    return render(request, "pages/bulk/confirm.html", context, status=status)


def _back(request: HttpRequest) -> str:
    """Give the page that led here, or else the table of devices."""
    told = request.POST.get("back", "") or request.META.get("HTTP_REFERER", "")
    if told and url_has_allowed_host_and_scheme(
        told, {request.get_host()}, require_https=request.is_secure()
    ):
        return told
    return reverse("pages:devices")
