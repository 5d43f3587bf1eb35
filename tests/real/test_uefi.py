"""UEFI machines on a bridge: GRUB by TFTP and iPXE by HTTP boot, installed, used again from the disk, and tested."""

import re

from reallab.kinds import UEFI, UEFI_HTTP
from reallab.lab import Wish
from tests.real.conftest import Bridged, Labs
from tests.real.steps import INSTALLED, REUSED, everybody

_KINDS = [Wish(UEFI), Wish(UEFI_HTTP)]
_SECONDS = 400


def test_uefi_boots_grub_by_tftp_and_ipxe_by_http_and_the_disk_when_it_shall(
    labs: Labs, bridged: Bridged
) -> None:
    with labs(_KINDS, bridged(_KINDS)) as lab:
        everybody(lab, INSTALLED, _SECONDS)
        everybody(lab, REUSED, _SECONDS)
        grub, http = lab.machines.values()
        asked = lab.pool.log("tftpd")
        assert f"grub/01-{grub.mac_with_colons.replace(':', '-')}" in asked
        assert f"ipxe/01-{http.mac_with_colons.replace(':', '-')}" in asked
        # What is booted by HTTP has asked by the token of its boot.
        console = http.console.read_text(errors="replace")
        assert re.search(rf"/boot/{http.name}/[A-Za-z0-9_-]{{22}}/ipxe\.\.\. ok", console)
