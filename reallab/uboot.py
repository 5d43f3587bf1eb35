"""Writes U-Boot's environment as it lies in flash: a checksum, then `name=value` texts, each ended by a NUL.

The format is that of U-Boot's include/env_internal.h, for one copy: CRC-32 of all that follows it, little-endian.
"""

import binascii
import struct
from collections.abc import Mapping

SIZE = 256 * 1024
"""CONFIG_ENV_SIZE of U-Boot's qemu_arm."""
BANK = 64 * 1024 * 1024
"""Bytes of a bank of flash of QEMU's `virt` machine; the second one begins with the environment."""

# Where QEMU's `virt` machine has its memory, and how U-Boot's own environment for it (include/configs/qemu-arm.h)
# shares it out. What is in flash replaces that environment as a whole.
_ADDRESSES = {
    "fdt_high": "0xffffffff",
    "initrd_high": "0xffffffff",
    "fdt_addr": "0x40000000",
    "scriptaddr": "0x40200000",
    "pxefile_addr_r": "0x40300000",
    "kernel_addr_r": "0x40400000",
    "ramdisk_addr_r": "0x44000000",
}


def network_then_disk(tftp_server: str = "") -> dict[str, str]:
    """Give an environment that boots what `pxelinux.cfg/01-MAC` says, and where there is no such file, the disk.

    A machine that finds neither switches itself off: waiting for a person at its console would keep a processor busy.
    `tftp_server` is asked instead of the one that DHCP names.
    """
    steps = ["dhcp", "setenv bootfile boot"]
    if tftp_server:
        steps.append(f"setenv serverip {tftp_server}")
    steps += [
        "if pxe get; then pxe boot; fi",
        "sysboot virtio 0:1 any ${scriptaddr} /extlinux/extlinux.conf",
        "poweroff",
    ]
    return {
        **_ADDRESSES,
        # -2: no look at the console before it boots.
        "bootdelay": "-2",
        "autoload": "no",
        "netretry": "no",
        "tftptimeout": "1000",
        "tftpblocksize": "1468",
        "bootcmd": "; ".join(steps),
    }


def environment(values: Mapping[str, str], size: int = SIZE) -> bytes:
    """Give the bytes of an environment. Raises ValueError for a name or a value that can't be in one, or too many."""
    for name, value in values.items():
        if not name or "=" in name or "\0" in name + value:
            raise ValueError(f"{name!r} can't be a variable with the value {value!r:.100}")
    text = b"".join(f"{name}={values[name]}\0".encode() for name in sorted(values))
    room = size - 4
    # The end is told by one more NUL.
    if len(text) >= room:
        raise ValueError(f"the environment takes {len(text) + 1} bytes, and there are {room}")
    data = text.ljust(room, b"\0")
    return struct.pack("<I", binascii.crc32(data)) + data
