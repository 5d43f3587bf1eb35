"""What a TFTP request may name."""

import os
from pathlib import Path

import pytest

from bmm.tftp.files import open_below
from bmm.tftp.wire import Refused


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a TFTP root beside which there is a secret."""
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "tftp"
    (root / "pxelinux.cfg").mkdir(parents=True)
    (root / "pxelinux.cfg" / "01-02-00-7f-00-00-01").write_text("DEFAULT install\n")
    (root / "vmlinuz-6.1.0-1+deb12_armhf").write_bytes(b"kernel")
    return root


def given(root: Path, name: str) -> bytes:
    handle, size = open_below(root, name)
    content = os.read(handle, 100)
    os.close(handle)
    assert len(content) == size
    return content


def refusal(root: Path, name: str) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        open_below(root, name)
    return refused.value.code, refused.value.text


@pytest.mark.parametrize(
    "name",
    ["vmlinuz-6.1.0-1+deb12_armhf", "/vmlinuz-6.1.0-1+deb12_armhf", "//vmlinuz-6.1.0-1+deb12_armhf"],
)
def test_a_leading_slash_means_the_root(root: Path, name: str) -> None:
    assert given(root, name) == b"kernel"


def test_a_boot_file_is_given(root: Path) -> None:
    assert given(root, "pxelinux.cfg/01-02-00-7f-00-00-01") == b"DEFAULT install\n"


@pytest.mark.parametrize(
    "name",
    [
        "../secret", "/../secret", "pxelinux.cfg/../../secret", "..", ".", "pxelinux.cfg/..", "..\\secret",
        "pxelinux.cfg/.mozpool-0123456789abcdef.tmp", "a b", "a\nb", "a\\x00b", "%2e%2e/secret", "", "/", "é",
        "a" * 256, "$(reboot)", "C:\\boot",
    ],
)  # fmt: skip
def test_no_name_leads_out_of_the_root_or_to_a_hidden_file(root: Path, name: str) -> None:
    assert refusal(root, name) == (2, "that is no file name that this server gives")


@pytest.mark.parametrize("name", ["nosuch", "pxelinux.cfg/nosuch", "vmlinuz-6.1.0-1+deb12_armhf/x", "circle"])
def test_what_is_not_there_is_not_found(root: Path, name: str) -> None:
    (root / "circle").symlink_to("circle")
    assert refusal(root, name) == (1, "no such file")


def test_links_work_below_the_root_and_nowhere_else(root: Path) -> None:
    (root / "vmlinuz").symlink_to("vmlinuz-6.1.0-1+deb12_armhf")
    (root / "out").symlink_to("../secret")
    (root / "etc").symlink_to("/etc")
    assert given(root, "vmlinuz") == b"kernel"
    for name in ("out", "etc/passwd"):
        assert refusal(root, name) == (2, "that file is outside of the TFTP root")


def test_only_plain_files_that_everybody_may_read_are_given(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "key").write_text("key")
    (root / "key").chmod(0o600)
    for name in ("pipe", "key", "pxelinux.cfg"):
        assert refusal(root, name) == (2, "no plain file that everybody may read")


def test_a_refused_file_is_closed(root: Path) -> None:
    before = _open_files()
    for _ in range(50):
        refusal(root, "pxelinux.cfg")
        given(root, "/pxelinux.cfg/01-02-00-7f-00-00-01")
    assert _open_files() == before


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
