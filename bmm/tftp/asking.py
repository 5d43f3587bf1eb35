"""Asks a TFTP server whether it has a file, as a boot loader would, and takes no more of it than the first packet."""

import socket
import time
from dataclasses import dataclass

from bmm.tftp import wire

# A packet may be lost; U-Boot, too, asks again after about so long.
_AGAIN_SECONDS = 1.0
_TRIES = 3
_LARGEST = 2048
_DATA, _ERROR, _OACK = 3, 5, 6


@dataclass(frozen=True)
class Answer:
    """What a server said of a file: whether it is there, its size where that was told, and the error's text else."""

    there: bool
    size: int | None = None
    text: str = ""


def ask(address: str, name: str, port: int = 69) -> Answer | None:
    """Ask for a file; None when nobody answers in three seconds. Raises OSError where the network refuses at once."""
    request = b"\0\1" + b"\0".join([name.encode("ascii"), b"octet", b"tsize", b"0", b""])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for _ in range(_TRIES):
            link.sendto(request, (address, port))
            end = time.monotonic() + _AGAIN_SECONDS
            while (left := end - time.monotonic()) > 0:
                link.settimeout(left)
                try:
                    packet, peer = link.recvfrom(_LARGEST)
                except TimeoutError:
                    break
                if peer[0] == address and (answer := _read(packet)) is not None:
                    if answer.there:
                        # Or it would send its first packets again and again.
                        link.sendto(wire.error(wire.UNDEFINED, "only asking"), peer)
                    return answer
    return None


def _read(packet: bytes) -> Answer | None:
    """Understand a server's first packet; None for what is none."""
    opcode = int.from_bytes(packet[:2], "big")
    if opcode == _DATA:
        return Answer(there=True)
    if opcode == _ERROR:
        return Answer(there=False, text=packet[4:].split(b"\0")[0].decode("ascii", "backslashreplace"))
    if opcode != _OACK:
        return None
    words = packet[2:].split(b"\0")
    options = {words[at].lower(): words[at + 1] for at in range(0, len(words) - 2, 2)}
    size = options.get(b"tsize", b"")
    return Answer(there=True, size=int(size) if size.isdigit() else None)
