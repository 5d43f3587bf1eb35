"""Somebody comes with nothing but a password, and leaves with a device that has been proved to work."""

import re

from playwright.sync_api import Page, expect

from tests.browser.chromium import log_in
from tests.browser.conftest import BOARDS, As


def stays(page: Page) -> None:
    """Mark the page as it is now: the mark is gone when it is loaded again."""
    page.evaluate("window.stays = true")


def stayed(page: Page) -> bool:
    return page.evaluate("window.stays === true") is True


def test_a_requester_logs_in_files_a_request_and_sees_it_become_ready_without_reloading(as_: As) -> None:
    page = as_("")
    page.goto("/requests/new/")
    expect(page).to_have_title("Log in – Mozpool")
    log_in(page, "requester")
    expect(page.get_by_role("heading", level=1)).to_have_text("New request")
    # Not reusable: it is installed in any case.
    page.get_by_role("radio", name=re.compile("^linux")).check()
    expect(page.locator("#outlook")).to_contain_text(re.compile("[0-9]+"))
    page.get_by_role("button", name="File the request").click()
    expect(page).to_have_url(re.compile(r"/requests/[0-9]+/$"))
    stays(page)
    head = page.get_by_role("region", name="How it stands")
    expect(head).to_contain_text("pending")
    progress = page.get_by_role("region", name="Progress")
    expect(progress.locator(".step[aria-current=step]")).not_to_have_count(0)
    expect(head).to_contain_text("ready linux", timeout=BOARDS)
    expect(progress.locator(".step-done")).not_to_have_count(0)
    expect(page.get_by_role("region", name="Its device")).to_contain_text("panda-")
    assert stayed(page)
    page.get_by_role("link", name="Return…").click()
    page.get_by_role("button", name=re.compile("Return")).click()
    expect(page.get_by_role("region", name="How it stands")).to_contain_text("closed")
