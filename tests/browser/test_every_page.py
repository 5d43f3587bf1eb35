"""What holds for every page, whoever made it: nothing on its console, nothing serious for axe-core, room on a phone."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize

from tests.browser.addresses import PARTS, Route, routes
from tests.browser.axe import findings
from tests.browser.conftest import Opened, Visit
from tests.browser.people import SCRIPT

_ROUTES = routes()
_DESK, _PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=360, height=740)
# The admin asks its models who may: nobody adds to a journal, or takes something out of it.
_MAY_BE_REFUSED = ("_add", "_delete")


@pytest.fixture(scope="module")
def window(visit: Visit) -> Iterator[Opened]:
    """Give one window of somebody who may see everything; all pages are loaded into it, one after the other."""
    with visit("root") as opened:
        yield opened


def wider_than_it_should_be(page: Page) -> str:
    """Name what sticks out of the window on its right; empty when nothing can be scrolled there."""
    told: str = page.evaluate(
        """() => {
          const room = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= room) return "";
          const out = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > room + 1);
          return `${document.documentElement.scrollWidth} px: ${out.slice(0, 4).map((one) => one.outerHTML.slice(0, 90)).join(" | ")}`;
        }"""
    )
    return told


@pytest.mark.parametrize(
    "route",
    [route for route in _ROUTES if route.name not in PARTS],
    ids=lambda route: route.template or "home",
)
def test_a_page_is_sound_in_the_light_in_the_dark_and_on_a_phone(
    window: Opened, world: dict[str, Any], route: Route
) -> None:
    page, troubles = window
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size(_DESK)
    troubles.take()
    answer = page.goto(route.path(world))
    assert answer is not None
    if answer.status == HTTPStatus.FORBIDDEN and route.name.endswith(_MAY_BE_REFUSED):
        return
    assert answer.status == HTTPStatus.OK
    assert page.title()
    assert page.locator("h1").count() == 1
    seen = {"light": findings(page)}
    page.emulate_media(color_scheme="dark")
    seen["dark"] = findings(page, "color-contrast")
    page.set_viewport_size(_PHONE)
    seen["phone"] = [wide] if (wide := wider_than_it_should_be(page)) else []
    assert {where: found for where, found in seen.items() if found} == {}
    assert page.evaluate("window.stolen") is None
    assert troubles.take() == []


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_part_is_asked_for_by_its_page_and_is_no_page_itself(
    window: Opened, world: dict[str, Any], name: str
) -> None:
    page, _ = window
    (route,) = [route for route in _ROUTES if route.name == name]
    answer = page.context.request.get(route.path(world), headers={"X-Live": "1"})
    assert answer.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
    assert "<html" not in answer.text()
    assert SCRIPT not in answer.text() or name == "live_devices"
