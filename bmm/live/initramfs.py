"""Builds the live image: busybox, the kernel modules for disk and network, and the kit's first scripts."""

import gzip
import lzma
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bmm.live import cpio, kit

VIRTUAL_MACHINE = ("virtio_mmio", "failover", "net_failover", "virtio_net", "virtio_blk")
"""What a QEMU machine of type virt needs, in the order in which it can be loaded; x86 needs PCI instead of MMIO."""

_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".ko": bytes,
    ".ko.xz": lzma.decompress,
    ".ko.gz": gzip.decompress,
}
_ETC = {
    # dropbear lets root in only with a shell that is listed.
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": b"root:x:0:\n",
    "etc/shells": b"/bin/sh\n",
}


def find_modules(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Give modules below a folder (`/lib/modules/VERSION`) by name, unpacked, in the order of `names`.

    Those that the kernel has built in are left out. Raises FileNotFoundError, naming all that are missing.
    """
    found = {}
    for path in sorted(folder.rglob("*.ko*")):
        name, ending = _split(path.name)
        if ending in _UNPACK:
            found[name] = (path, _UNPACK[ending])
    built_in = folder / "modules.builtin"
    inside = (
        {_split(Path(line).name)[0] for line in built_in.read_text().split()} if built_in.is_file() else set()
    )
    wanted = [name.replace("-", "_") for name in names]
    missing = [name for name in wanted if name not in found and name not in inside]
    if missing:
        raise FileNotFoundError(f"no such kernel modules below {folder}: {', '.join(missing)}")
    return {name: found[name][1](found[name][0].read_bytes()) for name in wanted if name in found}


def build(
    busybox: bytes, modules: Mapping[str, bytes], more: Mapping[str, cpio.Entry] | None = None
) -> bytes:
    """Give a gzipped initramfs; the same input gives the same bytes.

    `busybox` is a static program for the device's processor, `modules` are loaded in their order, `more` are entries
    by path, such as `bin/dropbear`.
    """
    entries = {
        "init": cpio.file(kit.text_of("init").encode(), executable=True),
        "bin/busybox": cpio.file(busybox, executable=True),
        "bin/sh": cpio.link("busybox"),
        "bin/mobile-init": cpio.file(kit.mobile_init().encode(), executable=True),
        "bin/dhcp-script": cpio.file(kit.text_of("dhcp-script").encode(), executable=True),
        # What process 1 writes before it has mounted /dev goes there.
        "dev/console": cpio.node(5, 1),
        "lib/modules/order": cpio.file("".join(f"{name}.ko\n" for name in modules).encode()),
        **{path: cpio.file(content) for path, content in _ETC.items()},
        **{f"lib/modules/{name}.ko": cpio.file(content) for name, content in modules.items()},
        **(more or {}),
    }
    return gzip.compress(cpio.archive(entries), mtime=0)


def _split(name: str) -> tuple[str, str]:
    stem, dot, ending = name.partition(".")
    return stem.replace("-", "_"), dot + ending
