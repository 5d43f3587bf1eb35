"""How PXELINUX files are read, and what is said of those that PXELINUX and U-Boot would take otherwise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmm import loaders
from devices import pxelinux

PLAIN = """# the live image
DEFAULT install
TIMEOUT 10
LABEL rescue
  MENU LABEL Rescue
  KERNEL other
LABEL install
  LINUX panda/vmlinuz
  INITRD panda/live.gz
  APPEND console=ttyO2 url=%BASEURL%/boot/%DEVICE%/%TOKEN%
"""


def test_what_all_read_alike_gives_no_word() -> None:
    assert pxelinux.differences(PLAIN) == []
    assert pxelinux.differences("DEFAULT disk\nLABEL disk\nLOCALBOOT 0\n") == []
    assert pxelinux.differences("default l\nlabel l\nkernel k\nipappend 2\nfdtdir dtbs\nappend quiet\n") == []


def test_tabs_part_words_as_blanks_do() -> None:
    tabs = PLAIN.replace("  ", "\t").replace(" ", "\t")
    assert pxelinux.read(tabs) == pxelinux.read(PLAIN)
    assert pxelinux.differences(tabs) == []


def test_what_browsers_and_editors_leave_behind_lines_is_taken_away() -> None:
    text = PLAIN.replace("\n", "  \r\n")
    assert pxelinux.tidy(text) == PLAIN
    assert pxelinux.read(text) == pxelinux.read(PLAIN)


def test_a_menu_s_default_is_booted_where_no_other_is_named() -> None:
    text = "UI menu.c32\nTIMEOUT 50\nLABEL a\nKERNEL a\nLABEL b\nMENU DEFAULT\nKERNEL b\n"
    assert pxelinux.read(text).kernel == "b"
    assert pxelinux.differences(text) == []


def test_what_is_booted_when_the_time_is_over_is_the_default() -> None:
    text = "DEFAULT b\nONTIMEOUT b\nLABEL a\nKERNEL a\nLABEL b\nKERNEL b\n"
    assert pxelinux.read(text).kernel == "b"
    assert pxelinux.differences(text) == []


def test_arguments_before_the_first_label_are_common_to_all_unless_a_hyphen_takes_them_away() -> None:
    text = "DEFAULT l\nAPPEND quiet\nLABEL l\nKERNEL k\n"
    assert pxelinux.read(text).append == "quiet"
    assert pxelinux.read(f"{text}APPEND -\n").append == ""


def test_help_texts_are_no_lines_and_what_is_included_is_not_guessed() -> None:
    text = "DEFAULT l\nLABEL l\nKERNEL k\nTEXT HELP\nKERNEL other\nENDTEXT\nAPPEND quiet\n"
    assert pxelinux.read(text) == pxelinux.Entry("k", (), "quiet")
    with pytest.raises(pxelinux.NotUnderstoodError, match="INCLUDE is for PXELINUX and U-Boot only"):
        pxelinux.read("INCLUDE common\nDEFAULT l\nLABEL l\nKERNEL k\n")


ENTRY = "DEFAULT l\nLABEL l\nKERNEL k\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("DEFAULT a\nLABEL a\nKERNEL a\nLABEL b\nMENU DEFAULT\nKERNEL b\n",
         "DEFAULT names a, MENU DEFAULT names b: loaders differ in which they boot"),
        ("DEFAULT a\nONTIMEOUT b\nLABEL a\nKERNEL a\nLABEL b\nKERNEL b\n",
         "DEFAULT names a, ONTIMEOUT names b: loaders differ in which they boot"),
        ("UI menu.c32\nTIMEOUT 9\nLABEL a\nMENU DEFAULT\nKERNEL a\nLABEL b\nMENU DEFAULT\nKERNEL b\n",
         "MENU DEFAULT names b: loaders differ in which they boot"),
        ("UI menu.c32\nLABEL a\nKERNEL a\n", "UI without TIMEOUT: the board waits for a person"),
        ("PROMPT 1\n" + ENTRY, "PROMPT without TIMEOUT: the board waits for a person"),
        ("MENU TITLE Boards\n" + ENTRY, "MENU without TIMEOUT: the board waits for a person"),
        ("LABEL a\nKERNEL a\n", "there is no DEFAULT: PXELINUX waits for a person"),
        ("DEFAULT gone\nLABEL here\nKERNEL k\n", "there is no label 'gone', which DEFAULT names"),
        ("DEFAULT Linux\nLABEL linux\nKERNEL k\n", "there is no label 'Linux', which DEFAULT names"),
        ("DEFAULT l\nLABEL l\nAPPEND quiet\n", "label l has neither KERNEL nor LOCALBOOT"),
        ("PROMPT 0\n", "there is no LABEL: U-Boot boots nothing else"),
        ("DEFAULT vmlinuz quiet\n", "line 1: DEFAULT: the name of a LABEL expected; a menu is named by UI"),
        ("DEFAULT menu.c32\nLABEL a\nKERNEL a\n",
         "line 1: DEFAULT: the name of a LABEL expected; a menu is named by UI"),
        ("UI grub.c32\n" + ENTRY, "line 1: UI: only menu.c32 and vesamenu.c32 boot an entry by themselves"),
        ("APPEND quiet\n" + ENTRY, "line 1: APPEND before the first LABEL: U-Boot passes it over"),
        (ENTRY + "APPEND -\n", "line 4: APPEND: kernel arguments expected; leave it out where there are none"),
        (ENTRY + "APPEND initrd=i.gz quiet\n",
         "line 4: APPEND: initrd= belongs into a line of its own, INITRD, which all loaders read alike"),
        (ENTRY + 'APPEND ip="a b"\n',
         "line 4: APPEND: quotes, backslashes, ${ and $( are read otherwise by each loader"),
        (ENTRY + "APPEND a=${b}\n",
         "line 4: APPEND: quotes, backslashes, ${ and $( are read otherwise by each loader"),
        (ENTRY + "INITRD a\nINITRD b\n", "line 5: INITRD is there twice: loaders differ in which they take"),
        (ENTRY + "INITRD a,b\n", "line 4: INITRD: U-Boot loads one file only; archives can be put together with cat"),
        (ENTRY + "LOCALBOOT 0\n", "line 4: LOCALBOOT: a label boots a KERNEL or LOCALBOOT, not both"),
        ("DEFAULT l\nLABEL l\nLOCALBOOT\n", "line 3: LOCALBOOT: a number expected, such as 0"),
        ("DEFAULT l\nLABEL l\nKERNEL k quiet\n",
         "line 3: KERNEL: the name of one file expected; arguments belong into APPEND"),
        ("DEFAULT l\nLABEL l\nKERNEL ::k\n",
         "line 3: KERNEL: '::' is PXELINUX' own; names begin at the TFTP server's root"),
        ("DEFAULT l\nLABEL l\nKERNEL chain.c32\n",
         "line 3: KERNEL: PXELINUX takes this ending for no Linux kernel's; write LINUX"),
        ("ONTIMEOUT\n" + ENTRY, "line 1: ONTIMEOUT: a value expected; without one U-Boot reads nothing of the file"),
        (ENTRY + "FDT # none\n", "line 4: FDT: a value expected; without one U-Boot reads nothing of the file"),
        (ENTRY + "IPAPPEND 7\n", "line 4: IPAPPEND: a number from 0 to 3 expected; U-Boot knows no more"),
        (ENTRY + "SYSAPPEND 2\n", "line 4: SYSAPPEND is for PXELINUX only"),
        (ENTRY + "SAY hello\nAPPEND quiet\n",
         "line 5: APPEND: U-Boot has left label l at a word that it does not know"),
        ("DEFAULT l\nLABEL l\nTEXT HELP\nKERNEL other\nENDTEXT\nKERNEL k\n", "line 3: TEXT is for PXELINUX only"),
        ("INCLUDE pxelinux.cfg/common\n" + ENTRY, "line 1: INCLUDE is for PXELINUX only"),
        ("DEFAULT l\nLABEL l\nCOM32 c.c32\n", "line 3: COM32 is for PXELINUX only"),
        (ENTRY + "MENU HIDE\n", "line 4: MENU HIDE is for PXELINUX only"),
        (ENTRY + ENTRY, "line 5: label l is there twice"),
        ("DEFAULT l\nLABEL l m\nKERNEL k\n", "line 2: LABEL: one word expected"),
        ("DEFAULT l\nLABEL l\nKERNLE k\n", "line 3: 'KERNLE' is no word of PXELINUX"),
    ],
)  # fmt: skip
def test_what_loaders_take_otherwise_is_told_by_its_line(text: str, told: str) -> None:
    assert told in pxelinux.differences(text)


WORDS = [
    "DEFAULT", "ONTIMEOUT", "LABEL", "KERNEL", "LINUX", "INITRD", "APPEND", "LOCALBOOT", "MENU", "MENU DEFAULT",
    "IPAPPEND", "UI", "TIMEOUT", "PROMPT", "TEXT HELP", "ENDTEXT", "FDT", "INCLUDE", "SAY", "#", "",
]  # fmt: skip
VALUES = [
    "a",
    "b",
    "a b",
    "0",
    "1",
    "-1",
    "-",
    "menu.c32",
    "initrd=x",
    "'",
    '"',
    "${a}",
    "a,b",
    "::a",
    "",
    "\t",
    "x" * 99,
]
lines = st.tuples(
    st.sampled_from(["", " ", "\t"]),
    st.sampled_from(WORDS),
    st.sampled_from([" ", "\t", "  "]),
    st.sampled_from(VALUES),
).map("".join)


def understood(text: str) -> tuple[pxelinux.Entry | None, str]:
    """Give the default entry, or none and why."""
    try:
        return pxelinux.read(text), ""
    except pxelinux.NotUnderstoodError as error:
        return None, str(error)


@settings(max_examples=1000, deadline=None)
@given(st.lists(lines | st.text(max_size=20), max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_what_is_told_to_be_alike_can_be_told_to_all_or_says_to_whom_not(found: list[str], end: str) -> None:
    text = end.join(found)
    differing = pxelinux.differences(text)
    assert all("\n" not in one for one in differing)
    assert pxelinux.differences(pxelinux.tidy(text)) == differing
    entry, why = understood(text)
    if entry is None:
        # Without a word of warning only what is meant for others: each says whose it is.
        assert differing or why.endswith("only"), (text, why)
        return
    for write in (loaders.ipxe, loaders.grub):
        try:
            script = write(entry, "10.0.0.1")
        except pxelinux.NotUnderstoodError:
            continue
        assert entry.append.replace("#", "") in script.replace("\\", "").replace("#", "") or not entry.kernel


# What U-Boot knows of an entry, which ends at the first word that it does not know.
KNOWN = {
    "KERNEL", "LINUX", "INITRD", "APPEND", "LOCALBOOT", "FDT", "FDTDIR", "IPAPPEND", "MENU", "KASLRSEED",
    "FDTOVERLAYS", "DEVICETREE", "DEVICETREEDIR",
}  # fmt: skip


def uboot(text: str) -> tuple[str, dict[str, str]]:
    """Give the label that U-Boot boots first, and what it knows of it."""
    entries: dict[str, dict[str, str]] = {}
    default = within = ""
    for line in text.split("\n"):
        keyword, _, rest = line.lstrip(" \t").replace("\t", " ").partition(" ")
        keyword, rest = keyword.upper(), rest.lstrip(" \t")
        if not keyword or keyword.startswith("#"):
            continue
        if keyword == "LABEL":
            within = rest
            entries[within] = {}
        elif within and keyword == "MENU":
            default = default or (within if rest.upper() == "DEFAULT" else "")
        elif within and keyword in KNOWN:
            entries[within].setdefault("KERNEL" if keyword == "LINUX" else keyword, rest)
        else:
            within = ""
            default = rest if keyword in ("DEFAULT", "ONTIMEOUT") else default
    label = default or next(iter(entries), "")
    return label, entries.get(label, {})


@settings(max_examples=1000, deadline=None)
@given(st.lists(lines, max_size=12))
def test_u_boot_boots_the_same_entry_wherever_no_difference_is_told(found: list[str]) -> None:
    body = "\n".join(found)
    text = pxelinux.tidy(f"DEFAULT a\n{body}\nLABEL a\nKERNEL k\n")
    if pxelinux.differences(text):
        return
    _, known = uboot(text)
    entry, _ = understood(text)
    if entry is None:
        return
    assert (known.get("KERNEL", ""), known.get("INITRD", ""), " ".join(known.get("APPEND", "").split())) == (
        entry.kernel, ",".join(entry.initrds), entry.append,
    )  # fmt: skip
