"""One boot config, said in each boot loader's own language: read from PXELINUX's, written for iPXE and GRUB.

PXELINUX and U-Boot read the text itself (https://wiki.syslinux.org/wiki/index.php?title=Config); what is understood
here is what U-Boot's `pxe` understands of it.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

# An argument is one word of a script, so none of these may be in a file's name.
_FILE = re.compile(r"[A-Za-z0-9_.+@=,:~/%?&-]+", re.ASCII)
_IPXE_SPECIAL = re.compile(r"""['"\\]|\$\{|(?:^|\s)(?:\|\||&&|;)(?:\s|$)""")
# GRUB takes these as they are behind a backslash.
_GRUB_SPECIAL = re.compile(r"([\\\"$'`;|&<>(){}#*?\[\]~])")
# For a device that is not to boot from the network: on to the next thing that its firmware tries, its disk.
IPXE_DISK = "#!ipxe\necho Not to boot from the network: on to the disk\nexit\n"
GRUB_DISK = "# not to boot from the network: on to the disk\nexit\n"


class NotUnderstoodError(ValueError):
    """The PXELINUX text asks for something that the other loaders can't be told; the message says what."""


@dataclass(frozen=True)
class Entry:
    """What is booted: files as PXELINUX names them, relative to the TFTP root, or URLs. No kernel: the own disk."""

    kernel: str = ""
    initrds: tuple[str, ...] = ()
    append: str = ""


def read(text: str) -> Entry:
    """Read the default entry of a PXELINUX file. Raises NotUnderstoodError."""
    entries: dict[str, dict[str, str]] = {"": {}}
    default = label = ""
    for line in text.splitlines():
        keyword, _, rest = line.strip().partition(" ")
        keyword, rest = keyword.upper(), rest.strip()
        if keyword == "DEFAULT":
            default = rest
        elif keyword == "LABEL":
            label = rest
            entries[label] = dict(entries[""])
        else:
            entries[label][{"LINUX": "KERNEL"}.get(keyword, keyword)] = rest
    chosen = default or next((name for name in entries if name), "")
    if chosen not in entries:
        raise NotUnderstoodError(f"there is no label {chosen!r}, which DEFAULT names")
    return _entry(entries[chosen])


def _entry(lines: dict[str, str]) -> Entry:
    if "LOCALBOOT" in lines:
        return Entry()
    if not lines.get("KERNEL"):
        raise NotUnderstoodError("the entry has no KERNEL")
    for keyword in ("FDT", "FDTDIR", "DEVICETREE"):
        if keyword in lines:
            raise NotUnderstoodError(f"{keyword} is for U-Boot only")
    words = lines.get("APPEND", "").split()
    given = [word.removeprefix("initrd=") for word in words if word.startswith("initrd=")]
    initrds = (lines.get("INITRD") or ",".join(given)).split(",")
    entry = Entry(
        lines["KERNEL"],
        tuple(name for name in initrds if name),
        " ".join(word for word in words if not word.startswith("initrd=")),
    )
    for name in (entry.kernel, *entry.initrds):
        if not _FILE.fullmatch(name):
            raise NotUnderstoodError(f"{name!r} is no name of a file")
    return entry


def ipxe(entry: Entry, server: str) -> str:
    """Write an iPXE script; `server` is the TFTP server's address. Raises NotUnderstoodError."""
    if not entry.kernel:
        return IPXE_DISK
    if _IPXE_SPECIAL.search(entry.append):
        raise NotUnderstoodError("iPXE would read a quote, a backslash, ${, ||, && or ; in APPEND as its own")
    # With EFI the kernel finds an initrd only by its name on the kernel line.
    names = [f"initrd{number}" for number in range(len(entry.initrds))]
    words = [*(f"initrd={name}" for name in names), entry.append]
    lines = ["#!ipxe", f"kernel {_url(entry.kernel, server)} {' '.join(words)}".rstrip()]
    lines += [
        f"initrd --name {name} {_url(file, server)}" for name, file in zip(names, entry.initrds, strict=True)
    ]
    return "\n".join([*lines, "boot", ""])


def grub(entry: Entry, server: str) -> str:
    """Write a GRUB config; `server` is the TFTP server's address. Raises NotUnderstoodError."""
    if not entry.kernel:
        return GRUB_DISK
    words = [_GRUB_SPECIAL.sub(r"\\\1", word) for word in entry.append.split()]
    lines = [" ".join(["linux", _grub_path(entry.kernel, server), *words])]
    if entry.initrds:
        lines.append(" ".join(["initrd", *(_grub_path(file, server) for file in entry.initrds)]))
    return "\n".join([*lines, "boot", ""])


def _url(file: str, server: str) -> str:
    return file if "://" in file else f"tftp://{server}/{file.lstrip('/')}"


def _grub_path(file: str, server: str) -> str:
    if "://" not in file:
        return f"(tftp,{server})/{file.lstrip('/')}"
    parts = urlsplit(file)
    if parts.scheme not in ("http", "tftp") or parts.query or not parts.netloc:
        raise NotUnderstoodError(f"GRUB can't fetch {file}")
    return f"({parts.scheme},{parts.netloc}){parts.path}"
