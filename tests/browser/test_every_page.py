"""What holds for every page, whoever made it: nothing on its console, nothing serious for axe-core, room on a phone."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

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
          const all = [...document.querySelectorAll("body *")];
          const out = all.filter((one) => one.getBoundingClientRect().right > room + 1).slice(0, 4);
          return out.map((one) => one.outerHTML.slice(0, 90)).join(" | ") || "something";
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
    expect(page.locator("h1")).to_have_count(1)
    page.set_viewport_size(_PHONE)
    assert wider_than_it_should_be(page) == ""
    page.set_viewport_size(_DESK)
    # The admin's own widgets are made, and named, a moment after the page.
    expect(page.locator(".select2-selection:not([aria-label])")).to_have_count(0)
    assert page.evaluate("window.stolen") is None
    # Before axe-core looks: what it does itself is not the page's fault.
    assert troubles.take() == []
    # A form to add something is that to change it, without what is in it.
    assert (route.is_plain and route.name.endswith("_add")) or findings(page) == []
    if route.is_plain:
        return
    page.emulate_media(color_scheme="dark")
    assert findings(page, "color-contrast") == []


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
