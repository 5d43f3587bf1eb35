"""A boot config's default entry, said in iPXE's and GRUB's own languages; PXELINUX and U-Boot read the text itself."""

import re
from urllib.parse import urlsplit

from devices.pxelinux import Entry, NotUnderstoodError, read

__all__ = ("GRUB_DISK", "IPXE_DISK", "Entry", "NotUnderstoodError", "grub", "ipxe", "read")

# An argument is one word of a script, so none of these may be in a file's name.
_FILE = re.compile(r"[A-Za-z0-9_.+@=,:~/%?&-]+", re.ASCII)
_IPXE_SPECIAL = re.compile(r"""['"\\]|\$\{|(?:^|\s)(?:\|\||&&|;)(?:\s|$)|(?:^|\s)#""")
# GRUB takes these as they are behind a backslash.
_GRUB_SPECIAL = re.compile(r"([$`;|&<>(){}#*?\[\]~])")
# Whatever stands before these, GRUB hands them to the kernel with a backslash.
_GRUB_NEVER = re.compile(r"""['"\\]""")
# For a device that is not to boot from the network: on to the next thing that its firmware tries, its disk.
# UEFI takes an exit without an error for a boot that went well, and stops there with its menu; GRUB cannot tell it one
# before 2.12, so it starts what is on the disk itself.
IPXE_DISK = "#!ipxe\necho Not to boot from the network: on to the disk\nexit 1\n"
GRUB_DISK = """if [ "$grub_platform" = efi ]; then
    for file in /EFI/BOOT/BOOTX64.EFI /EFI/BOOT/BOOTAA64.EFI /EFI/BOOT/BOOTARM.EFI; do
        if search --no-floppy --set=root --file $file; then chainloader $file; boot; fi
    done
fi
exit 1
"""


def ipxe(entry: Entry, server: str) -> str:
    """Write an iPXE script; `server` is the TFTP server's address. Raises NotUnderstoodError."""
    if not entry.kernel:
        return IPXE_DISK
    _check_files(entry)
    if _IPXE_SPECIAL.search(entry.append):
        raise NotUnderstoodError(
            "iPXE would read a quote, a backslash, ${, ||, &&, ; or # in APPEND as its own"
        )
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
    _check_files(entry)
    if _GRUB_NEVER.search(entry.append):
        raise NotUnderstoodError("GRUB would put a backslash before a quote or a backslash in APPEND")
    words = [_GRUB_SPECIAL.sub(r"\\\1", word) for word in entry.append.split()]
    lines = [" ".join(["linux", _grub_path(entry.kernel, server), *words])]
    if entry.initrds:
        lines.append(" ".join(["initrd", *(_grub_path(file, server) for file in entry.initrds)]))
    return "\n".join([*lines, "boot", ""])


def _check_files(entry: Entry) -> None:
    for name in (entry.kernel, *entry.initrds):
        if not _FILE.fullmatch(name) or "::" in name:
            raise NotUnderstoodError(f"{name!r} is no name of a file")


def _url(file: str, server: str) -> str:
    return file if "://" in file else f"tftp://{server}/{file.lstrip('/')}"


def _grub_path(file: str, server: str) -> str:
    if "://" not in file:
        return f"(tftp,{server})/{file.lstrip('/')}"
    parts = urlsplit(file)
    if parts.scheme not in ("http", "tftp") or parts.query or not parts.netloc:
        raise NotUnderstoodError(f"GRUB can't fetch {file}")
    return f"({parts.scheme},{parts.netloc}){parts.path}"
