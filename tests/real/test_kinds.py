"""Two kinds of machines, four at once: behind QEMU's user networking, and on a bridge with addresses of their own."""

from collections.abc import Iterator

import pytest

from reallab import bridge
from reallab.kinds import ARM, X86
from reallab.lab import RealLab, Wish
from reallab.network import Network
from reallab.plan import IMAGE
from reallab.story import Story
from tests.real.conftest import Labs
from tests.real.steps import INSTALLED, REUSED, Chapter

_FOUR = [Wish(ARM), Wish(X86), Wish(ARM), Wish(X86)]
_SECONDS = 240


@pytest.fixture
def on_bridge() -> Iterator[Network]:
    """Give a bridge in a network namespace of this test's own."""
    reason = bridge.why_not()
    if reason:
        pytest.skip(reason)
    with bridge.namespace():
        yield bridge.bridge(len(_FOUR))


def test_four_machines_of_two_kinds_are_installed_at_once_and_used_again(labs: Labs, user: Network) -> None:
    with labs(_FOUR, user) as lab:
        _everybody(lab, INSTALLED)
        _everybody(lab, REUSED)


def test_on_a_bridge_they_answer_ping_exactly_while_they_are_up(labs: Labs, on_bridge: Network) -> None:
    with labs(_FOUR, on_bridge) as lab:
        assert _pings(lab) == [False] * len(_FOUR)
        _everybody(lab, INSTALLED)
        assert _pings(lab) == [True] * len(_FOUR)
        lab.pool.manage("power_off", *lab.machines, "--reason", "the end of the day")
        assert _pings(lab) == [False] * len(_FOUR)


def _everybody(lab: RealLab, states: list[str]) -> None:
    """Have each machine prepared for a request at the same time, and give all of them back."""
    story = Story(lab.pool.url)
    chapters = {name: Chapter(story, name) for name in lab.machines}
    requests = {name: story.request(name, IMAGE) for name in lab.machines}
    for name, request in requests.items():
        assert story.until_ready(request, _SECONDS) == name
    assert {name: chapter.states() for name, chapter in chapters.items()} == dict.fromkeys(chapters, states)
    for request in requests.values():
        story.give_back(request)


def _pings(lab: RealLab) -> list[bool]:
    story = Story(lab.pool.url)
    return [bool(story.call(f"/api/device/{name}/ping/")["success"]) for name in lab.machines]
