"""How QEMU plays a machine: its argument list, and what belongs to it on this host."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from reallab import disks, uboot
from reallab.artefacts import Artefacts
from reallab.kinds import X86, Kind

DISK_MB = 32
# In sectors of 512 bytes. It is within the image, and within what the self-test writes in the disk's middle.
_WORN_OUT_AT = 16 * 2048 + 64


@dataclass(frozen=True)
class Machine:
    """A machine of the lab. `worn_out`: at one place, behind 16 MB, its disk can't be written."""

    name: str
    kind: Kind
    number: int
    address: str
    folder: Path
    worn_out: bool = False

    @property
    def mac(self) -> str:
        """Its MAC address, as twelve hex digits."""
        return f"525400660{self.number:03x}"

    @property
    def mac_with_colons(self) -> str:
        """The same as QEMU and dnsmasq write it."""
        return ":".join(self.mac[at : at + 2] for at in range(0, 12, 2))

    @property
    def disk(self) -> Path:
        """The file that is its disk."""
        return self.folder / f"{self.name}.disk"

    @property
    def console(self) -> Path:
        """What it has written to its serial console."""
        return self.folder / f"{self.name}.console"

    def prepare(self, artefacts: Artefacts, tftp_server: str) -> None:
        """Make its disk, blank, and its flash."""
        disks.blank(self.disk, DISK_MB)
        if artefacts.firmware and self.kind.efi:
            shutil.copy(artefacts.firmware.with_name("OVMF_VARS.fd"), self._flash)
        elif artefacts.firmware:
            with self._flash.open("wb") as file:
                file.write(uboot.environment(uboot.network_then_disk(tftp_server)))
                file.truncate(uboot.BANK)

    def command(self, artefacts: Artefacts, netdev: str) -> list[str]:
        """Give QEMU's argument list; `netdev` is its network, with the id `net`."""
        words = [
            self.kind.program, "-nodefaults", "-no-user-config", "-display", "none",
            # Guests hang under nested KVM; and it is not everywhere.
            "-accel", "tcg,tb-size=32",
            "-m", str(self.kind.memory_mb),
            "-chardev", f"file,id=console,path={self.console},append=on",
            "-serial", "chardev:console",
            "-netdev", netdev,
            "-drive", self._drive(),
        ]  # fmt: skip
        if self.kind.efi:
            # Without the card's own iPXE, and with the one way to boot from the network that this kind is there for.
            way = {"IPv4PXESupport": "n"} if self.kind.http_boot else {}
            support = {"IPv6PXESupport": "n", "IPv6Support": "n", **way}
            told = [f"name=opt/org.tianocore/{name},string={value}" for name, value in support.items()]
            return [
                *words, "-machine", "pc", "-cpu", "qemu64",
                "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={artefacts.firmware}",
                "-drive", f"if=pflash,unit=1,format=raw,file={self._flash}",
                *(word for one in told for word in ("-fw_cfg", one)),
                "-device", f"virtio-net-pci,netdev=net,mac={self.mac_with_colons},romfile=,bootindex=0",
                "-device", "virtio-blk-pci,drive=disk,bootindex=1",
            ]  # fmt: skip
        if self.kind is X86:
            # With the card's own iPXE; when that gives up, the BIOS goes on to the disk.
            return [
                *words, "-machine", "pc", "-cpu", "qemu64",
                "-device", f"virtio-net-pci,netdev=net,mac={self.mac_with_colons},bootindex=0",
                "-device", "virtio-blk-pci,drive=disk,bootindex=1",
            ]  # fmt: skip
        return [
            *words, "-machine", "virt", "-cpu", "cortex-a15", "-bios", str(artefacts.firmware),
            "-drive", f"if=pflash,unit=1,format=raw,readonly=on,file={self._flash}",
            "-device", f"virtio-net-device,netdev=net,mac={self.mac_with_colons}",
            "-device", "virtio-blk-device,drive=disk",
        ]  # fmt: skip

    @property
    def _flash(self) -> Path:
        return self.folder / f"{self.name}.flash"

    def _drive(self) -> str:
        """Give the disk; a machine that is killed loses nothing of it, for this host has it."""
        start = "if=none,id=disk,cache=unsafe"
        if not self.worn_out:
            return f"{start},format=raw,file={self.disk}"
        rule = ("event=none", "iotype=write", "errno=5", f"sector={_WORN_OUT_AT}")
        rules = [f"file.inject-error.0.{word}" for word in rule]
        return ",".join(
            [start, "driver=raw", "file.driver=blkdebug", f"file.image.filename={self.disk}", *rules]
        )
