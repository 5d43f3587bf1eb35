"""Operators act on devices and see what becomes of each; viewers look on, whatever their browsers send."""

import re

from playwright.sync_api import Page, expect

from simlab.pool import Pool
from tests.browser.conftest import BOARDS, As

# The first rack; test_log.py has the second one.
_RACK = "/devices/?rack=p1&sort=name"


def choose(page: Page, first: str, last: str) -> None:
    """Tick a row, then one below with Shift."""
    page.get_by_label(f"Select {first}", exact=True).click()
    page.get_by_label(f"Select {last}", exact=True).click(modifiers=["Shift"])


def all_done(page: Page, number: int) -> None:
    """Wait until each device of a bulk action has been told as done, on the page as it stands."""
    page.evaluate("window.stays = true")
    rows = page.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(number)
    expect(page.get_by_text("all of them done")).to_be_visible(timeout=BOARDS)
    expect(rows.get_by_text("done", exact=True)).to_have_count(number)
    assert page.evaluate("window.stays") is True


def test_an_operator_selects_a_range_with_shift_power_cycles_it_and_sees_each_device_through(as_: As) -> None:
    page = as_("operator")
    page.goto(_RACK)
    choose(page, "panda-0006", "panda-0009")
    bar = page.get_by_role("form", name="Do something with the selected devices")
    expect(bar).to_contain_text("4 selected")
    bar.get_by_role("button", name="Power cycle", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Power cycle: 4 devices")
    for name in ("panda-0006", "panda-0007", "panda-0008", "panda-0009"):
        expect(page.get_by_role("region", name="With which devices")).to_contain_text(name)
    page.get_by_role("button", name="Power cycle: 4 devices").click()
    expect(page).to_have_url(re.compile(r"/bulk/[0-9]+/$"))
    all_done(page, 4)


def test_rows_that_a_filter_hides_are_not_acted_upon(as_: As) -> None:
    page = as_("operator")
    page.goto(_RACK)
    choose(page, "panda-0001", "panda-0003")
    page.get_by_role("searchbox").fill("panda-0002")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_label("Select panda-0001", exact=True)).to_have_count(0)
    page.get_by_label("Select panda-0002", exact=True).check()
    expect(page.get_by_role("form", name="Do something with the selected devices")).to_contain_text(
        "1 selected"
    )


def test_an_operator_installs_an_image_from_the_lifeguard_page(as_: As) -> None:
    page = as_("operator")
    page.goto(_RACK)
    page.get_by_label("Select panda-0010", exact=True).check()
    page.get_by_role("button", name="Install an image").click()
    page.get_by_label("Image", exact=True).select_option("b2g")
    page.get_by_label("b2gbase").fill("http://images.example/b2g/1234/")
    page.get_by_role("button", name="Install an image: 1 device").click()
    all_done(page, 1)
    page.goto(_RACK)
    expect(page.get_by_role("row", name=re.compile("panda-0010"))).to_contain_text("b2g")


def test_a_failed_device_is_found_in_the_admin_tested_and_ready_again(as_: As, pool: Pool) -> None:
    pool.manage("force_state", "panda-0011", "ready", "failed_self_test", "--reason", "burned in")
    page = as_("operator")
    page.goto("/admin/devices/device/")
    page.get_by_role("link", name="Failed", exact=True).click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.get_by_role("checkbox", name="panda-0011").check()
    page.get_by_label("Action:").select_option(label="Self-test")
    page.locator("#changelist-form .actions").get_by_role("button", name="Go").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Self-test: 1 device")
    page.get_by_label("Reason").fill("is it mended?")
    page.get_by_role("button", name="Self-test: 1 device").click()
    all_done(page, 1)
    page.goto("/admin/devices/device/?family=free&q=panda-0011")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)


def forged(page: Page, path: str, form: dict[str, str], **headers: str) -> int:
    """Send a form that no page shows, with all that the person's browser has; give the status."""
    return page.context.request.post(path, form=dict(form), headers={"Referer": page.url, **headers}).status


def test_a_viewer_sees_no_button_for_any_of_it_and_a_forged_form_is_refused(as_: As) -> None:
    page = as_("viewer")
    for path in ("/devices/?rack=p2", "/bmm/?rack=p2", "/racks/p2/", "/requests/", "/devices/panda-0013/"):
        page.goto(path)
        expect(page.get_by_role("checkbox", name=re.compile("Select"))).to_have_count(0)
        words = re.compile("power cycle|self-test|image|force|comment|quarantine|request", re.IGNORECASE)
        expect(page.get_by_role("button", name=words).and_(page.locator(":enabled"))).to_have_count(0)
    token = next(one["value"] for one in page.context.cookies() if one["name"] == "csrftoken")
    forms = {
        "/bulk/start/": {"verb": "please_power_cycle", "devices": "panda-0013"},
        "/bulk/confirm/": {"verb": "force_state", "device": "panda-0013"},
        "/requests/new/": {"image": "android", "duration": "3600"},
        "/devices/panda-0013/comments/": {"comments": "mine"},
        "/devices/panda-0013/quarantine/": {"reason": "mine"},
    }
    assert {
        path: forged(page, path, form, **{"X-CSRFToken": token}) for path, form in forms.items()
    } == dict.fromkeys(forms, 403)
    page.goto("/devices/panda-0013/")
    expect(page.locator(".now-state")).to_contain_text("ready")


def test_a_form_from_another_site_is_refused_though_the_operators_browser_sends_it(as_: As) -> None:
    page = as_("operator")
    page.goto("/devices/panda-0013/")
    form = {"verb": "please_power_cycle", "devices": "panda-0013"}
    assert forged(page, "/bulk/start/", form) == 403


def test_a_comment_with_a_script_is_text_on_every_page_that_shows_it(as_: As) -> None:
    page = as_("operator")
    paths = ("/devices/?q=panda-0004", "/bmm/?q=panda-0004", "/devices/panda-0004/", "/devices/panda-0004/comment/",
             "/devices/panda-0004/log/", "/admin/devices/device/?q=panda-0004")  # fmt: skip
    for path in paths:
        page.goto(path)
        where = page.locator("textarea:visible, body").filter(has_text="<script>window.stolen = 1</script>")
        expect(where.first).to_be_visible()
        assert page.evaluate("window.stolen") is None
