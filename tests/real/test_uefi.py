"""UEFI machines on a bridge: GRUB by TFTP and iPXE by HTTP boot, installed, used again from the disk, and tested."""

import re
from collections.abc import Iterator

import pytest

from reallab import artefacts, bridge
from reallab.__main__ import CACHE
from reallab.kinds import UEFI, UEFI_HTTP
from reallab.lab import Wish
from reallab.network import Network
from reallab.plan import IMAGE
from reallab.story import Story
from tests.real.conftest import Labs
from tests.real.steps import INSTALLED, REUSED, Chapter

_KINDS = [Wish(UEFI), Wish(UEFI_HTTP)]
_SECONDS = 400


@pytest.fixture
def on_bridge() -> Iterator[Network]:
    """Give a bridge in a network namespace of this test's own."""
    reason = bridge.why_not()
    if reason:
        pytest.skip(reason)
    # From within the namespace nobody reaches Debian.
    for kind in (UEFI, UEFI_HTTP):
        artefacts.fetched(kind, CACHE)
    with bridge.namespace():
        yield bridge.bridge(len(_KINDS))


def test_uefi_boots_grub_by_tftp_and_ipxe_by_http_and_the_disk_when_it_shall(
    labs: Labs, on_bridge: Network
) -> None:
    with labs(_KINDS, on_bridge) as lab:
        story = Story(lab.pool.url)
        for states in (INSTALLED, REUSED):
            chapters = {name: Chapter(story, name) for name in lab.machines}
            requests = {name: story.request(name, IMAGE) for name in lab.machines}
            for name, request in requests.items():
                assert story.until_ready(request, _SECONDS) == name
            assert {name: chapter.states() for name, chapter in chapters.items()} == dict.fromkeys(
                chapters, states
            )
            for request in requests.values():
                story.give_back(request)
        grub, http = lab.machines.values()
        asked = lab.pool.log("tftpd")
        assert f"grub/01-{grub.mac_with_colons.replace(':', '-')}" in asked
        assert f"ipxe/01-{http.mac_with_colons.replace(':', '-')}" in asked
        # What is booted by HTTP has asked by the token of its boot.
        console = http.console.read_text(errors="replace")
        assert re.search(rf"/boot/{http.name}/[A-Za-z0-9_-]{{22}}/ipxe\.\.\. ok", console)
