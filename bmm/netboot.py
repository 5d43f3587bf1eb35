"""Boot files for PXELINUX, the values put into them, and the tokens by which a booting device is known.

Files and bytes only; who boots what is decided elsewhere.
"""

import base64
import errno
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# PXELINUX and U-Boot look for pxelinux.cfg/01-aa-bb-cc-dd-ee-ff: 01 is the ARP type of Ethernet, then the MAC. The
# files of other loaders, beside it, are ours to name: `/boot/ipxe` and `/boot/grub/` send them there.
PXELINUX, IPXE, GRUB = "pxelinux.cfg", "ipxe", "grub"
FOLDERS = (PXELINUX, IPXE, GRUB)
_MAC = re.compile(r"[0-9a-f]{12}")
_BOOT_FILE = re.compile(r"01((?:-[0-9a-f]{2}){6})")
_TEMPORARY = re.compile(r"\.mozpool-[0-9a-f]{16}\.tmp")
# No write takes nearly as long: a temporary file this old belongs to a process that was killed.
_LEFTOVER_SECONDS = 3600.0

PLACEHOLDERS = ("IPADDRESS", "TOKEN", "DEVICE", "BASEURL")
_PLACEHOLDER = re.compile(f"%({'|'.join(PLACEHOLDERS)})%")
_QUOTES = "'\"`"

# 16 bytes of the HMAC, 22 characters of base64url, cannot be guessed and fit into a kernel line.
_TOKEN_BYTES = 16
_TOKEN_VERSION = "v1"  # noqa: S105 - names the scheme, opens nothing


def boot_file_path(tftp_root: Path, mac: str, folder: str = PXELINUX) -> Path:
    """Give the path of a device's boot file in a loader's folder.

    A `mac` that is not twelve lower-case hex digits is a ValueError. The path is absolute, and checked after
    resolving: a link that leads out of the root is a ValueError too.
    """
    if not _MAC.fullmatch(mac):
        raise ValueError(f"{mac!r} is no MAC address of twelve lower-case hex digits")
    root = tftp_root.resolve()
    path = (root / folder / boot_file_name(mac)).resolve()
    if root not in path.parents:
        raise ValueError(f"the boot file of {mac} would be at {path}, outside of the TFTP root {root}")
    return path


def boot_file_name(mac: str) -> str:
    """Give the file name that loaders make of a MAC address of twelve hex digits."""
    return "-".join(["01", *(mac[at : at + 2] for at in range(0, len(mac), 2))])


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of %IPADDRESS%, %TOKEN%, %DEVICE% and %BASEURL%; any other %NAME% stays.

    Raises ValueError for a NUL in the text, for a value of another name, and, naming it, for a value with
    white space, a quote or a control character: each could add a kernel argument or a shell command.
    """
    if "\0" in text:
        raise ValueError("the boot config contains a NUL character")
    for name, value in values.items():
        if name not in PLACEHOLDERS:
            raise ValueError(f"{name!r} is no placeholder; known are: {', '.join(PLACEHOLDERS)}")
        if any(char.isspace() or not char.isprintable() or char in _QUOTES for char in value):
            raise ValueError(f"the value of {name} contains white space, a quote or a control character")
    # One pass over the text, so that a value that looks like a placeholder stays what it is.
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def write_boot_file(tftp_root: Path, mac: str, text: str, folder: str = PXELINUX) -> bool:
    """Make a device's boot file say `text`; gives whether anything had to change.

    A TFTP server sees the old file or the new one, never a part, and a crash leaves one of the two. Raises
    ValueError as `boot_file_path` does or for a NUL, OSError when the folder cannot be written.
    """
    if "\0" in text:
        raise ValueError("the boot file would contain a NUL character")
    path = boot_file_path(tftp_root, mac, folder)
    data = text.encode()
    if _bytes_of(path) == data:
        return False
    _make_folder(path.parent)
    temporary = path.parent / f".mozpool-{secrets.token_hex(8)}.tmp"
    try:
        _write_durably(temporary, data)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return True


def remove_boot_file(tftp_root: Path, mac: str, folder: str = PXELINUX) -> bool:
    """Remove a device's boot file, so that it boots from its own storage; gives whether there was one."""
    path = boot_file_path(tftp_root, mac, folder)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    _sync_folder(path.parent)
    return True


def present_boot_files(tftp_root: Path, folder: str = PXELINUX) -> dict[str, str]:
    """Give the text of every boot file by MAC; other files of the folder are not ours and are left out."""
    found: dict[str, str] = {}
    files = tftp_root / folder
    for file in files.iterdir() if files.is_dir() else ():
        match = _BOOT_FILE.fullmatch(file.name)
        # A file may go away between the listing and here: another process has removed it.
        data = _bytes_of(file) if match else None
        if match and data is not None:
            found[match[1].replace("-", "")] = data.decode("utf-8", "replace")
    return found


def sweep(tftp_root: Path) -> int:
    """Remove temporary files that a killed process left over an hour ago; gives how many."""
    removed = 0
    folders = [tftp_root / name for name in FOLDERS if (tftp_root / name).is_dir()]
    for file in (file for folder in folders for file in folder.iterdir()):
        if not _TEMPORARY.fullmatch(file.name):
            continue
        try:
            if time.time() - file.lstat().st_mtime > _LEFTOVER_SECONDS:
                file.unlink()
                removed += 1
        except FileNotFoundError:
            continue
    return removed


def boot_token(key: bytes, device: str, boot_seq: int) -> str:
    """Give the 22-character token that a device is known by during one boot; an empty key: ValueError."""
    if not key:
        raise ValueError("boot tokens need a key that is not empty")
    digest = hmac.digest(key, f"{_TOKEN_VERSION}|{device}|{boot_seq}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_TOKEN_BYTES]).rstrip(b"=").decode("ascii")


def check_token(key: bytes) -> str:
    """Return a token that shows whether two hosts have the same keys; it is no device's, for none has an empty name."""
    return boot_token(key, "", 0)


def token_matches(keys: Sequence[bytes], device: str, boot_seq: int, token: str) -> bool:
    """Whether the token was made by any of the keys for this boot; an empty key or token never matches.

    Takes the same time whichever key it is and however much of the token is right.
    """
    given = token.encode("utf-8", "surrogatepass")
    matched = False
    for key in keys:
        if key:
            matched |= hmac.compare_digest(boot_token(key, device, boot_seq).encode("ascii"), given)
    return matched


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _make_folder(folder: Path) -> None:
    if not folder.parent.is_dir():
        # Making it would hide a share that is not mounted: the boards would wait for files that never come.
        raise FileNotFoundError(errno.ENOENT, "the TFTP root does not exist; create it", str(folder.parent))
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        # Whatever our umask is: the TFTP server runs as another user.
        folder.chmod(0o755)


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename or a removal survive a power failure: it is the folder that has changed."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
