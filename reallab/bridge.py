"""A bridge in a network namespace: the machines have addresses of their own there, and answer ping or do not.

Whatever is started within `namespace` lives in it. All of it needs root.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reallab.artefacts import LOADER
from reallab.kinds import UEFI_HTTP
from reallab.network import Network

_BRIDGE, _OWN = "mozpool0", "10.66.0.1"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
_LIBC = ctypes.CDLL(None, use_errno=True)
PROGRAMS = ("ip", "dnsmasq")


class BridgeFailed(Exception):
    """The namespace or the bridge could not be made; the message says why."""


@dataclass(frozen=True)
class BridgeNetwork(Network):
    """Machines on a bridge, each by a tap; dnsmasq gives them their addresses."""

    def address(self, number: int) -> str:
        return f"10.66.0.{number + 10}"

    def netdev(self, number: int, tftp_root: Path, web_port: int) -> str:
        return f"tap,id=net,ifname={_tap(number)},script=no,downscript=no"

    def services(
        self, macs: Sequence[str], web_port: int, folder: Path, files_port: int
    ) -> dict[str, list[str]]:
        lines = [
            f"interface={_BRIDGE}",
            "bind-interfaces",
            "port=0",
            "dhcp-authoritative",
            f"dhcp-leasefile={folder / 'dnsmasq.leases'}",
            f"dhcp-range={_OWN.rpartition('.')[0]}.0,static,255.255.255.0,1h",
            "dhcp-match=set:ipxe,175",
            f"dhcp-boot=tag:ipxe,http://{_OWN}:{web_port}/boot/ipxe,lab,{_OWN}",
            # As deploy/network/dnsmasq.conf has it for UEFI: GRUB by TFTP, and iPXE by HTTP.
            "dhcp-match=set:efi64,option:client-arch,7",
            f"dhcp-boot=tag:efi64,tag:!ipxe,grubnetx64.efi,lab,{_OWN}",
            "dhcp-match=set:efihttp,option:client-arch,16",
            "dhcp-option-force=tag:efihttp,60,HTTPClient",
            f"dhcp-boot=tag:efihttp,tag:!ipxe,http://{_OWN}:{files_port}/{UEFI_HTTP.name}/{LOADER}",
            *(f"dhcp-host={mac},{self.address(number)}" for number, mac in enumerate(macs, 1)),
        ]
        file = folder / "dnsmasq.conf"
        file.write_text("\n".join(lines) + "\n")
        return {
            "dhcp": [
                "dnsmasq",
                "--keep-in-foreground",
                "--pid-file=",
                f"--conf-file={file}",
                "--log-facility=-",
            ]
        }


@contextmanager
def namespace() -> Iterator[None]:
    """Put this thread, and what it starts, into a network that has only 127.0.0.1 yet; raises BridgeFailed."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if _LIBC.unshare(_NEW_NETWORK) != 0:
            raise BridgeFailed(f"no network namespace can be made: {os.strerror(ctypes.get_errno())}")
        try:
            _ip("link", "set", "lo", "up")
            yield
        finally:
            if _LIBC.setns(before, _NEW_NETWORK) != 0:
                raise BridgeFailed(f"no way back to the network: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(before)


def bridge(machines: int) -> BridgeNetwork:
    """Make the bridge in the namespace that this thread is in, with a tap for each machine; raises BridgeFailed."""
    _ip("link", "add", _BRIDGE, "type", "bridge")
    _ip("addr", "add", f"{_OWN}/24", "dev", _BRIDGE)
    _ip("link", "set", _BRIDGE, "up")
    for number in range(1, machines + 1):
        _ip("tuntap", "add", "dev", _tap(number), "mode", "tap")
        _ip("link", "set", _tap(number), "master", _BRIDGE, "up")
    return BridgeNetwork(_OWN, _OWN, _OWN, own_tftpd=True)


def why_not() -> str:
    """Say why there can be no bridge here; empty where there can."""
    if os.geteuid() != 0:
        return "a bridge in a network namespace is for root"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun here"
    try:
        with namespace():
            bridge(1)
    except BridgeFailed as error:
        return str(error)
    return ""


def _tap(number: int) -> str:
    return f"mozpool-tap{number}"


def _ip(*words: str) -> None:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError as error:
        raise BridgeFailed("ip is not installed: it is in the package iproute2") from error
    if done.returncode:
        raise BridgeFailed(f"ip {' '.join(words)}: {done.stderr.strip()}")
