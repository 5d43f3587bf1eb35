"""TFTP's packets as bytes: RFC 1350, and the options of RFC 2347 (OACK), 2348, 2349 and 7440."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# What fits into an Ethernet frame behind the headers of IP and UDP and our four bytes: no fragments.
LARGEST_BLOCK = 1468
# Blocks that may be on their way at once: half of what a board's network chip takes in before it drops any.
LARGEST_WINDOW = 16
ACK, ERROR = 4, 5
# Error codes of RFC 1350 and 2347.
UNDEFINED, NOT_FOUND, ACCESS, ILLEGAL = 0, 1, 2, 4

_READ, _WRITE = 1, 2
_DATA, _OACK = b"\0\3", b"\0\6"
_SMALLEST_BLOCK, _LARGEST_BLOCK_EVER = 8, 65464
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


class Refused(Exception):
    """A request that gets an error for its answer; the text is what the board's console shows."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Request:
    """What a board asks for. Bytes and seconds; `options` are those that we grant, in its own order.

    `timeout` is None unless the board chose one; `wants_size` is for the answer to tell the file's size.
    """

    name: str
    blksize: int = 512
    windowsize: int = 1
    timeout: int | None = None
    wants_size: bool = False
    options: tuple[str, ...] = field(default=())


def read_request(packet: bytes) -> Request:
    """Read a request. Raises Refused for one that can't be served, ValueError for what gets no answer at all."""
    opcode = int.from_bytes(packet[:2], "big")
    if opcode not in (_READ, _WRITE):
        raise ValueError(f"opcode {opcode} begins no transfer")
    if opcode == _WRITE:
        raise Refused(ACCESS, "this server only gives files, it takes none")
    words = [word.decode("ascii", "backslashreplace") for word in packet[2:].split(b"\0")]
    # The last piece is what follows the last NUL; some boot loaders pad it.
    if len(words) < 3 or not words[0]:  # noqa: PLR2004 - name, mode, rest
        raise Refused(ILLEGAL, "the request has no file name or no mode")
    name, mode, *rest = words
    if mode.lower() != "octet":
        raise Refused(ILLEGAL, "only mode octet is served (the command tftp calls it binary)")
    asked = {rest[at].lower(): rest[at + 1] for at in range(0, len(rest) - 2, 2)}
    return _with_options(name, asked)


def _with_options(name: str, asked: Mapping[str, str]) -> Request:
    """Grant the options that we know; as RFC 2347 has it, one that makes no sense is left out, not refused."""
    blksize = _number(asked, "blksize", _SMALLEST_BLOCK, _LARGEST_BLOCK_EVER)
    window = _number(asked, "windowsize", 1, 65535)
    timeout = _number(asked, "timeout", 1, 255)
    size = _number(asked, "tsize", 0, 9_999_999_999)
    granted = {"blksize": blksize, "windowsize": window, "timeout": timeout, "tsize": size}
    return Request(
        name,
        blksize=min(blksize or 512, LARGEST_BLOCK),
        windowsize=min(window or 1, LARGEST_WINDOW),
        timeout=timeout,
        wants_size=size is not None,
        options=tuple(option for option in asked if granted.get(option) is not None),
    )


def _number(asked: Mapping[str, str], option: str, least: int, most: int) -> int | None:
    text = asked.get(option, "")
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        return None
    return int(text)


def grant(request: Request, size: int) -> bytes:
    """Make the OACK that grants a request's options, for a file of `size` bytes."""
    values = {
        "blksize": request.blksize,
        "windowsize": request.windowsize,
        "timeout": request.timeout,
        "tsize": size,
    }
    return _OACK + b"".join(f"{option}\0{values[option]}\0".encode() for option in request.options)


def data(block: int, content: bytes) -> bytes:
    """Make a data packet; block numbers begin again at 0 after 65535, which carries files over 32 MB."""
    return _DATA + (block & 0xFFFF).to_bytes(2, "big") + content


def error(code: int, text: str) -> bytes:
    """Make an error packet."""
    return b"\0\5" + code.to_bytes(2, "big") + text.encode("ascii", "replace") + b"\0"
