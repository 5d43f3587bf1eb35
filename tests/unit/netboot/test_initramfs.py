"""The live image as an archive: read back by busybox, and the same each time."""

import gzip
import lzma
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from bmm.live import cpio, initramfs, kit

needs_busybox = pytest.mark.skipif(not shutil.which("busybox"), reason="busybox-static is not installed")


@needs_busybox
def test_busybox_unpacks_what_was_packed(tmp_path: Path) -> None:
    packed = cpio.archive(
        {
            "a/b/c": cpio.file(b"odd"),
            "a/run": cpio.file(b"12345678", executable=True),
            "sh": cpio.link("a/run"),
        }
    )
    subprocess.run(
        ["busybox", "cpio", "-i", "-d"], input=packed, cwd=tmp_path, check=True, capture_output=True
    )
    assert (tmp_path / "a/b/c").read_bytes() == b"odd"
    assert stat.S_IMODE((tmp_path / "a/run").stat().st_mode) == 0o755
    assert os.readlink(tmp_path / "sh") == "a/run"  # noqa: PTH115 - a Path would tidy the target up


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", "a//b", "./a", ""])
def test_a_path_that_would_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no plain relative path"):
        cpio.archive({path: cpio.file(b"")})


def test_the_same_input_gives_the_same_bytes_whatever_its_order() -> None:
    more = {"etc/a": cpio.file(b"1"), "etc/b": cpio.file(b"2")}
    turned = dict(reversed(more.items()))
    assert initramfs.build(b"busybox", {"x": b"y"}, more) == initramfs.build(b"busybox", {"x": b"y"}, turned)


@needs_busybox
def test_the_image_holds_what_process_1_calls_and_its_modules_in_order(tmp_path: Path) -> None:
    image = gzip.decompress(initramfs.build(b"busybox", {"virtio_net": b"n", "failover": b"f"}))
    subprocess.run(
        ["busybox", "cpio", "-i", "-d", "bin/*", "lib/*", "etc/*", "init", "bin", "lib", "lib/modules", "etc"],
        input=image, cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    assert (tmp_path / "init").read_text() == kit.text_of("init")
    assert (tmp_path / "bin/mobile-init").read_text() == kit.mobile_init()
    assert os.access(tmp_path / "init", os.X_OK)
    assert (tmp_path / "lib/modules/order").read_text() == "virtio_net.ko\nfailover.ko\n"
    assert (tmp_path / "lib/modules/failover.ko").read_bytes() == b"f"


def test_modules_are_found_packed_or_not_and_by_either_spelling(tmp_path: Path) -> None:
    (tmp_path / "kernel/net").mkdir(parents=True)
    (tmp_path / "kernel/net/virtio-net.ko").write_bytes(b"net")
    (tmp_path / "kernel/blk.ko.xz").write_bytes(lzma.compress(b"blk"))
    (tmp_path / "kernel/mmio.ko.gz").write_bytes(gzip.compress(b"mmio"))
    (tmp_path / "modules.builtin").write_text("kernel/lib/failover.ko\n")
    found = initramfs.find_modules(tmp_path, ["mmio", "failover", "virtio_net", "blk"])
    assert list(found.items()) == [("mmio", b"mmio"), ("virtio_net", b"net"), ("blk", b"blk")]


def test_missing_modules_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such kernel modules below .*: virtio_net, b"):
        initramfs.find_modules(tmp_path, ["virtio-net", "b"])


@pytest.mark.parametrize("action", kit.SECOND_STAGES)
def test_a_second_stage_fits_into_a_boot_config_and_can_be_read_by_simulated_boards(action: str) -> None:
    text = kit.second_stage(action, "linux", {"disk": "/dev/vda", "note": "it's"})
    assert len(text) < 64 * 1024
    assert text.splitlines()[2:5] == [
        "MOZPOOL_URL='%BASEURL%/boot/%DEVICE%/%TOKEN%'",
        f"MOZPOOL_ACTION='{action}'",
        "MOZPOOL_IMAGE='linux'",
    ]


@pytest.mark.parametrize("image", ["", "a b", "a'; reboot; '", "-x", "x" * 65])
def test_a_name_that_is_no_images_reaches_no_script(image: str) -> None:
    with pytest.raises(ValueError, match="no name of an image"):
        kit.second_stage("install", image, {})
