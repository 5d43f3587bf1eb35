"""No statement of a page or a call reads more than it shows, however long the pool has been at work.

Each is made against tables of years, nothing remembered, and the database itself tells how many rows it read; one that
read too many is told with its plan.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from mozpool_site import clock
from mozpool_site.api.v2.views import Collection
from tests.integration.growth.conftest import COUNTED, SEARCHED, forget
from tests.large_pool import RACK, Size
from tests.statements import Statement, watched

# A page has a hundred rows and what they point at; a list of the administration looks at some hundreds more.
ENOUGH = SEARCHED + COUNTED + 1500
ADMIN_LISTS = (
    "bmm/operation/", "bmm/operation/?status__exact=failed", "bmm/operation/?kind__exact=ping",
    "bmm/operation/?status__exact=failed&kind__exact=ping", "bmm/operation/?rack__id__exact={rack}",
    "bmm/operation/?q=panda-100011", "bmm/operation/?q=7", "bmm/operation/?q=7&status__exact=failed",
    "lifeguard/install/", "lifeguard/install/?succeeded__exact=0", "lifeguard/install/?image__id__exact={image}",
    "lifeguard/install/?q=panda-100011", "lifeguard/install/?q=7",
    "requests_app/request/", "requests_app/request/?state=closed",
    "requests_app/request/?state=failed_device_not_found",
    "requests_app/request/?state=pending", "requests_app/request/?image__id__exact={image}",
    "requests_app/request/?image__id__exact={image}&state=closed", "requests_app/request/?q=panda-100011",
    "requests_app/request/?q=person-7", "requests_app/request/?q=nobody", "requests_app/request/?q=7",
    "requests_app/delivery/", "requests_app/delivery/?status__exact=waiting", "requests_app/delivery/?q=request:7",
    "requests_app/delivery/?q={webhook}", "requests_app/delivery/?q=msg_7", "requests_app/attempt/",
    "requests_app/attempt/?q=7", "requests_app/dailyfigures/",
    "access/auditentry/", "access/auditentry/?q=user-7", "access/auditentry/?q=panda-100011",
    "access/auditentry/?q=nobody",
    "devices/journal/", "devices/journal/?source__exact=machine", "devices/journal/?source__exact=user",
    "devices/journal/?q=panda-100011", "devices/journal/?q=7",
    "devices/device/", "devices/device/?family=failed", "devices/device/?rack=p7", "devices/device/?health=flapping",
    "devices/device/?q=panda-1000", "devices/device/?o=-3", "devices/device/?environment=staging",
)  # fmt: skip


PAGES = (
    "", "racks/", "racks/p7/", "devices/", "devices/?family=failed", "devices/panda-100011/", "bmm/",
    "requests/", "requests/?show=closed", "requests/?show=all&assignee=person-7", "requests/?show=all&assignee=nobody",
    "requests/?show=all&owner=ci-7", "requests/?show=all&owner=ci-7&sort=created",
    "requests/?show=all&environment=production", "requests/?show=all&environment=production&sort=-expires",
    "requests/?show=closed&image=b2g", "requests/?show=closed&image=b2g&assignee=nobody",
    "requests/?show=all&device=panda-100011&sort=-created", "requests/?state=failed_device_not_found",
    "requests/?state=failed_device_busy", "requests/?state=pending", "requests/?show=all&text=zebra",
    "requests/new/", "images/", "statistics/?days=1", "statistics/?days=7", "statistics/?days=30",
    "statistics/?days=90", "statistics/?days=7&environment=staging", "attention/",
    "live/home/?racks=p1", "live/devices/?racks=p1",
)  # fmt: skip
HOUR = "since={begin}&until={end}"
CALLS = (
    *(f"requests/?{one}&ordering={sign}id" for sign in ("", "-") for one in (
        "", "owner=ci-7", "owner=me", "assignee=person-7", "assignee=nobody", "image=b2g", "device=panda-100011",
        "open=true", "open=false", "state=closed", "state=failed_device_busy", "state=pending", "state=finding_device",
        "environment=production", "environment=nowhere", "tag=hdmi", "tag=zebra", "owner=ci-7&open=false",
        "owner=ci-7&state=failed_device_busy", "image=b2g&assignee=nobody", "open=true&tag=zebra",
        "open=true&assignee=waits", "device=panda-100011&state=closed",
    )),
    *(f"requests/?{one}&ordering={order}" for order in ("created", "-created", "expires", "-expires") for one in (
        "", "open=true", "open=false", "open=true&tag=hdmi", "device=panda-100011", "state=ready",
    )),
    *(f"journal/?{HOUR}&{one}" for one in ("", "event=health_ok", "event=nosuch", "actor=ada", "actor=nobody")),
    "journal/?device=panda-100011&event=nosuch", "journal/?request=7&source=user",
    "operations/", "operations/?status=failed", "operations/?kind=ping", "operations/?device=panda-100011&kind=ping",
)  # fmt: skip
# Each list of the API that can be narrowed down, and some values for each of its filters.
FILTERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "requests": {
        "state": ("closed", "pending"), "open": ("true", "false"), "owner": ("ci-7", "nobody", "me"),
        "assignee": ("person-7", "nobody"), "image": ("b2g",), "device": ("panda-100011",),
        "environment": ("any", "production", "nowhere"), "tag": ("hdmi", "zebra"),
    },
    "devices": {
        "state": ("ready", "locked_out"), "rack": ("p7",), "environment": ("staging", "nowhere"),
        "hardware_type": ("panda/es-b3",), "image": ("b2g",), "health": ("good", "bad"), "tag": ("zebra",),
        "held": ("true", "false"), "idle": ("true", "false"), "search": ("panda-1000", "zebra"),
    },
    "operations": {
        "device": ("panda-100011",), "controller": ("board-7",), "status": ("failed", "lost", "queued"),
        "kind": ("ping", "power_off"),
    },
    "journal": {
        "device": ("panda-100011",), "request": ("7",), "source": ("machine", "user"), "actor": ("ada", "nobody"),
        "event": ("health_ok", "nosuch"), "since": ("{begin}",), "until": ("{end}",),
    },
    "images": {"hidden": ("true", "false"), "reusable": ("true", "false")},
    "boot-configs": {"active": ("true", "false")},
    "power-controllers": {"rack": ("p7",)},
}  # fmt: skip
# No index has these orders: they are refused, by name.
REFUSED = (
    *(f"requests/?{one}&ordering={order}" for order in ("created", "-expires") for one in (
        "owner=ci-7", "assignee=person-7", "image=b2g", "state=closed", "environment=production", "tag=hdmi",
    )),
)  # fmt: skip


def wasteful(client: Client, size: Size, path: str) -> list[Statement]:
    """Look at a page, and give the statements that read too much."""
    forget()
    with watched() as statements:
        answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return [one for one in statements if one.rows > _allowed(one, size)]


def _allowed(statement: Statement, size: Size) -> int:
    """Say how many rows a statement may read: of the devices all, once, if it is about them."""
    # A row of SQLite's takes more steps the more is asked of it.
    return ENOUGH + (4 * size.devices if "devices_device" in statement.sql else 0)


def told(found: list[Statement]) -> str:
    return "\n".join(f"{one.rows} rows: {one.sql[:2000]}\n{one.plan}" for one in found)


@pytest.fixture
def numbers(years: Size, db: None) -> dict[str, int]:
    """Give the numbers that paths name."""
    from devices.models import Image, Rack  # noqa: PLC0415 - Django had to be set up first
    from requests_app.webhooks.models import Webhook  # noqa: PLC0415 - the same

    return {
        "rack": Rack.objects.get(name="p7").pk, "image": Image.objects.get(name="b2g").pk,
        "webhook": Webhook.objects.get().pk,
    }  # fmt: skip


@pytest.mark.parametrize("path", ADMIN_LISTS)
def test_a_list_of_the_administration_reads_little(
    root: Client, years: Size, numbers: dict[str, int], path: str
) -> None:
    found = wasteful(root, years, f"/admin/{path}".format(**numbers))
    assert not found, told(found)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_reads_little(root: Client, years: Size, path: str) -> None:
    found = wasteful(root, years, f"/{path}")
    assert not found, told(found)


@pytest.mark.parametrize("path", CALLS)
def test_a_call_of_the_api_reads_little(root: Client, years: Size, path: str) -> None:
    # As the pool of years begins, a day has some hundred lines.
    begin = clock.now() - timedelta(days=1)
    hour = {"begin": f"{begin:%Y-%m-%dT%H:00:00Z}", "end": f"{begin:%Y-%m-%dT%H:59:59Z}"}
    found = wasteful(root, years, f"/api/v2/{path}".format(**hour))
    assert not found, told(found)


@pytest.mark.parametrize("name", FILTERS)
def test_whatever_a_list_is_narrowed_down_and_ordered_by_it_reads_little_or_refuses_by_name(
    root: Client, years: Size, name: str
) -> None:
    begin = clock.now() - timedelta(days=1)
    hour = {"begin": f"{begin:%Y-%m-%dT%H:00:00Z}", "end": f"{begin:%Y-%m-%dT%H:59:59Z}"}
    found: list[str] = []
    answered = 0
    for query in _queries(name):
        link = f"/api/v2/{name}/?{query}".format(**hour)
        # The page after the first one, too: it begins in the middle of an index.
        for _ in range(2):
            with watched() as statements:
                answer = root.get(link)
            told_of = {part.split("=")[0] for part in query.split("&")}
            if answer.status_code == 400:
                assert answer.json()["field"] in told_of, (link, answer.content)
                break
            assert answer.status_code == 200, (link, answer.content)
            answered += 1
            # Why requests wait is told of all devices, read each two seconds; of a list of devices a page is read, but
            # what most devices meet MariaDB looks for among all of them, once.
            strictly = name == "devices" and not ("held=false" in query or "idle=false" in query)
            most = [ENOUGH if strictly else _allowed(one, years) for one in statements]
            found += [
                f"{link}: {told([one])}"
                for one, rows in zip(statements, most, strict=True)
                if one.rows > rows
            ]
            link = answer.json()["next"]
            if link is None:
                break
    assert not found, f"{len(found)}:\n" + "\n".join(found)
    assert answered > 2 * len(FILTERS[name])


def test_every_list_that_can_be_narrowed_down_is_among_those_that_are_tried() -> None:
    views = {_view(name): set(values) for name, values in FILTERS.items()}
    assert {view: set(view.filterset_class.base_filters) for view in views} == views
    with_filters = {view for view in _below(Collection) if view.filterset_class is not None}
    assert {view.filterset_class for view in with_filters} == {view.filterset_class for view in views}


def _view(name: str) -> Any:
    return resolve(f"/api/v2/{name}/").func.cls  # type: ignore[attr-defined]


def _below(view: Any) -> Iterator[Any]:
    for child in view.__subclasses__():
        yield child
        yield from _below(child)


def _queries(name: str) -> Iterator[str]:
    """Yield each value of each filter in each order, and each two filters in each column's order."""
    filters = FILTERS[name]
    columns = [ordering.removeprefix("-") for ordering in _view(name).orderings]
    for column in columns:
        for sign in ("", "-"):
            yield f"ordering={sign}{column}"
            for one, values in filters.items():
                yield from (f"{one}={value}&ordering={sign}{column}" for value in values)
        for one, other in combinations(filters, 2):
            yield f"{one}={filters[one][0]}&{other}={filters[other][-1]}&ordering={column}"


@pytest.mark.parametrize("path", REFUSED)
def test_an_order_that_no_index_has_is_refused(root: Client, path: str) -> None:
    answer = root.get(f"/api/v2/{path}")
    assert (answer.status_code, answer.json()["field"]) == (400, "ordering"), answer.content


def test_more_than_an_hour_of_the_journal_is_not_searched_for_words(root: Client) -> None:
    answer = root.get(
        "/api/v2/journal/?event=health_ok&since=2026-01-01T00:00:00Z&until=2026-01-01T01:00:01Z"
    )
    assert answer.status_code == 400
    assert "an hour at most" in answer.content.decode()


def test_open_pages_are_told_of_the_racks_that_they_show(root: Client) -> None:
    forget()
    assert len(root.get("/live/devices/?racks=p1").json()["devices"]) == RACK
    assert root.get("/live/devices/").json()["devices"] == {}
    assert len(root.get("/live/home/").json()["devices"]) == 0
