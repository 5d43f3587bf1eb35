"""`make screenshots`: pictures of every page, over 800 simulated devices, into docs/img."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from simlab.pool import ROOT, Pool, PoolPlan
from tests.browser.chromium import chromium, log_in
from tests.browser.png import small
from tests.servers.redis import Redis

FOLDER = ROOT / "docs" / "img"
# name: address. What is in braces is what pictured.py tells.
PAGES = {
    "home": "/",
    "requests": "/requests/",
    "request": "/requests/{request}/",
    "request-new": "/requests/new/",
    "request-return": "/requests/{request}/return/",
    "request-log": "/requests/{request}/log/",
    "devices": "/devices/?rack=p1",
    "device": "/devices/{busy}/",
    "device-failed": "/devices/{failed}/",
    "device-log": "/devices/{failed}/log/",
    "racks": "/racks/",
    "rack": "/racks/p3/",
    "hardware": "/bmm/?rack=p1",
    "bulk-confirm": "/bulk/confirm/?verb=please_image&device={failed}&device=panda-0101&device={busy}",
    "bulk": "/bulk/{batch}/",
    "bulks": "/bulk/",
    "images": "/images/",
    "statistics": "/statistics/",
    "attention": "/attention/",
    "admin-devices": "/admin/devices/device/?family=failed",
    "admin-device": "/admin/devices/device/{failed_id}/change/",
    "admin-matrix": "/admin/devices/imagebootconfig/matrix/",
}
DARK = ("home", "racks", "device", "statistics", "admin-devices")
PHONE = ("home", "requests", "request", "devices", "device", "rack", "attention")
_TALLEST = 1500
_SELECTED = ("panda-0003", "panda-0004", "panda-0005")


def main() -> None:
    """Take all pictures, or those whose names are given."""
    wanted = set(sys.argv[1:])
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Redis() as broker:
        plan = PoolPlan(
            database_url=f"sqlite:///{folder}/pool.sqlite3",
            broker_url=broker.url,
            racks=10,
            devices=800,
            lab=False,
        )
        pool = Pool(plan, Path(folder))
        try:
            pool.seed()
            script = "from tests.browser.pictured import main; main()"
            told = json.loads(pool.manage("shell", "--no-imports", "-c", script).stdout)
            pool.start_web()
            pool.wait_for_web()
            take(pool.url, told, wanted)
        finally:
            pool.stop()


def take(url: str, told: dict[str, Any], wanted: set[str]) -> None:
    """Take the pictures as somebody who may do everything."""
    with chromium() as browser:
        page = browser.new_page(
            base_url=url, viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
        )
        page.goto("/login/")
        _shoot(page, "login", wanted)
        log_in(page, "olga")
        page.wait_for_url(f"{url}/")
        shots = [
            *((name, "light", 1280, name) for name in PAGES),
            *((name, "dark", 1280, f"{name}-dark") for name in DARK),
            *((name, "light", 360, f"{name}-phone") for name in PHONE),
        ]
        for name, scheme, width, file in shots:
            if wanted and file not in wanted:
                continue
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.set_viewport_size({"width": width, "height": 800 if width > 360 else 740})
            page.goto(PAGES[name].format_map(told))
            if file == "devices":
                for device in _SELECTED:
                    page.get_by_label(f"Select {device}", exact=True).check()
            _shoot(page, file, wanted)


def _shoot(page: Page, name: str, wanted: set[str]) -> None:
    if wanted and name not in wanted:
        return
    page.wait_for_load_state("networkidle")
    width = page.viewport_size["width"] if page.viewport_size else 1280
    height = min(_TALLEST, max(600, page.evaluate("document.documentElement.scrollHeight")))
    page.set_viewport_size({"width": width, "height": height})
    path = FOLDER / f"{name}.png"
    path.write_bytes(small(page, page.screenshot(animations="disabled", caret="hide")))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
