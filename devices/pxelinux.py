"""Reads PXELINUX files, and says where its readers would take one otherwise.

Two loaders read the text itself: PXELINUX (com32/elflink/ldlinux/readconfig.c of syslinux) and U-Boot's `pxe`
(boot/pxe_utils.c), which knows fewer words, and ends an entry at the first that it does not know. For iPXE and GRUB it
is translated: what `read` makes of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# What says which files make up an entry, and what both readers know within one.
_OF_ENTRY = frozenset({"KERNEL", "INITRD", "APPEND", "LOCALBOOT", "IPAPPEND"})
_UBOOT_ONLY = frozenset(
    {"FDT", "FDTDIR", "DEVICETREE", "DEVICETREEDIR", "FDTOVERLAYS", "DEVICETREE-OVERLAY", "KASLRSEED"}
)
_PXELINUX_ONLY = frozenset(
    {"BOOT", "BSS", "PXE", "FDIMAGE", "COMBOOT", "COM32", "CONFIG", "SYSAPPEND", "TEXT", "ENDTEXT", "INCLUDE"}
)
_WITH_VALUE = _OF_ENTRY | _UBOOT_ONLY - {"KASLRSEED"} | {"DEFAULT", "ONTIMEOUT", "TIMEOUT", "LABEL"}
_CHOOSING = ("DEFAULT", "ONTIMEOUT")
# What changes the screen, and not what is booted.
_HARMLESS = frozenset(
    {"TIMEOUT", "TOTALTIMEOUT", "PROMPT", "UI", "DEFAULT", "ONTIMEOUT", "LABEL", "MENU", "DISPLAY", "SAY", "SERIAL",
     "CONSOLE", "FONT", "KBDMAP", "NOESCAPE", "NOCOMPLETE", "NOHALT", "ALLOWOPTIONS", "IMPLICIT",
     "PATH", "SENDCOOKIES", "PXERETRY", "BACKGROUND", *(f"F{key}" for key in range(1, 13))}
)  # fmt: skip
_MENU_OF_PXELINUX = frozenset(
    {"BEGIN", "END", "SEPARATOR", "GOTO", "EXIT", "QUIT", "INCLUDE", "DISABLE", "DISABLED", "HIDE", "PASSWD",
     "MASTER", "SAVE", "START", "ONERROR"}
)  # fmt: skip
# What PXELINUX takes for a program of another kind where the line does not say LINUX.
_NO_LINUX = (".0", ".bin", ".bs", ".bss", ".c32", ".cbt", ".com")
# Menus that boot an entry by themselves when the time is over.
_MENUS = frozenset({"menu.c32", "vesamenu.c32"})
# U-Boot takes quotes and backslashes away and fills in ${..}, GRUB puts a backslash before them, iPXE heeds them.
_READ_OTHERWISE = re.compile(r"""['"\\]|\$[({]""")


class NotUnderstoodError(ValueError):
    """The text says of its default entry what can't be told to another loader; the message says what."""


@dataclass(frozen=True)
class Entry:
    """What is booted: files as PXELINUX names them, relative to the TFTP root, or URLs. No kernel: the own disk."""

    kernel: str = ""
    initrds: tuple[str, ...] = ()
    append: str = ""


@dataclass
class _Config:
    """What a text says: its entries by label, which of them is named where, and what readers take otherwise."""

    entries: dict[str, dict[str, str]] = field(default_factory=dict)
    common: dict[str, str] = field(default_factory=dict)
    top: dict[str, str] = field(default_factory=dict)
    menu_defaults: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def chosen(self) -> str:
        """Return the label of what is booted where nobody chooses. Raise NotUnderstoodError where there is none."""
        named = {word: self.top[word] for word in _CHOOSING if self.top.get(word)}
        if self.menu_defaults:
            named["MENU DEFAULT"] = self.menu_defaults[-1]
        for word, label in named.items():
            if label not in self.entries:
                raise NotUnderstoodError(f"there is no label {label!r}, which {word} names")
        labels = {*named.values(), *self.menu_defaults}
        if len(labels) > 1:
            told = ", ".join(f"{word} names {label}" for word, label in named.items())
            raise NotUnderstoodError(f"{told}: loaders differ in which they boot")
        return next(iter(labels or self.entries), "")


def tidy(text: str) -> str:
    """Return a text without what U-Boot would take for a part of a name: browsers' CR, and blanks at ends of lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def read(text: str) -> Entry:
    """Read the default entry as PXELINUX does. Raise NotUnderstoodError."""
    config = _parsed(text)
    if "INCLUDE" in config.top:
        raise NotUnderstoodError("INCLUDE is for PXELINUX and U-Boot only")
    label = config.chosen()
    return _entry({**config.common, **config.entries.get(label, {})})


def differences(text: str) -> list[str]:
    """Say, by line, what PXELINUX and U-Boot take otherwise, and where they wait for a person; else nothing."""
    config = _parsed(text)
    doubts = [*config.doubts, *_waits(config)]
    try:
        chosen = config.chosen()
    except NotUnderstoodError as error:
        return [*doubts, str(error)]
    entry = config.entries.get(chosen)
    if entry is None:
        return [*doubts, "there is no LABEL: U-Boot boots nothing else"]
    if not entry.keys() & {"KERNEL", "LOCALBOOT"}:
        doubts.append(f"label {chosen} has neither KERNEL nor LOCALBOOT")
    return doubts


def _parsed(text: str) -> _Config:
    config, label, within, in_text = _Config(), None, False, False
    for number, line in enumerate(text.splitlines(), 1):
        word, _, rest = line.strip().replace("\t", " ").partition(" ")
        # A comment, for both; LINUX is U-Boot's and PXELINUX' own word for a kernel that is Linux.
        keyword, rest = {"LINUX": "KERNEL"}.get(word.upper(), word.upper()), rest.strip()
        if in_text or not keyword or keyword.startswith("#"):
            in_text = in_text and keyword != "ENDTEXT"
            continue
        if word.upper() == "KERNEL" and rest.lower().endswith(_NO_LINUX):
            config.doubts.append(
                f"line {number}: KERNEL: PXELINUX takes this ending for no Linux kernel's; write LINUX"
            )
        config.doubts += [
            f"line {number}: {doubt}" for doubt in _of_line(config, keyword, rest, label, within=within)
        ]
        if keyword == "LABEL":
            label, within = rest, True
            config.entries.setdefault(label, {})
        elif keyword == "MENU" and label is not None and within:
            config.menu_defaults += [label] if rest.upper() == "DEFAULT" else []
        elif keyword in _OF_ENTRY | _UBOOT_ONLY:
            (config.common if label is None else config.entries[label])[keyword] = rest
        else:
            within, in_text = False, keyword == "TEXT"
            config.top[keyword] = rest
    return config


def _of_line(config: _Config, keyword: str, rest: str, label: str | None, *, within: bool) -> Iterator[str]:
    """Say what is read otherwise of one line; `within`: U-Boot has not yet left the entry."""
    if keyword in _WITH_VALUE and (not rest or rest.startswith("#")):
        yield f"{keyword}: a value expected; without one U-Boot reads nothing of the file"
    if keyword in _OF_ENTRY | _UBOOT_ONLY:
        if label is None:
            yield f"{keyword} before the first LABEL: U-Boot passes it over"
            return
        if not within:
            yield f"{keyword}: U-Boot has left label {label} at a word that it does not know"
        yield from _of_entry(config.entries[label], keyword, rest)
    elif keyword == "LABEL":
        if rest in config.entries:
            yield f"label {rest} is there twice"
        if not rest or " " in rest:
            yield "LABEL: one word expected"
    else:
        yield from _of_top(config, keyword, rest)


def _of_top(config: _Config, keyword: str, rest: str) -> Iterator[str]:
    """Say what is read otherwise of a line that says nothing of an entry's files."""
    word = rest.partition(" ")[0].upper()
    if keyword in _CHOOSING and keyword in config.top:
        yield f"{keyword} is there twice"
    if keyword in _CHOOSING and (" " in rest or rest.endswith(".c32")):
        yield f"{keyword}: the name of a LABEL expected; a menu is named by UI"
    if keyword == "UI" and rest not in _MENUS:
        yield "UI: only menu.c32 and vesamenu.c32 boot an entry by themselves"
    if keyword == "MENU" and word in _MENU_OF_PXELINUX:
        yield f"MENU {word} is for PXELINUX only"
    if keyword in _PXELINUX_ONLY:
        yield f"{keyword} is for PXELINUX only"
    elif keyword not in _HARMLESS:
        yield f"{keyword[:64]!r} is no word of PXELINUX"


def _of_entry(entry: dict[str, str], keyword: str, rest: str) -> Iterator[str]:
    if keyword in entry:
        yield f"{keyword} is there twice: loaders differ in which they take"
    if {keyword, *entry} >= {"KERNEL", "LOCALBOOT"}:
        yield f"{keyword}: a label boots a KERNEL or LOCALBOOT, not both"
    if keyword in ("KERNEL", "INITRD") and (" " in rest or not rest):
        yield f"{keyword}: the name of one file expected; arguments belong into APPEND"
    if rest.startswith("::"):
        yield f"{keyword}: '::' is PXELINUX' own; names begin at the TFTP server's root"
    if keyword == "INITRD" and "," in rest:
        yield "INITRD: U-Boot loads one file only; archives can be put together with cat"
    if keyword == "LOCALBOOT" and not re.fullmatch(r"-?[0-9]+", rest):
        yield "LOCALBOOT: a number expected, such as 0"
    if keyword == "IPAPPEND" and rest not in ("0", "1", "2", "3"):
        yield "IPAPPEND: a number from 0 to 3 expected; U-Boot knows no more"
    if keyword == "APPEND":
        yield from _of_append(rest)


def _of_append(append: str) -> Iterator[str]:
    if append == "-":
        yield "APPEND: kernel arguments expected; leave it out where there are none"
    if any(word.startswith("initrd=") for word in append.split()):
        yield "APPEND: initrd= belongs into a line of its own, INITRD, which all loaders read alike"
    if _READ_OTHERWISE.search(append):
        yield "APPEND: quotes, backslashes, ${ and $( are read otherwise by each loader"


def _waits(config: _Config) -> Iterator[str]:
    """Say where a loader would wait for a person, or boot nothing by itself."""
    timed = re.fullmatch(r"0*[1-9][0-9]*", config.top.get("TIMEOUT", ""))
    for word in ("UI", "PROMPT", "MENU"):
        if config.top.get(word, "0") != "0" and not timed:
            yield f"{word} without TIMEOUT: the board waits for a person"
    if config.entries and not config.top.get("DEFAULT") and "UI" not in config.top:
        yield "there is no DEFAULT: PXELINUX waits for a person"


def _entry(lines: dict[str, str]) -> Entry:
    if "LOCALBOOT" in lines:
        return Entry()
    if not lines.get("KERNEL"):
        raise NotUnderstoodError("the entry has no KERNEL")
    for keyword in (*sorted(_UBOOT_ONLY), "IPAPPEND"):
        if lines.get(keyword, "0") != "0":
            others = "PXELINUX and U-Boot" if keyword == "IPAPPEND" else "U-Boot"
            raise NotUnderstoodError(f"{keyword} is for {others} only")
    words = lines.get("APPEND", "").removeprefix("-").split()
    given = [word.removeprefix("initrd=") for word in words if word.startswith("initrd=")]
    initrds = (lines.get("INITRD") or ",".join(given)).split(",")
    return Entry(
        lines["KERNEL"],
        tuple(name for name in initrds if name),
        " ".join(word for word in words if not word.startswith("initrd=")),
    )
