"""The whole life of one machine, nothing simulated: U-Boot, our TFTP server, our live image, a disk, an agent."""

import hashlib

from reallab import disks
from reallab.kinds import ARM
from reallab.lab import RealLab, Wish
from reallab.machine import Machine
from reallab.network import Network
from reallab.plan import IMAGE
from reallab.story import Story
from tests.real.conftest import Labs
from tests.real.steps import INSTALLED, REUSED, Chapter, expect_on_disk, megabytes

_SECONDS = 120


def test_a_machine_is_installed_reused_found_broken_mended_by_hand_and_returned(
    labs: Labs, user: Network
) -> None:
    with labs([Wish(ARM)], user) as lab:
        story = Story(lab.pool.url)
        (machine,) = lab.machines.values()
        _install(lab, story, machine)
        _reuse(lab, story, machine)
        _find_broken(lab, story, machine)
        _mend(lab, story, machine)
        _return(lab, story, machine)


def _install(lab: RealLab, story: Story, machine: Machine) -> None:
    chapter = Chapter(story, machine.name)
    request = story.request("any", IMAGE)
    assert story.until_ready(request, _SECONDS) == machine.name
    assert chapter.states() == INSTALLED
    built = lab.artefacts[ARM.name]
    assert hashlib.sha256(_boot_partition(machine)).hexdigest() == built.boot_sha256
    assert any(
        line.endswith(f"wrote http://10.0.2.2:{_port(lab)}/.../tiny.img.gz") for line in chapter.told()
    )
    boot_file = f"pxelinux.cfg/01-{machine.mac_with_colons.replace(':', '-')}"
    if lab.pool.network.own_tftpd:
        asked = [line for line in lab.pool.log("tftpd").splitlines() if boot_file in line]
        assert [": sent; " in line for line in asked] == [True, False]
    # The file that Lifeguard wrote was fetched, and was gone when the machine asked again.
    assert list((lab.pool.tftp_root / "pxelinux.cfg").iterdir()) == []
    story.give_back(request)


def _reuse(lab: RealLab, story: Story, machine: Machine) -> None:
    chapter = Chapter(story, machine.name)
    request = story.request("any", IMAGE)
    assert story.until_ready(request, _SECONDS) == machine.name
    assert chapter.states() == REUSED
    story.give_back(request)


def _find_broken(lab: RealLab, story: Story, machine: Machine) -> None:
    # Where the kernel lies.
    expect_on_disk(lab, machine, "4+2", hashlib.sha256(megabytes(machine.disk, 4, 2)).hexdigest())
    with machine.disk.open("r+b") as disk:
        disk.seek(5 << 20)
        disk.write(b"\xff" * 1000)
    chapter = Chapter(story, machine.name)
    ended = lab.pool.manage("self_test", machine.name, "--timeout", "120s", check=False)
    assert ended.returncode == 1
    assert story.state(machine.name) == "failed_self_test"
    assert any(
        "FAILED: /dev/vda from 4 MB on, 2 MB: not the checksum that was expected" in line
        for line in chapter.told()
    )


def _mend(lab: RealLab, story: Story, machine: Machine) -> None:
    lab.pool.manage("maintenance", machine.name, "--timeout", "120s")
    chapter = Chapter(story, machine.name)
    story.until_told(machine.name, "log in as root by SSH at port 2222", _SECONDS)
    done = lab.ssh(machine, "uname -m; cat /sys/block/vda/size")
    assert (done.returncode, done.stdout.split()) == (0, ["armv7l", "65536"]), done.stderr
    image = f"http://10.0.2.2:{_port(lab)}/arm/tiny.img.gz"
    # Only what is broken is written again.
    writing = "dd of=/dev/vda bs=1M iflag=fullblock skip=4 seek=4 count=2 conv=notrunc,fsync"
    done = lab.ssh(machine, f"wget -q -O - {image} | gunzip -c | {writing}")
    assert done.returncode == 0, done.stderr
    assert chapter.states() == []


def _return(lab: RealLab, story: Story, machine: Machine) -> None:
    lab.pool.manage("self_test", machine.name, "--timeout", "120s")
    assert story.state(machine.name) == "ready"
    row = lab.pool.python(
        "from devices.models import Device; d = Device.objects.get(); print(d.health, d.held_by, d.image)"
    )
    assert row.split() == ["good", "None", "None"]


def _boot_partition(machine: Machine) -> bytes:
    return megabytes(machine.disk, disks.BOOT.start_mb, disks.BOOT.size_mb)


def _port(lab: RealLab) -> int:
    return lab.files_port
