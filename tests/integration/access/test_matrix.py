"""Every path x method x caller x owner answers as the table in permissions.py says, and no path is missing there."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.test.client import ClientHandler
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from pytest_django import Settings

from bmm import asking, netboot
from bmm.models import Operation
from devices.models import BootConfig, Device
from mozpool_site import clock
from mozpool_site.access.models import Token
from mozpool_site.access.roles import Role
from requests_app.models import Request
from requests_app.webhooks.models import Webhook
from tests.factories import make_controller, make_device, make_image, make_request
from tests.integration.access.connections import none_but_database_and_broker
from tests.integration.access.people import somebody, token_of
from tests.integration.access.permissions import (
    ADMIN_PAGES,
    ADMINS_PAGES,
    LEGACY,
    METHODS,
    MODELS,
    NOWHERE,
    PAGES,
    PEOPLE,
    V2,
    Line,
    Model,
    Outcome,
)  # fmt: skip

pytestmark = [pytest.mark.django_db, pytest.mark.on_sqlite]
STRANGER, OLD_CLIENT, OPERATORS, BOARD = "192.0.2.5", "10.1.0.5", "10.2.0.5", "10.1.9.9"
Things = dict[str, str]
_HANDLER = ClientHandler(enforce_csrf_checks=False)


@dataclass(frozen=True)
class Caller:
    """Somebody who calls: what they send, and what we know them as. `owner` is what their requests carry."""

    name: str
    role: Role
    by: str
    address: str = STRANGER
    owner: str = ""
    credentials: str = ""
    is_board: bool = False

    def client(self) -> Client:
        """Give a fresh client: what one call does to a session is not the next one's."""
        client = Client(REMOTE_ADDR=self.address)
        # Loading the middleware anew for each of thousands of calls would take most of the time.
        client.handler = _HANDLER
        if self.by == "token":
            client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {self.credentials}"
        elif self.by == "session":
            client.cookies["sessionid"] = self.credentials
        return client


def callers() -> list[Caller]:
    """Make everybody: strangers, each role by token and by session, networks, and a device."""
    made = [Caller("stranger", Role.NOBODY, "")]
    for role in Role:
        for by in ("token", "session"):
            if role is Role.NOBODY and by == "token":
                continue  # nobody makes a token for somebody without a role
            name = f"{role.word}'s {by}"
            user = somebody(name.replace("'s ", "-"), None if role is Role.NOBODY else role.word)
            made.append(Caller(name, role, by, owner=user.username, credentials=_credentials(user, by)))
    made.append(Caller("network", Role.REQUESTER, "network", OLD_CLIENT, "legacy@10.1.7.7"))
    made.append(Caller("operators' network", Role.OPERATOR, "network", OPERATORS, "legacy@10.1.7.7"))
    made.append(Caller("device", Role.REQUESTER, "network", BOARD, "legacy@10.1.7.7", is_board=True))
    return made


def _credentials(user: User, by: str) -> str:
    if by == "token":
        return token_of(user)
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


@pytest.fixture
def quick(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Switch legacy mode on, wait for no worker, log no refusal of thousands, and see that no call leaves the web."""
    settings.MOZPOOL_TRUSTED_NETWORKS = (ip_network("10.1.0.0/16"),)
    settings.MOZPOOL_TRUSTED_OPERATOR_NETWORKS = (ip_network("10.2.0.0/16"),)
    monkeypatch.setattr(asking, "SECONDS", 0.01)
    logging.disable(logging.ERROR)
    with none_but_database_and_broker(monkeypatch) as tried:
        yield
    logging.disable(logging.NOTSET)
    assert tried == []


class World:
    """The things that paths name: some of each caller, some of somebody else."""

    def __init__(self) -> None:
        self.image = make_image("android")
        self.other = somebody("somebody", "requester")
        self.board = make_controller("127.0.0.1:2")
        self.webhook = Webhook.objects.create(url="http://127.0.0.1:1/", events=["request.*"])
        now = clock.now()
        self.operation = Operation.objects.create(
            device=self._device(None),
            rack=self.board.rack,
            kind="ping",
            status="done",
            created=now,
            not_before=now,
        )
        booting = make_device(
            name="booting", state="pxe_booting", boot_seq=7, netboot=BootConfig.objects.get(),
            deadline=clock.now() + timedelta(hours=1),
        )  # fmt: skip
        BootConfig.objects.update(second_stage="#!/bin/sh\n")
        self.check_token = netboot.check_token(settings.MOZPOOL_BOOT_KEYS[0])
        self.boot_token = netboot.boot_token(settings.MOZPOOL_BOOT_KEYS[0], booting.name, booting.boot_seq)

    def of(self, owner: str) -> Things:
        """Name things of an owner."""
        request = make_request(self.image, state="ready", owner=owner, deadline=None)
        device = self._device(request)
        user = User.objects.filter(username=owner, groups__isnull=False).first() or self.other
        token = Token.objects.filter(user=user).first() or self._token(user)
        return {
            "device": device.name, "request": str(request.pk), "token": str(token.pk), "booting": "booting",
            "boot_token": self.boot_token, "check_token": self.check_token,
            "boot_config": "panda-android", "image": "android",
            "rack": self.board.rack.name, "controller": self.board.name, "operation": str(self.operation.pk),
            "hardware": str(device.hardware_type_id), "webhook": str(self.webhook.pk),
        }  # fmt: skip

    def _device(self, request: Request | None) -> Device:
        return make_device(
            address=BOARD, held_by=request and request.pk, next_boot_config='{"secret": "x"}', image=self.image,
            next_image=self.image, idle_since=None,
        )  # fmt: skip

    def _token(self, user: User) -> Token:
        token_of(user)
        return Token.objects.get(user=user)


def expected(  # noqa: PLR0911 - each rule is a line of its own, in their order
    line: Line, method: str, caller: Caller, *, own: bool
) -> Outcome:
    """Say what the table promises."""
    may = line.may(method)
    if may is None:
        return Outcome.METHOD
    if may.by_token:
        return Outcome.IN if own else Outcome.NO
    if may.named:
        return Outcome.IN if caller.by else Outcome.WHO
    refused = Outcome.NO if caller.by else Outcome.WHO
    door = (
        may.by_get if may.by_get is not None else min(may.least, Role.REQUESTER if may.itself else may.least)
    )
    if caller.role < door:
        return refused
    if may.by_person and caller.by == "network":
        return Outcome.NO
    if may.by_get is not None and method == "GET" and caller.by != "network":
        return Outcome.METHOD
    if may.itself and caller.is_board:
        return Outcome.IN
    needed = may.least if own or may.others is None else may.others
    if caller.role >= needed:
        return Outcome.IN
    return Outcome.GONE if may.hidden else refused


def expected_of_admin(caller: Caller, role: Role | None) -> Outcome:
    """Say who enters a page of the administration: by session only, operators at least; None is nobody."""
    if caller.by != "session" or caller.role < Role.OPERATOR:
        return Outcome.LOGIN
    return Outcome.NO if role is None or caller.role < role else Outcome.IN


def expected_of_page(line: Line, method: str, caller: Caller, *, own: bool) -> Outcome:
    """Say who sees a page: people with a session and the role; a method that a page lacks is told to everybody."""
    may = line.may(method)
    if may is None:
        return Outcome.METHOD
    if caller.by != "session":
        return Outcome.LOGIN
    needed = may.least if own or may.others is None else may.others
    return Outcome.IN if caller.role >= needed else Outcome.NO


def outcome(response: Any) -> Outcome:
    """Say what became of a call."""
    if response.status_code == 302 and response["Location"].startswith(("/admin/login/", "/login/?next=")):
        return Outcome.LOGIN
    assert response.status_code < 500 or response.status_code == 503, response.content
    return next((one for one in Outcome if one.value == str(response.status_code)), Outcome.IN)


def call(caller: Caller, method: str, path: str, body: object = None) -> Outcome:
    """Make one call, and undo what it did."""
    with transaction.atomic():
        kind, data = "application/json", json.dumps(body) if body is not None else "{}"
        if not path.startswith(("/api/", "/boot/")):
            kind, data = (
                "application/x-www-form-urlencoded",
                urlencode(body if isinstance(body, dict) else {}),
            )
        found = outcome(caller.client().generic(method, path, data, content_type=kind))
        transaction.set_rollback(True)
    return found


def api_cases(everybody: list[Caller], world: World) -> Iterator[tuple[Caller, str, str, object, Outcome]]:
    """Give every call of the API and the plain pages, with what the table promises."""
    foreign = {**world.of("somebody"), "boot_token": "A" * 22}
    for caller in everybody:
        own = world.of(caller.owner or "stranger")
        for line in (*PAGES, *LEGACY, *V2):
            for method in METHODS:
                matters = line.owned and line.may(method) is not None
                sides = [(True, own), (False, foreign)] if matters else [(False, foreign)]
                for is_own, things in sides:
                    promised = expected(line, method, caller, own=is_own)
                    yield caller, method, line.path.format(**things), line.body, promised
        for path in NOWHERE:
            for method in METHODS:
                yield caller, method, path, None, Outcome.GONE


def page_cases(everybody: list[Caller], world: World) -> Iterator[tuple[Caller, str, str, object, Outcome]]:
    """Give every call of the pages for people, with what the table promises."""
    foreign = world.of("somebody")
    # Who comes without a session is a stranger to pages; one of each kind shows that.
    known = [
        one for one in everybody if one.by in ("session", "") or one.role is Role.ADMIN or one.by == "network"
    ]
    for caller in known:
        own = world.of(caller.owner or "stranger")
        for line in PEOPLE:
            for method in METHODS:
                sides = [(True, own), (False, foreign)] if line.owned else [(False, foreign)]
                for is_own, things in sides:
                    path = line.path.format(**things)
                    yield caller, method, path, line.body, expected_of_page(line, method, caller, own=is_own)


def admin_cases(everybody: list[Caller]) -> Iterator[tuple[Caller, str, str, Outcome]]:
    """Give every call of the administration, with what the table promises."""
    for caller in everybody:
        for method in METHODS:
            for path in ADMIN_PAGES:
                yield caller, method, path, expected_of_admin(caller, Role.OPERATOR)
            for path in ADMINS_PAGES:
                yield caller, method, path, expected_of_admin(caller, Role.ADMIN)
            # Who has not entered is sent to the front page, which sends them to the login.
            yield caller, method, "/admin/logout/", Outcome.IN
            for name, model in MODELS.items():
                for path, role in pages_of(name, model, method):
                    yield caller, method, path, expected_of_admin(caller, role)


def pages_of(name: str, model: Model, method: str) -> list[tuple[str, Role | None]]:
    """Give the pages of a model, and who may see or send them; every method but POST is a look."""
    base = f"/admin/{name}/"
    change = model.change if method == "POST" else model.view
    pages = [
        (base, model.view), (f"{base}add/", model.add), (f"{base}0/", model.view),
        (f"{base}0/history/", model.view), (f"{base}0/change/", change), (f"{base}0/delete/", model.delete),
    ]  # fmt: skip
    return [*pages, (f"{base}0/password/", model.change)] if name == "auth/user" else pages


def served(patterns: list[Any], route: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Give every path that the web process serves, and its view."""
    for pattern in patterns:
        # As Django joins them.
        here = route + str(pattern.pattern).removeprefix("^") if route else str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from served(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern):
            yield here, pattern.callback


def test_everybody_gets_where_the_table_says_and_nowhere_else(
    quick: None, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    world, everybody = World(), callers()
    wrong: list[str] = []
    counted: Counter[str] = Counter()
    for caller, method, path, body, promised in api_cases(everybody, world):
        found = call(caller, method, path, body)
        counted["API"] += 1
        if found is not promised:
            wrong.append(f"{method} {path} by {caller.name}: {found.value}, promised {promised.value}")
    cases = [("of pages", case) for case in page_cases(everybody, world)]
    cases += [
        ("of the admin", (who, how, where, None, told)) for who, how, where, told in admin_cases(everybody)
    ]
    for area, (caller, method, path, body, promised) in cases:
        found = call(caller, method, path, body)
        counted[area] += 1
        # What is not there (no row 0, a method that a page does not have) is told to whoever got in.
        got_in = promised is Outcome.IN and found in (Outcome.GONE, Outcome.METHOD)
        if found is not promised and not got_in:
            wrong.append(f"{method} {path} by {caller.name}: {found.value}, promised {promised.value}")
    with capsys.disabled():
        total = sum(counted.values())
        told = ", ".join(f"{number} {area}" for area, number in counted.items())
        print(f"\nmatrix: {total} combinations ({told})")
    record_property("combinations", sum(counted.values()))
    assert wrong == []


def test_no_path_is_missing_from_the_table(quick: None) -> None:
    things = World().of("somebody")
    paths = [line.path.format(**things) for line in (*PAGES, *PEOPLE, *LEGACY, *V2)]
    paths += [*NOWHERE, *ADMIN_PAGES, *ADMINS_PAGES, "/admin/login/", "/admin/logout/"]
    paths += [path for name, model in MODELS.items() for path, _ in pages_of(name, model, "GET")]
    asked = {(match.route, match.func) for match in (resolve(path.partition("?")[0]) for path in paths)}
    # The same path without its slash at the end is the same view.
    asked |= {(route.rstrip("/"), view) for route, view in asked}
    assert (
        sorted(route for route, view in served(get_resolver().url_patterns) if (route, view) not in asked)
        == []
    )


@pytest.mark.parametrize("caller", ["stranger", "viewer's session", "admin's session", "admin's token"])
@pytest.mark.parametrize("method", METHODS)
def test_the_old_door_of_the_administration_leads_to_the_login_page(
    quick: None, caller: str, method: str
) -> None:
    by_name = {one.name: one for one in callers()}
    response = by_name[caller].client().generic(method, "/admin/login/")
    inside = caller == "admin's session" and method == "GET"
    assert response["Location"] == ("/admin/" if inside else "/login/?next=%2Fadmin%2F")


def test_the_matrix_notices_a_line_that_promises_too_little_or_too_much(quick: None) -> None:
    world = World()
    viewer = next(one for one in callers() if one.name == "viewer's token")
    things = world.of("somebody")
    (line,) = [one for one in V2 if one.path == "/api/v2/devices/"]
    told = call(viewer, "POST", line.path.format(**things), {})
    assert told is expected(line, "POST", viewer, own=False) is Outcome.NO
    lax = replace(line, methods={**line.methods, "POST": line.methods["GET"]})
    assert told is not expected(lax, "POST", viewer, own=False)
