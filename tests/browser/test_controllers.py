"""An administrator has a power controller asked on its page in the admin, and the page follows the answer."""

from playwright.sync_api import expect

from simlab.pool import Pool
from tests.browser.conftest import As

_WRONG = """
from devices.models import PowerController, Rack
print(PowerController.objects.create(name="wrong", rack=Rack.objects.get(name="p1"), address="127.0.0.1",
    settings={"nosuch": 1}).pk)
"""


def test_what_is_wrong_with_a_controller_is_told_each_time_that_it_is_asked(as_: As, pool: Pool) -> None:
    key = pool.manage("shell", "--no-imports", "-c", _WRONG).stdout.strip()
    page = as_("admin")
    page.goto(f"/admin/devices/powercontroller/{key}/outlets/")
    outlets = page.locator("#outlets")
    for _ in range(2):
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.get_by_role("button", name="Read all outlets now").click()
        expect(outlets.get_by_role("alert")).to_contain_text("nosuch")
        expect(outlets).not_to_have_attribute("aria-busy", "true")
