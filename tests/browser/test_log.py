"""A log is followed while its device works."""

from playwright.sync_api import expect

from simlab.pool import Pool
from tests.browser.conftest import As


def test_whoever_follows_a_log_sees_a_new_line_within_two_seconds(as_: As, pool: Pool) -> None:
    page, other = as_("viewer"), as_("operator")
    page.goto("/devices/panda-0013/log/")
    page.get_by_role("button", name="Follow").click()
    expect(page.get_by_text("Following: new lines appear by themselves.")).to_be_visible()
    other.goto("/devices/panda-0013/")
    token = other.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    seen = other.locator("input[name=seen]").first.input_value()
    form: dict[str, str | float | bool] = {
        "csrfmiddlewaretoken": token,
        "seen": seen,
        "comments": "a new fan at noon",
    }
    answer = other.context.request.post(
        "/devices/panda-0013/comments/", form=form, headers={"Referer": other.url}
    )
    assert answer.ok
    line = page.get_by_role("log").get_by_role("listitem").filter(has_text="a new fan at noon")
    expect(line).to_be_visible(timeout=2000)
