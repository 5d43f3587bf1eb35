"""Devices for pytest: the fixture `mozpool_device`, for each test one, or `mozpool_session_device`, one for all.

Nothing is asked of a pool unless a test takes a fixture. What the device should have is said on the command
line, or test by test: `@pytest.mark.mozpool(image="b2g", boot_config={...}, tags=[...])`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

# The client itself is imported when a fixture is used, and this module is not part of its package: every run of
# pytest where it is installed loads this.
if TYPE_CHECKING:
    from mozpool_client.holding import Hold

_WISHES = frozenset(
    {
        "image",
        "device",
        "environment",
        "hardware",
        "tags",
        "boot_config",
        "duration",
        "max_wait",
        "assignee",
        "priority",
        "timeout",
    }
)
# Renewed again and again: a device is free again so many seconds after a run that was killed.
_HOLD_SECONDS = 600


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("mozpool", "devices from a Mozpool")
    group.addoption("--mozpool-image", metavar="NAME", help="image of the devices that tests get")
    group.addoption(
        "--mozpool-set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a value that the image needs; may be repeated",
    )
    group.addoption(
        "--mozpool-server", metavar="URL", action="append", default=[], help="a server; may be repeated"
    )
    group.addoption(
        "--mozpool-timeout", metavar="DURATION", help="give up when none is ready by then, such as 30m"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "mozpool(image, device, environment, hardware, tags, boot_config, duration, max_wait, timeout): "
        "what the device of mozpool_device should have",
    )


@pytest.fixture
def mozpool_device(request: pytest.FixtureRequest) -> Iterator[Hold]:
    """Give a device of this test's own: `.device.name`, `.device.fqdn`, `.device.address`, `.request`, `.lost`."""
    marker = request.node.get_closest_marker("mozpool")
    yield from _held(request.config, dict(marker.kwargs) if marker else {})


@pytest.fixture(scope="session")
def mozpool_session_device(pytestconfig: pytest.Config) -> Iterator[Hold]:
    """Give one device for all tests of the run; the command line says what it should have."""
    yield from _held(pytestconfig, {})


def _held(config: pytest.Config, wishes: dict[str, Any]) -> Iterator[Hold]:
    from mozpool_client import config as settings  # noqa: PLC0415 -- see above
    from mozpool_client.errors import MozpoolError  # noqa: PLC0415 -- the same
    from mozpool_client.sync import Mozpool  # noqa: PLC0415 -- the same

    chosen = _chosen(config, wishes)
    try:
        found = settings.load(config.getoption("--mozpool-server"))
        pool = Mozpool(found.servers, found.token)
    except MozpoolError as error:
        pytest.fail(f"mozpool: {error}", pytrace=False)
    with pool:
        hold = pool.hold(**chosen)
        try:
            hold.__enter__()
        except MozpoolError as error:
            pytest.fail(f"mozpool: {error}", pytrace=False)
        try:
            yield hold
            lost = hold.lost
        finally:
            hold.__exit__(None, None, None)
        if lost:
            pytest.fail(
                f"mozpool: the device was lost: request {hold.request.id} is {hold.request.state}",
                pytrace=False,
            )


def _chosen(config: pytest.Config, wishes: dict[str, Any]) -> dict[str, Any]:
    """Put together what the command line and the marker say; the marker wins."""
    unknown = sorted(set(wishes) - _WISHES)
    if unknown:
        raise pytest.UsageError(
            f"mozpool marker: {unknown[0]!r} is not known; these are: {', '.join(sorted(_WISHES))}"
        )
    image = wishes.pop("image", None) or config.getoption("--mozpool-image")
    if not image:
        raise pytest.UsageError("no image: give --mozpool-image, or @pytest.mark.mozpool(image=...)")
    values = {**_values(config), **(wishes.pop("boot_config", None) or {})}
    timeout = wishes.pop("timeout", None) or config.getoption("--mozpool-timeout")
    return {
        "duration": _HOLD_SECONDS,
        **wishes,
        "image": image,
        "boot_config": values,
        "timeout": None if timeout is None else _seconds(timeout),
    }


def _values(config: pytest.Config) -> dict[str, str]:
    values = {}
    for word in config.getoption("--mozpool-set"):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise pytest.UsageError(f"--mozpool-set {word!r}: write KEY=VALUE")
        values[key] = value
    return values


def _seconds(timeout: object) -> int:
    from mozpool_client.durations import parse_duration  # noqa: PLC0415 -- see above

    try:
        return parse_duration(str(timeout))
    except ValueError as error:
        raise pytest.UsageError(f"mozpool timeout: {error}") from None
