"""People who use no mouse: the first key leads past the navigation, and the next ones to what the page is for."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import As

# Keys from the top of the content to the page's main action, at most.
_MOST_KEYS = 30


def skip(page: Page) -> None:
    """Take the link that the first key reaches."""
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to the content")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def keys_to(page: Page, role: str, name: str) -> int:
    """Press Tab until an element has the focus; give how often."""
    wanted = page.locator(":focus").and_(page.get_by_role(role, name=re.compile(name)))  # type: ignore[arg-type]
    for keys in range(1, _MOST_KEYS + 1):
        page.keyboard.press("Tab")
        if wanted.count():
            return keys
    raise AssertionError(f"{role} {name!r} was not reached by {_MOST_KEYS} keys")


@pytest.mark.parametrize(
    ("path", "role", "name"),
    [
        ("/", "link", "Requests|Mozpool"),
        ("/requests/", "link", "New request"),
        ("/requests/new/", "button", "File the request"),
        ("/devices/?q=panda-0001", "checkbox", "Select panda-0001"),
        ("/devices/panda-0001/", "button", "Power cycle|Self-test"),
        ("/devices/panda-0001/log/", "button", "Follow"),
        ("/racks/p1/", "link", "panda-0001"),
        ("/bulk/", "link", "Comment"),
    ],
)
def test_the_skip_link_and_the_main_action_of_a_page_are_reached_by_keys(
    as_: As, path: str, role: str, name: str
) -> None:
    page = as_("operator")
    page.goto(path)
    skip(page)
    assert keys_to(page, role, name)


def test_a_range_is_selected_and_let_go_by_keys_alone(as_: As) -> None:
    page = as_("operator")
    page.goto("/devices/?rack=p1&sort=name")
    page.get_by_label("Select panda-0001", exact=True).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    bar = page.get_by_role("form", name="Do something with the selected devices")
    expect(bar).to_contain_text("3 selected")
    page.keyboard.press("Escape")
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)
