"""Makes what the machines of a kind boot and are given: kernel, live image, and the image that is installed.

All of it is built anew each time, from packages of Debian that are fetched once.
"""

import gzip
import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bmm.live import cpio, initramfs, kit
from reallab import debian, disks
from reallab.kinds import FILE_SYSTEM_MODULES, KERNEL_OPTIONS, X86, Kind

LOADER = "loader.efi"
"""What UEFI's firmware fetches, beside the images."""
_SYSTEM = Path(__file__).with_name("system")
# dropbear, and the libraries that it and busybox's shell need beside it.
_SSH_PACKAGES = ("dropbear-bin", "libc6", "libtomcrypt1", "libtommath1", "libgmp10", "libcrypt1", "zlib1g")
_SSH_LIBRARIES = (
    "libc.so.6",
    "libtomcrypt.so.1",
    "libtommath.so.1",
    "libgmp.so.10",
    "libcrypt.so.1",
    "libz.so.1",
)
_EXTLINUX = """DEFAULT linux
LABEL linux
  LINUX /vmlinuz
  INITRD /initrd.gz
  APPEND console={console} {options}
"""
_GRUB = """linux /vmlinuz console={console} {options}
initrd /initrd.gz
boot
"""


@dataclass(frozen=True)
class Artefacts:
    """What a kind of machine needs, as files; checksums are SHA-256, in hex."""

    kind: Kind
    kernel: Path
    live: Path
    image: Path
    image_sha256: str
    # Of the boot partition within the unpacked image.
    boot_sha256: str
    # U-Boot or UEFI's, where the kind has it.
    firmware: Path | None
    # What UEFI's firmware fetches: a boot loader.
    loader: Path | None


def fetched(kind: Kind, cache: Path) -> Path:
    """Return the folder of what a kind needs of Debian, fetched unless it is there. Raise DebianFailed."""
    packages = (kind.kernel_package, "busybox-static", *_SSH_PACKAGES, *kind.packages)
    return debian.unpacked(cache, kind.architecture, packages)


def build(kind: Kind, folder: Path, cache: Path) -> Artefacts:
    """Build for a kind into `folder`; `cache` keeps what comes from Debian. Raises DebianFailed and DisksFailed."""
    root = fetched(kind, cache)
    folder.mkdir(parents=True, exist_ok=True)
    kernel = next((root / "boot").glob("vmlinuz-*"))
    modules = next((root / "lib/modules").iterdir())
    busybox = (root / "bin/busybox").read_bytes()
    live = initramfs.build(busybox, initramfs.find_modules(modules, kind.modules), _ssh(kind, root))
    system = _system(busybox, initramfs.find_modules(modules, (*kind.modules, *FILE_SYSTEM_MODULES)))
    whole = _image(kind, root, kernel.read_bytes(), system, folder)
    packed = gzip.compress(whole, compresslevel=6, mtime=0)
    boot = whole[disks.BOOT.start_mb << 20 : disks.DATA.start_mb << 20]
    built = Artefacts(
        kind,
        folder / "vmlinuz",
        folder / "live.gz",
        folder / "tiny.img.gz",
        hashlib.sha256(packed).hexdigest(),
        hashlib.sha256(boot).hexdigest(),
        _firmware(kind, root),
        root / _loader(kind) if kind.efi else None,
    )
    built.kernel.write_bytes(kernel.read_bytes())
    built.live.write_bytes(live)
    built.image.write_bytes(packed)
    if built.loader:
        (folder / LOADER).write_bytes(built.loader.read_bytes())
    return built


def _firmware(kind: Kind, root: Path) -> Path | None:
    if kind.efi:
        return root / "usr/share/OVMF/OVMF_CODE.fd"
    return root / "usr/lib/u-boot/qemu_arm/u-boot.bin" if "u-boot-qemu" in kind.packages else None


def _loader(kind: Kind) -> str:
    if kind.http_boot:
        return "usr/lib/ipxe/snponly.efi"
    return "usr/lib/grub/x86_64-efi/monolithic/grubnetx64.efi"


def _ssh(kind: Kind, root: Path) -> dict[str, cpio.Entry]:
    """Give dropbear for the live image: Debian has it with shared libraries only."""
    libraries = root / "lib" / kind.libraries
    places = (libraries, root / "usr/lib" / kind.libraries)
    entries = {
        "bin/dropbear": cpio.file((root / "usr/sbin/dropbear").read_bytes(), executable=True),
        "bin/dropbearkey": cpio.file((root / "usr/bin/dropbearkey").read_bytes(), executable=True),
        kind.loader: cpio.file((libraries / Path(kind.loader).name).read_bytes(), executable=True),
    }
    for name in _SSH_LIBRARIES:
        found = next(place / name for place in places if (place / name).exists())
        entries[f"lib/{name}"] = cpio.file(found.read_bytes(), executable=True)
    return entries


def _system(busybox: bytes, modules: Mapping[str, bytes]) -> bytes:
    """Give the initramfs of the installed system: busybox, the agent, and the modules for disk, network and FAT."""
    entries = {
        "init": _program("init"),
        "bin/busybox": cpio.file(busybox, executable=True),
        "bin/sh": cpio.link("busybox"),
        "bin/agent": _program("agent"),
        "bin/dhcp-script": cpio.file(kit.text_of("dhcp-script").encode(), executable=True),
        "dev/console": cpio.node(5, 1),
        "etc": cpio.folder(),
        "lib/modules/order": cpio.file("".join(f"{name}.ko\n" for name in modules).encode()),
        **{f"lib/modules/{name}.ko": cpio.file(content) for name, content in modules.items()},
    }
    return gzip.compress(cpio.archive(entries), compresslevel=6, mtime=0)


def _program(name: str) -> cpio.Entry:
    return cpio.file((_SYSTEM / f"{name}.sh").read_bytes(), executable=True)


def _image(kind: Kind, root: Path, kernel: bytes, system: bytes, folder: Path) -> bytes:
    config = _EXTLINUX.format(console=kind.console, options=KERNEL_OPTIONS).encode()
    files = {"vmlinuz": kernel, "initrd.gz": system}
    if kind.efi:
        grub = root / "usr/lib/grub/x86_64-efi/monolithic/grubx64.efi"
        config = _GRUB.format(console=kind.console, options=KERNEL_OPTIONS).encode()
        return disks.image(
            {**files, "EFI/BOOT/BOOTX64.EFI": grub.read_bytes(), "EFI/debian/grub.cfg": config},
            folder / "parts",
        )
    if kind is not X86:
        return disks.image({**files, "extlinux/extlinux.conf": config}, folder / "parts")
    syslinux = root / "usr/bin/syslinux"

    def finish(boot: Path) -> None:
        done = subprocess.run([syslinux, "--install", boot], capture_output=True, text=True, check=False)
        if done.returncode:
            raise disks.DisksFailed(f"{syslinux}: {done.stderr.strip()[:500]}")

    boot_code = (root / "usr/lib/syslinux/mbr/mbr.bin").read_bytes()
    return disks.image({**files, "syslinux.cfg": config}, folder / "parts", boot_code, finish)
