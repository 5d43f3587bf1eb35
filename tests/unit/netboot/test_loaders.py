"""One boot config for PXELINUX, iPXE and GRUB."""

from pathlib import Path

import pytest

from bmm import loaders
from devices import pxelinux

TEXT = """# the live image
DEFAULT install
TIMEOUT 10
LABEL rescue
  KERNEL other
LABEL install
  KERNEL panda/vmlinuz
  INITRD panda/live.gz
  APPEND console=ttyO2 mobile-imaging-url=http://a:8000/boot/panda-1/T/second-stage
"""


def test_the_default_entry_is_read() -> None:
    assert pxelinux.read(TEXT) == pxelinux.Entry(
        "panda/vmlinuz",
        ("panda/live.gz",),
        "console=ttyO2 mobile-imaging-url=http://a:8000/boot/panda-1/T/second-stage",
    )


def test_without_a_default_the_first_entry_counts_and_an_initrd_may_be_on_the_kernel_line() -> None:
    text = "label a\nlinux /k\nappend initrd=one.gz,two.gz quiet\nlabel b\nkernel x\n"
    assert pxelinux.read(text) == pxelinux.Entry("/k", ("one.gz", "two.gz"), "quiet")


def test_ipxe_is_told_where_the_files_are() -> None:
    assert loaders.ipxe(pxelinux.read(TEXT), "10.12.1.2").splitlines() == [
        "#!ipxe",
        (
            "kernel tftp://10.12.1.2/panda/vmlinuz initrd=initrd0 console=ttyO2 "
            "mobile-imaging-url=http://a:8000/boot/panda-1/T/second-stage"
        ),
        "initrd --name initrd0 tftp://10.12.1.2/panda/live.gz",
        "boot",
    ]


def test_grub_is_told_where_the_files_are() -> None:
    assert loaders.grub(pxelinux.read(TEXT), "10.12.1.2").splitlines() == [
        (
            "linux (tftp,10.12.1.2)/panda/vmlinuz console=ttyO2 "
            "mobile-imaging-url=http://a:8000/boot/panda-1/T/second-stage"
        ),
        "initrd (tftp,10.12.1.2)/panda/live.gz",
        "boot",
    ]


def test_files_may_be_urls() -> None:
    entry = pxelinux.Entry("http://files:8080/vmlinuz", (), "quiet")
    assert loaders.ipxe(entry, "x") == "#!ipxe\nkernel http://files:8080/vmlinuz quiet\nboot\n"
    assert loaders.grub(entry, "x") == "linux (http,files:8080)/vmlinuz quiet\nboot\n"


def test_a_local_boot_leads_on_to_the_disk() -> None:
    entry = pxelinux.read("DEFAULT disk\nLABEL disk\nLOCALBOOT 0\n")
    assert loaders.ipxe(entry, "x") == loaders.IPXE_DISK
    assert loaders.grub(entry, "x") == loaders.GRUB_DISK


def test_what_grub_would_read_as_its_own_reaches_the_kernel_as_it_stands() -> None:
    assert loaders.grub(pxelinux.Entry("k", (), "a=$b c;reboot d=[e] #f"), "x").splitlines()[0] == (
        "linux (tftp,x)/k a=\\$b c\\;reboot d=\\[e\\] \\#f"
    )


@pytest.mark.parametrize("append", ["a='b c'", 'a="b c"', "a=\\b"])
def test_what_grub_would_hand_on_with_a_backslash_is_refused(append: str) -> None:
    with pytest.raises(pxelinux.NotUnderstoodError, match="GRUB would put a backslash"):
        loaders.grub(pxelinux.Entry("k", (), append), "x")


@pytest.mark.parametrize(
    "append", ["a=${b}", "a # b", "quiet || reboot", "a ; reboot", 'a="b c"', "a='b'", "a=\\b"]
)
def test_what_ipxe_would_read_as_its_own_is_refused(append: str) -> None:
    with pytest.raises(pxelinux.NotUnderstoodError, match="iPXE would read"):
        loaders.ipxe(pxelinux.Entry("k", (), append), "x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("DEFAULT gone\nLABEL here\nKERNEL k\n", "there is no label 'gone', which DEFAULT names"),
        ("LABEL a\nAPPEND quiet\n", "the entry has no KERNEL"),
        ("", "the entry has no KERNEL"),
        ("LABEL a\nKERNEL k\nFDT omap.dtb\n", "FDT is for U-Boot only"),
        ("LABEL a\nKERNEL k\nIPAPPEND 2\n", "IPAPPEND is for PXELINUX and U-Boot only"),
        ("LABEL a\nKERNEL k\nFDTOVERLAYS x\n", "FDTOVERLAYS is for U-Boot only"),
        (
            "DEFAULT a\nLABEL a\nKERNEL a\nLABEL b\nMENU DEFAULT\nKERNEL b\n",
            "DEFAULT names a, MENU DEFAULT names b: loaders differ in which they boot",
        ),
        (
            "DEFAULT a\nONTIMEOUT b\nLABEL a\nKERNEL a\nLABEL b\nKERNEL b\n",
            "DEFAULT names a, ONTIMEOUT names b: loaders differ in which they boot",
        ),
    ],
)
def test_what_cannot_be_told_to_others_is_named(text: str, told: str) -> None:
    with pytest.raises(pxelinux.NotUnderstoodError) as error:
        pxelinux.read(text)
    assert str(error.value) == told


@pytest.mark.parametrize("name", ["k || reboot", "i;reboot", "::k"])
def test_what_is_no_name_of_a_file_is_told_to_nobody(name: str) -> None:
    for write in (loaders.ipxe, loaders.grub):
        for entry in (pxelinux.Entry(name), pxelinux.Entry("k", (name,))):
            with pytest.raises(pxelinux.NotUnderstoodError, match="is no name of a file"):
                write(entry, "x")


@pytest.mark.parametrize("url", ["https://files/k", "http://files/k?x=1", "ftp://files/k"])
def test_grub_is_not_sent_where_it_cannot_go(url: str) -> None:
    with pytest.raises(pxelinux.NotUnderstoodError, match="GRUB can't fetch"):
        loaders.grub(pxelinux.Entry(url), "x")


def test_what_grub_reads_first_by_tftp_ends_as_what_it_is_told_by_us() -> None:
    config = Path(__file__).parents[3] / "deploy" / "network" / "grub.cfg"
    assert config.read_text().endswith(f"\n{loaders.GRUB_DISK}")
