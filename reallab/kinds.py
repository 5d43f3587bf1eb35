"""The kinds of machines: what each is made of in Debian's archive, and how QEMU plays it."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Kind:
    """A kind of machine. `modules` load disk and network, in an order in which they can be loaded."""

    name: str
    model: str
    architecture: str
    kernel_package: str
    program: str
    # Where a machine of this kind keeps its shared libraries, and what loads them.
    libraries: str
    loader: str
    modules: tuple[str, ...]
    console: str
    memory_mb: int
    # Further packages of Debian from which files are needed.
    packages: tuple[str, ...] = ()
    # Whether its firmware is UEFI's, and whether that boots by HTTP instead of TFTP.
    efi: bool = False
    http_boot: bool = False


ARM = Kind(
    name="arm",
    model="virt-a15",
    architecture="armhf",
    kernel_package="linux-image-armmp",
    program="qemu-system-arm",
    libraries="arm-linux-gnueabihf",
    loader="lib/ld-linux-armhf.so.3",
    modules=("virtio_mmio", "failover", "net_failover", "virtio_net", "virtio_blk"),
    console="ttyAMA0",
    memory_mb=128,
    packages=("u-boot-qemu",),
)
X86 = Kind(
    name="x86",
    model="pc",
    architecture="amd64",
    kernel_package="linux-image-cloud-amd64",
    program="qemu-system-x86_64",
    libraries="x86_64-linux-gnu",
    loader="lib64/ld-linux-x86-64.so.2",
    modules=(
        "virtio_ring",
        "virtio",
        "virtio_pci_legacy_dev",
        "virtio_pci_modern_dev",
        "virtio_pci",
        "failover",
        "net_failover",
        "virtio_net",
        "virtio_blk",
    ),
    console="ttyS0",
    memory_mb=256,
    packages=("syslinux", "syslinux-common"),
)
# With UEFI: the firmware fetches GRUB by TFTP, or iPXE by HTTP from any web server; GRUB boots the disk, too.
UEFI = replace(
    X86, name="uefi", model="uefi", memory_mb=384, packages=("ovmf", "grub-efi-amd64-bin", "ipxe"), efi=True
)
UEFI_HTTP = replace(UEFI, name="uefihttp", model="uefi-http", http_boot=True)
KINDS = {kind.name: kind for kind in (ARM, X86)}
BRIDGE_KINDS = {kind.name: kind for kind in (UEFI, UEFI_HTTP)}
"""They need a DHCP server that tells one firmware from another, which QEMU's user networking is not."""

FILE_SYSTEM_MODULES = ("fat", "vfat", "nls_cp437", "nls_ascii")
"""What the installed system needs besides, to write to its disk."""

KERNEL_OPTIONS = "panic=5 quiet cryptomgr.notests"
"""The kernel's tests of its ciphers would take a fifth of the time of a boot."""
