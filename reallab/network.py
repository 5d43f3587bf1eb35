"""How the machines reach this host, and it them: QEMU's user networking, or a bridge in a network namespace."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

AGENT_PORT = 20701
SSH_PORT = 2222
_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_TFTP_PORT = 69
# What QEMU's user networking calls this host; what is sent there arrives at 127.0.0.1.
_HOST_OF_GUESTS = "10.0.2.2"


@dataclass(frozen=True)
class Network(ABC):
    """The lab's network. `bind` is where the lab's servers listen, `web_host` what machines call that host.

    `tftp_server` is whom machines ask for their boot files; with `own_tftpd` that is `manage.py tftpd`.
    """

    bind: str
    web_host: str
    tftp_server: str
    own_tftpd: bool

    @abstractmethod
    def address(self, number: int) -> str:
        """Give the address at which this host finds machine `number`, from 1 on."""

    @abstractmethod
    def netdev(self, number: int, tftp_root: Path, web_port: int) -> str:
        """Give a machine's `-netdev`, with the id `net`."""

    def services(
        self, macs: Sequence[str], web_port: int, folder: Path, files_port: int
    ) -> dict[str, list[str]]:
        """Name the further processes that the network needs, with their argument lists."""
        return {}


@dataclass(frozen=True)
class UserNetwork(Network):
    """QEMU's user networking: needs no rights. Each machine has its ports at a loopback address of its own.

    Nothing there answers ping in a machine's place or is silent for it, so machines are verified by their agents.
    """

    prefix: str = "127.66.0"

    def address(self, number: int) -> str:
        return f"{self.prefix}.{number + 1}"

    def netdev(self, number: int, tftp_root: Path, web_port: int) -> str:
        address = self.address(number)
        forwarded = [f"hostfwd=tcp:{address}:{port}-:{port}" for port in (AGENT_PORT, SSH_PORT)]
        script = f"bootfile=http://{self.web_host}:{web_port}/boot/ipxe"
        # QEMU's own TFTP server answers at the address of the host, whatever else does.
        return ",".join(["user", "id=net", *forwarded, f"tftp={tftp_root}", script])


def user_network(prefix: str) -> UserNetwork:
    """Give user networking on `prefix`, the first three bytes of a part of 127.0.0.0/8.

    Where we may take port 69, `manage.py tftpd` serves it at the first address; else QEMU serves the same folder.
    """
    own = os.geteuid() == 0 or int(_UNPRIVILEGED.read_text()) <= _TFTP_PORT
    server = f"{prefix}.1" if own else _HOST_OF_GUESTS
    return UserNetwork("127.0.0.1", _HOST_OF_GUESTS, server, own, prefix)
