"""Devices are installed by the live kit: busybox runs it, a real web process tells it what, a file is the disk."""

import gzip
import hashlib
import lzma
import random
import struct

import pytest

from tests.integration.netboot.conftest import Lab
from tests.integration.netboot.live import FileServer, LiveImage

pytestmark = pytest.mark.django_db(transaction=True)

IMAGE = random.Random(3).randbytes(3 * 1048576 + 777)
INSTALLED = ["start_pxe_boot", "pxe_power_cycling", "mobile_init_started", "downloading", "extracting"]


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("image.img", IMAGE),
        ("image.img.gz", gzip.compress(IMAGE)),
        ("image.img.xz", lzma.compress(IMAGE, preset=0)),
    ],
)
def test_an_image_is_fetched_checked_and_written_and_the_device_reboots(
    lab: Lab, live: LiveImage, files: FileServer, name: str, packed: bytes
) -> None:
    disk = live.disk(5)
    before = disk.read_bytes()
    url, checksum = files.add(f"/{name}", packed)
    booting = lab.install(disk=str(disk), image_url=url, image_sha256=checksum.upper())
    ended = live.boot(booting.url)
    assert (ended.returncode, live.then) == (0, "reboot"), ended.stderr
    assert disk.read_bytes() == IMAGE + before[len(IMAGE) :]
    assert booting.path() == [*INSTALLED, "verifying", "port_verifying"]
    assert booting.told() == [f"wrote {url}"]


def test_a_request_names_its_own_image_but_not_another_disk(
    lab: Lab, live: LiveImage, files: FileServer
) -> None:
    disk = live.disk(4)
    url, checksum = files.add("/a.img", IMAGE)
    files.add("/a.img.sha256", f"{checksum}  a.img\n".encode())
    booting = lab.install(f'{{"image_url": "{url}", "disk": "/etc/passwd"}}', disk=str(disk))
    assert live.boot(booting.url).returncode == 0
    assert disk.read_bytes()[: len(IMAGE)] == IMAGE


def test_a_download_that_breaks_off_is_begun_again(lab: Lab, live: LiveImage, files: FileServer) -> None:
    disk = live.disk(4)
    url, checksum = files.add("/a.img", IMAGE)
    # The first is busybox's look whether the file is there, which reads only the headers.
    files.breaks["/a.img"] = 2
    booting = lab.install(disk=str(disk), image_url=url, image_sha256=checksum)
    assert live.boot(booting.url).returncode == 0
    assert disk.read_bytes()[: len(IMAGE)] == IMAGE
    assert booting.told()[-1] == f"wrote {url}"
    assert booting.told()[0].startswith((f"the download of {url} broke off", f"the checksum of {url} is "))


def test_an_image_with_a_wrong_checksum_never_boots(lab: Lab, live: LiveImage, files: FileServer) -> None:
    disk = live.disk(4)
    url, _ = files.add("/a.img", IMAGE)
    wrong = "0" * 64
    booting = lab.install(disk=str(disk), image_url=url, image_sha256=wrong)
    ended = live.boot(booting.url)
    assert (ended.returncode, live.then) == (1, "stay")
    right = hashlib.sha256(IMAGE).hexdigest()
    assert booting.told() == [
        *[f"the checksum of {url} is {right} and not {wrong}"] * 3,
        f"install failed: {url} did not arrive as it should, 3 times",
        "the second stage ended with status 1",
    ]
    assert disk.read_bytes()[:1048576] == bytes(1048576)
    assert booting.path() == INSTALLED


def test_partitions_are_made_and_filled_and_the_others_are_left(
    lab: Lab, live: LiveImage, files: FileServer
) -> None:
    disk = live.disk(12)
    before = disk.read_bytes()
    boot_url, boot_sum = files.add("/boot.img", IMAGE[:1000000])
    root_url, root_sum = files.add("/root.img.gz", gzip.compress(IMAGE))
    partitions = [
        {"start_mb": 1, "size_mb": 2, "type": "c", "boot": True, "url": boot_url, "sha256": boot_sum},
        {"start_mb": 3, "size_mb": 4, "url": root_url, "sha256": root_sum},
        {"start_mb": 8, "size_mb": 4, "type": "82"},
    ]
    booting = lab.install(disk=str(disk), partitions=partitions)
    ended = live.boot(booting.url)
    assert ended.returncode == 0, ended.stderr
    after = disk.read_bytes()
    table = [struct.unpack("<B3sB3sII", after[at : at + 16]) for at in range(446, 510, 16)]
    far = b"\xfe\xff\xff"
    assert table == [
        (0x80, far, 0x0C, far, 2048, 4096),
        (0, far, 0x83, far, 6144, 8192),
        (0, far, 0x82, far, 16384, 8192),
        (0, bytes(3), 0, bytes(3), 0, 0),
    ]
    assert after[510:512] == b"\x55\xaa"
    assert (after[:446], after[512:1048576]) == (before[:446], before[512:1048576])
    assert after[1048576 : 1048576 + 1000000] == IMAGE[:1000000]
    assert after[3 * 1048576 : 3 * 1048576 + len(IMAGE)] == IMAGE
    assert after[7 * 1048576 :] == before[7 * 1048576 :]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "setting disk: where is the image to be written?"),
        ({"disk": "/dev/nosuch"}, "there is no disk /dev/nosuch"),
        ({"disk": "DISK"}, "setting image_url: what is to be written?"),
        (
            {"disk": "DISK", "image_url": "URL/gone"},
            "setting image_sha256: there is no checksum, neither given nor at URL/gone.sha256",
        ),
        ({"disk": "DISK", "image_url": "URL/gone", "image_sha256": "a" * 64}, "URL/gone can't be fetched"),
        ({"disk": "DISK", "download_seconds": "soon"}, "setting download_seconds: a whole number expected, got soon"),
        (
            {"disk": "DISK", "partitions": [{"start_mb": 0, "size_mb": 1}]},
            "partition 1 begins before 1 MB, where the one before it ends",
        ),
        (
            {"disk": "DISK", "partitions": [{"start_mb": 1, "size_mb": 9}]},
            "partition 1 ends at 10 MB, the disk at 2 MB",
        ),
        (
            {"disk": "DISK", "partitions": [{"start_mb": 1, "size_mb": 1, "type": "x"}]},
            "partition 1: type: two hex digits expected",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_before_the_old_image_is_touched(
    lab: Lab, live: LiveImage, files: FileServer, given: dict[str, object], told: str
) -> None:
    disk = live.disk(2)
    before = disk.read_bytes()
    here = f"http://127.0.0.1:{files.port}"
    known = {"DISK": str(disk)}
    values = {
        name: known.get(value, value.replace("URL", here)) if isinstance(value, str) else value
        for name, value in given.items()
    }
    booting = lab.install(**values)
    assert live.boot(booting.url).returncode == 1
    assert booting.told()[0] == f"install failed: {told.replace('URL', here)}"
    assert booting.device.state == "downloading"
    assert disk.read_bytes() == before


def test_a_disk_that_fails_to_write_is_told_in_its_own_words(
    lab: Lab, live: LiveImage, files: FileServer
) -> None:
    disk = live.disk(1)
    url, checksum = files.add("/a.img", IMAGE)
    booting = lab.install(disk=str(disk), image_url=url, image_sha256=checksum)
    # The kernel refuses to let the file become larger: to dd the same as a card that is worn out.
    ended = live.boot(booting.url, largest_mb=2)
    assert ended.returncode == 1
    assert (
        booting.told()[0]
        == f"install failed: the disk {disk} can't be written: dd: error writing '{disk}': File too large"
    )
    assert booting.device.state == "extracting"


def test_an_image_that_is_not_what_its_name_says_is_told(
    lab: Lab, live: LiveImage, files: FileServer
) -> None:
    disk = live.disk(1)
    url, checksum = files.add("/a.img.gz", IMAGE)
    booting = lab.install(disk=str(disk), image_url=url, image_sha256=checksum)
    assert live.boot(booting.url).returncode == 1
    assert booting.told()[0] == f"install failed: {url} arrived as it should, but can't be unpacked"
