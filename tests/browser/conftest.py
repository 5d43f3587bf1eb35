"""One browser, and one pool of simulated boards, for all tests here; each person has logged in by the form."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import django
import pytest
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, expect

from simlab.pool import Pool, PoolPlan
from tests.browser.chromium import chromium, log_in
from tests.browser.troubles import Troubles
from tests.network import own_network
from tests.servers.mariadb import MariaDB
from tests.servers.redis import Redis

# For the resolver of URLs; pytest-django looked for settings before tests/conftest.py had named them.
django.setup()

# Boards so much faster than real ones: installed within a few seconds.
SPEED = 40.0
DEVICES = 24
# Milliseconds for what takes no board: a page, a part of it, an animation.
PATIENCE = 10_000
# Milliseconds for a board to be installed, and to be proved to work.
BOARDS = 40_000
_WINDOW = ViewportSize(width=1280, height=800)
Opened = tuple[Page, Troubles]
Visit = Callable[[str], AbstractContextManager[Opened]]
As = Callable[[str], Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give Debian's Chromium, without a window."""
    expect.set_options(timeout=PATIENCE)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Give a pool of two racks: web, worker, pulse and lab, each a real process, on servers of its own."""
    with own_network() as network, MariaDB() as database, Redis() as broker:
        plan = PoolPlan(
            database_url=database.url,
            broker_url=broker.url,
            racks=2,
            devices=DEVICES,
            speed=SPEED,
            seed=("--network", f"{network}.0.0/16", "--seed", "7"),
            web_processes=1,
            web_threads=8,
        )
        with Pool(plan, tmp_path_factory.mktemp("browser")) as running:
            yield running


@pytest.fixture(scope="session")
def world(pool: Pool) -> dict[str, Any]:
    """Give what world.py has put into the pool."""
    script = "from tests.browser.world import main; main()"
    told: dict[str, Any] = json.loads(pool.manage("shell", "--no-imports", "-c", script).stdout)
    return told


@pytest.fixture(scope="session")
def visit(browser: Browser, pool: Pool, world: dict[str, Any]) -> Visit:
    """Give a maker of windows at which somebody sits; "" is a stranger."""
    known: dict[str, StorageState] = {}

    @contextmanager
    def opened(name: str) -> Iterator[Opened]:
        context = browser.new_context(base_url=pool.url, storage_state=known.get(name), viewport=_WINDOW)
        context.set_default_timeout(PATIENCE)
        troubles, page = Troubles(context), context.new_page()
        if name and name not in known:
            page.goto("/login/")
            log_in(page, name)
            expect(page).to_have_url(f"{pool.url}/")
            known[name] = context.storage_state()
        yield page, troubles
        context.close()

    return opened


@pytest.fixture
def as_(visit: Visit) -> Iterator[As]:
    """Give a maker of pages at which somebody sits; none of them may have had any trouble when the test is over."""
    with ExitStack() as stack:
        windows: list[Opened] = []

        def open_as(name: str) -> Page:
            windows.append(stack.enter_context(visit(name)))
            return windows[-1][0]

        yield open_as
        assert [line for _, troubles in windows for line in troubles.found] == []
