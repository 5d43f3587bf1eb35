"""Two kinds of machines, four at once: behind QEMU's user networking, and on a bridge with addresses of their own."""

from reallab.kinds import ARM, X86
from reallab.lab import RealLab, Wish
from reallab.network import Network
from reallab.story import Story
from tests.real.conftest import Bridged, Labs
from tests.real.steps import INSTALLED, REUSED, everybody

_FOUR = [Wish(ARM), Wish(X86), Wish(ARM), Wish(X86)]
_SECONDS = 240


def test_four_machines_of_two_kinds_are_installed_at_once_and_used_again(labs: Labs, user: Network) -> None:
    with labs(_FOUR, user) as lab:
        everybody(lab, INSTALLED, _SECONDS)
        everybody(lab, REUSED, _SECONDS)


def test_on_a_bridge_they_answer_ping_exactly_while_they_are_up(labs: Labs, bridged: Bridged) -> None:
    with labs(_FOUR, bridged(_FOUR)) as lab:
        assert _pings(lab) == [False] * len(_FOUR)
        everybody(lab, INSTALLED, _SECONDS)
        assert _pings(lab) == [True] * len(_FOUR)
        lab.pool.manage("power_off", *lab.machines, "--reason", "the end of the day")
        assert _pings(lab) == [False] * len(_FOUR)


def _pings(lab: RealLab) -> list[bool]:
    story = Story(lab.pool.url)
    return [bool(story.call(f"/api/device/{name}/ping/")["success"]) for name in lab.machines]
