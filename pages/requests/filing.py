"""The page that files a new request, and the parts of its form that depend on what is chosen."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse

from devices.api.v2.names import hardware_name
from devices.models import Device, HardwareType
from mozpool_site import clock
from mozpool_site.api.access import Role
from mozpool_site.api.values import row_id
from mozpool_site.errors import MozpoolError
from pages.access import Person, page
from pages.images.catalogue import offers
from pages.requests.forms import KEY, OrderForm, usual_duration
from pages.requests.outlook import outlook
from requests_app import services
from requests_app.api.ownership import owns
from requests_app.models import Request
from requests_app.snapshot import stock

_SUGGESTED = 20
_ASKED_FOR = ("image", "device", "environment", "hardware", "tags")


@page(Role.REQUESTER, post=Role.REQUESTER)
def new(request: HttpRequest, caller: Person) -> HttpResponse:
    """Show the form, or file what it says: once, however often it is sent."""
    now = clock.now()
    if request.method != "POST":
        return _shown(request, caller, _form(caller, now, initial=_initial(request.GET, caller)), now)
    if "look" in request.POST:
        # Without JavaScript: show the fields of the image that is chosen, and what is there for it.
        form = _form(caller, now, initial=_entered(request.POST))
        return _shown(request, caller, form, now, looked=_looked(request.POST, caller, now))
    form = _form(caller, now, request.POST)
    if not form.is_valid() or form.order is None:
        return _shown(request, caller, form, now, status=400)
    filing = form.call()
    try:
        filed = services.filed_before(filing)
        if filed is None:
            filed, _ = services.file_once(form.order, by=caller.actor, filing=filing)
    except MozpoolError as error:
        form.refuse(error)
        return _shown(request, caller, form, now, status=error.http_status)
    return HttpResponseRedirect(reverse("pages:request", args=[filed.pk]))


@page(Role.REQUESTER)
def keys(request: HttpRequest, caller: Person) -> HttpResponse:
    """Give the fields that an image asks for."""
    form = _form(caller, clock.now(), initial=_entered(request.GET))
    return render(request, "pages/requests/_keys.html", {"form": form})


@page(Role.REQUESTER)
def outlook_of(request: HttpRequest, caller: Person) -> HttpResponse:
    """Say how many devices match what the form says now, and how long it would wait."""
    return render(request, "pages/requests/_outlook.html", _looked(request.GET, caller, clock.now()))


@page(Role.REQUESTER)
def devices(request: HttpRequest, caller: Person) -> HttpResponse:
    """Suggest devices whose name or FQDN begins with what is typed, the names first."""
    begun = request.GET.get("device", "").replace("\0", "").strip()[:253]
    found = Device.objects.filter(Q(name__istartswith=begun) | Q(fqdn__istartswith=begun)).order_by("name")
    columns = ("name", "state", "held_by", "environment")
    suggested = list(found.values(*columns)[:_SUGGESTED]) if begun else []
    return render(request, "pages/requests/_devices.html", {"suggested": suggested})


def _form(
    caller: Person, now: datetime, data: QueryDict | None = None, initial: dict[str, Any] | None = None
) -> OrderForm:
    kinds = stock.get(now)
    types = HardwareType.objects.order_by("kind", "model").values_list("kind", "model")
    return OrderForm(
        data,
        caller=caller,
        environments=sorted({kind.environment for kind in kinds}),
        hardware=[hardware_name(kind, model) for kind, model in types],
        tags=sorted({tag for kind in kinds for tag in kind.tags}),
        initial=initial,
    )


def _shown(
    request: HttpRequest, caller: Person, form: OrderForm, now: datetime, *, status: int = 200,
    looked: Mapping[str, Any] | None = None,
) -> HttpResponse:  # fmt: skip
    context = {"form": form, "offers": offers(caller, now, also=form.chosen_image), **(looked or {})}
    return render(request, "pages/requests/new.html", context, status=status)


def _looked(query: QueryDict, caller: Person, now: datetime) -> dict[str, Any]:
    """Judge the form as it is now: what is missing yet is left open, what is wrong is told."""
    data = query.copy()
    data.setlist("duration", [usual_duration()])
    for name in [name for name in data if name.startswith(KEY)]:
        del data[name]
    form = _form(caller, now, data)
    for bound in form.key_fields:
        # Where the image's values do not matter, any will do.
        data[bound.name] = "0"
    return _judged(form, now)


def _judged(form: OrderForm, now: datetime) -> dict[str, Any]:
    if not form.chosen_image:
        return {"nothing_chosen": True}
    if not form.is_valid() or form.order is None:
        name, told = next(iter(form.errors.items()))
        return {"wrong": str(told[0]), "wrong_field": name}
    return {"outlook": outlook(form.order, now)}


def _initial(query: QueryDict, caller: Person) -> dict[str, Any]:
    """Give what an address asks for: `?image=` and the like, or `?like=` another request."""
    asked = {name: query[name] for name in _ASKED_FOR if query.get(name)}
    number = row_id(query.get("like", ""))
    if number is None:
        return asked
    like = Request.objects.select_related("image", "hardware", "requested_device").filter(pk=number).first()
    return asked if like is None else {**_like(like, caller), **asked}


def _like(like: Request, caller: Person) -> dict[str, Any]:
    mine = owns(caller, like.owner)
    values = json.loads(like.boot_config) if mine else {}
    return {
        "image": like.image.name,
        "device": like.requested_device.name if like.requested_device else "",
        "environment": like.environment,
        "hardware": hardware_name(like.hardware.kind, like.hardware.model) if like.hardware else "",
        "tags": ", ".join(map(str, like.tags)),
        **({"assignee": like.assignee} if mine else {}),
        **{f"{KEY}{key}": value for key, value in values.items()},
    }


def _entered(query: QueryDict) -> dict[str, Any]:
    """Give what somebody has typed so far, the form's own number left out: what is shown is a fresh form."""
    return {name: query[name] for name in query if name not in ("csrfmiddlewaretoken", "look", "filing")}
