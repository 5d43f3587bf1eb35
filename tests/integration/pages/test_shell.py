"""What all pages share: who gets in, what a refusal looks like, what an open page is told, and how little it asks."""

import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.db import OperationalError, connection
from django.http import HttpRequest
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver, resolve

from devices import journal
from devices.models import Device, Rack
from lifeguard.services import force_state
from mozpool_site import clock
from mozpool_site.access.roles import Role
from mozpool_site.csp import POLICY
from mozpool_site.statemachine.runner import Actor
from pages.access import roles_of
from pages.home import views
from pages.live import version
from pages.shell import changes
from pages.shell.context import PLACES
from pages.shell.storage import HashedFiles
from requests_app.services import return_request
from tests.factories import make_device, make_devices, make_image, make_rack, make_request
from tests.integration.pages.conftest import Person

pytestmark = pytest.mark.django_db
OLGA = Actor("olga", "user")


def ago(**passed: float) -> datetime:
    return clock.now() - timedelta(**passed)


def everything() -> str:
    """Give the address of what changed in any rack."""
    return f"/live/devices/?racks={','.join(Rack.objects.values_list('name', flat=True))}"


def news(client: Client, path: str = "", *, before: str = "") -> object:
    """Ask as live.js does, with the version of what the page shows; give the JSON, or the status without one."""
    path = path or everything()
    answer = client.get(
        path, headers={"X-Live": "1", "If-None-Match": f'"{before}"'} if before else {"X-Live": "1"}
    )
    return answer.json() if answer.status_code == 200 else answer.status_code


# ---- who gets in -------------------------------------------------------------------------------------------------


def test_a_stranger_logs_in_and_comes_to_the_page_that_was_asked_for(client: Client) -> None:
    answer = client.get("/racks/?page=2")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=%2Fracks%2F%3Fpage%3D2")
    page = client.get(answer["Location"]).content.decode()
    assert '<input type="hidden" name="next" value="/racks/?page=2">' in page
    assert not re.search(r"<script>|<style|style=|onclick", page)


def test_a_form_that_a_stranger_sends_leads_home_after_the_login(client: Client) -> None:
    answer = client.post("/racks/p1/outlets/relay-1/")
    assert answer["Location"] == "/login/?next=%2F"


def test_an_open_page_whose_person_was_logged_out_is_told_in_words(client: Client) -> None:
    answer = client.get("/live/devices/", headers={"X-Live": "1"})
    assert (answer.status_code, answer.content) == (401, b"You are logged out.")
    assert client.get("/racks/", headers={"HX-Request": "true"})["HX-Redirect"] == "/login/"


def test_somebody_without_a_role_is_told_which_one_is_needed(someone: Person) -> None:
    answer = someone(None, "nora").get("/")
    assert answer.status_code == 403
    assert "nora is nobody; this needs viewer" in answer.content.decode()


def test_a_method_that_a_page_does_not_have_is_told_to_everybody(client: Client) -> None:
    assert client.post("/racks/").status_code == 405
    assert client.get("/attention/hand-tasks/1/done/")["Allow"] == "POST"


def test_each_page_declares_its_roles_where_the_matrix_can_read_them() -> None:
    assert roles_of(views.home) == {"GET": Role.VIEWER, "HEAD": Role.VIEWER}
    pages = [
        one for one in get_resolver().url_patterns if isinstance(one, URLResolver) and one.app_name == "pages"
    ]
    silent = [
        str(route.pattern) for one in pages for route in one.url_patterns if not roles_of(route.callback)
    ]
    assert silent == []


def test_the_navigation_leads_to_pages_that_there_are_and_only_where_one_may_go(someone: Person) -> None:
    assert [resolve(place.path).func is not None for place in PLACES] == [True] * len(PLACES)
    shown = someone("viewer").get("/racks/").content.decode()
    assert 'href="/racks/" aria-current="page"' in shown
    assert 'href="/admin/"' not in shown
    assert 'href="/admin/"' in someone("operator").get("/racks/").content.decode()


# ---- what a refusal looks like -----------------------------------------------------------------------------------


def test_a_name_that_nothing_has_is_a_page_with_the_services_sentence(someone: Person) -> None:
    answer = someone().get("/racks/<b>nosuch/")
    text = answer.content.decode()
    assert answer.status_code == 404
    assert "there is no rack &#x27;&lt;b&gt;nosuch&#x27;" in text
    assert "<h1>Not found</h1>" in text


def test_the_same_for_a_part_of_a_page_is_the_sentence_alone(someone: Person) -> None:
    answer = someone().get("/racks/nosuch/", headers={"X-Live": "1"})
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert answer.content == b"there is no rack 'nosuch'"


@pytest.mark.parametrize(("path", "kind"), [("/no/such", "text/html"), ("/api/no/such", "application/json")])
def test_people_get_pages_and_programs_get_json(client: Client, path: str, kind: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith(kind)
    assert answer["Content-Security-Policy"] == POLICY


def test_a_form_without_its_token_is_refused_with_what_to_do(someone: Person) -> None:
    answer = someone("operator", enforce_csrf_checks=True).post("/racks/p1/outlets/relay-1/")
    assert answer.status_code == 403
    assert "load the page again, and send the form once more" in answer.content.decode()


def test_while_the_database_is_away_a_page_says_so_and_tries_again(
    someone: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError(2006, "Server has gone away")

    caller = someone()
    monkeypatch.setattr(views, "at_a_glance", away)
    answer = caller.get("/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert '<meta http-equiv="refresh" content="5">' in answer.content.decode()
    part = caller.get("/live/home/", headers={"X-Live": "1"})
    assert (part.status_code, part["Content-Type"]) == (503, "text/plain; charset=utf-8")


def test_a_fault_of_ours_is_a_page_without_its_inside(
    someone: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = someone()
    caller.raise_request_exception = False
    monkeypatch.setattr(views, "at_a_glance", lambda: 1 / 0)
    answer = caller.get("/")
    assert answer.status_code == 500
    assert "<h1>A fault of ours</h1>" in answer.content.decode()
    assert "division" not in answer.content.decode()


# ---- what an open page is told ----------------------------------------------------------------------------------


def test_an_open_page_hears_of_what_changed_and_of_nothing_else(someone: Person) -> None:
    first, _ = make_device(state_since=ago(minutes=1)), make_device(state_since=ago(minutes=2))
    viewer = someone()
    told = news(viewer)
    assert isinstance(told, dict)
    assert len(told["devices"]) == 2
    assert news(viewer, before=told["version"]) == 304
    force_state(first.pk, "ready", "locked_out", by=OLGA)
    changes.forget()
    now = news(viewer, before=told["version"])
    assert isinstance(now, dict)
    assert {name: (one["state"], one["family"]) for name, one in now["devices"].items()} == {
        first.name: ("locked_out", "out")
    }


def test_being_taken_and_given_back_is_news_although_the_device_stays_ready(someone: Person) -> None:
    image = make_image()
    device = make_device(image=image, state_since=ago(hours=1))
    viewer = someone()
    told = news(viewer)
    assert isinstance(told, dict)
    request = make_request(image, state="ready", device=device)
    Device.objects.filter(pk=device.pk).update(state_since=ago(minutes=50))
    changes.forget()
    taken = news(viewer, before=told["version"])
    assert isinstance(taken, dict)
    assert taken["devices"][device.name]["family"] == "held"
    return_request(request.pk, by=OLGA)
    changes.forget()
    given_back = news(viewer, before=taken["version"])
    assert isinstance(given_back, dict)
    assert given_back["devices"][device.name]["family"] == "free"


def test_a_change_whose_transaction_ends_after_a_later_one_is_told_all_the_same(someone: Person) -> None:
    now = clock.now()
    early, late = make_device(state_since=now - timedelta(hours=1)), make_device(state_since=now)
    viewer = someone()
    told = news(viewer)
    assert isinstance(told, dict)
    moved = {"state": "locked_out", "state_since": now - timedelta(seconds=8), "idle_since": None}
    Device.objects.filter(pk=early.pk).update(**moved)
    changes.forget()
    heard = news(viewer, before=told["version"])
    assert isinstance(heard, dict)
    assert {name: one["state"] for name, one in heard["devices"].items()} == {
        early.name: "locked_out", late.name: "ready",
    }  # fmt: skip
    assert news(viewer, before=heard["version"]) == 304


def test_a_page_hears_only_of_the_devices_that_it_shows(someone: Person) -> None:
    here, there = make_device(), make_device(rack=make_rack("p2"))
    viewer = someone()
    assert [*news(viewer, "/live/devices/?racks=p2")["devices"]] == [there.name]  # type: ignore[index]
    assert [*news(viewer, f"/live/devices/?names=nosuch,{here.name}")["devices"]] == [here.name]  # type: ignore[index]
    assert [*news(viewer, "/live/devices/?racks=nosuch,p2")["devices"]] == [there.name]  # type: ignore[index]
    assert news(viewer, "/live/devices/?racks=nosuch")["devices"] == {}  # type: ignore[index]
    # Of a large pool, to tell all would be megabytes.
    assert news(viewer, "/live/devices/")["devices"] == {}  # type: ignore[index]


def test_a_version_that_another_process_told_means_the_same_here(someone: Person) -> None:
    make_devices(3)
    viewer = someone()
    told = news(viewer)
    changes.forget()
    assert isinstance(told, dict)
    assert news(viewer, before=told["version"]) == 304
    assert len(news(viewer, before="0123456789abcdef")["devices"]) == 3  # type: ignore[index]


def test_asking_for_news_costs_the_same_few_queries_however_large_the_pool(someone: Person) -> None:
    viewer = someone()
    counts = []
    for number in (2, 400):
        make_devices(number)
        changes.forget()
        path = everything()
        told = news(viewer, path)
        assert isinstance(told, dict)
        changes.forget()
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert news(viewer, path, before=told["version"]) == 304
        counts.append(len(captured))
    # Session, user, role, and the newest changes of devices and requests.
    assert counts == [5, 5]


def test_the_version_of_a_devices_story_changes_with_its_own_lines_only() -> None:
    one, other = make_devices(2)
    before = version(device=one.pk)
    journal.append([journal.line("something", clock.now(), device_id=other.pk)])
    assert version(device=one.pk) == before
    journal.append([journal.line("something", clock.now(), device_id=one.pk)])
    assert version(device=one.pk) != before


# ---- what templates share ---------------------------------------------------------------------------------------


def shown(text: str, query: str = "", **context: object) -> str:
    """Render a template with our tags."""
    request: HttpRequest = RequestFactory().get(f"/?{query}")
    return Template("{% load pool %}" + text).render(Context({"request": request, **context}))


def test_what_somebody_typed_stays_text_and_shows_its_control_characters() -> None:
    typed = "<script>alert(1)</script>\x1b[2J\u202eevil\nnext"
    assert shown("{{ typed|visible }}", typed=typed) == (
        "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[2J\\u202eevil\nnext"
    )


def test_a_badge_tells_its_family_by_colour_mark_and_word() -> None:
    device = Device(name="panda-1", state="failed_pxe_booting")
    text = shown("{% device_badge device %}", device=device)
    assert 'data-device="panda-1" data-family="failed" data-state="failed_pxe_booting"' in text
    assert "✕" in text
    assert "failed pxe booting" in text
    assert 'data-family="held"' in shown("{% badge state held %}", state="ready", held=7)
    assert 'data-family="request-failed"' in shown("{% request_badge state %}", state="failed_device_busy")


def test_a_header_sorts_by_its_column_then_the_other_way_and_keeps_the_filters() -> None:
    header = "{% sort_header 'name' 'Name' %}"
    assert 'href="?rack=p1&amp;sort=name"' in shown(header, "rack=p1&page=7")
    text = shown(header, "sort=name")
    assert 'aria-sort="ascending"' in text
    assert 'href="?sort=-name"' in text


def test_a_module_that_another_imports_is_loaded_once_under_its_hashed_name(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(Path(settings.BASE_DIR) / "static" / "pages", source / "pages")
    files = FileSystemStorage(source)
    names = [str(path.relative_to(source)) for path in source.rglob("*.*s")]
    storage = HashedFiles(location=str(target))
    for name in names:
        with files.open(name) as content:
            storage.save(name, content)
    assert [
        str(done)
        for *_, done in storage.post_process({name: (files, name) for name in names})
        if done is not True
    ] == []
    racks = (target / storage.stored_name("pages/racks.js")).read_text()
    assert re.search(r'from "\./live\.[0-9a-f]{12}\.js"', racks)


def test_every_template_can_be_read() -> None:
    call_command("check", "--tag", "templates")
    for path in sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html")):
        Template(path.read_text(encoding="utf-8"))


def test_what_live_tells_is_what_the_page_shows(someone: Person) -> None:
    device = make_device(state="pxe_booting", idle_since=None)
    page = someone().get(f"/racks/{device.rack.name}/").content.decode()
    told = json.loads(someone("operator").get(everything()).content)["devices"][device.name]
    assert f'data-family="{told["family"]}" data-state="{told["state"]}"' in page
    assert f'<span data-field="words">{told["words"]}</span>' in page
