"""TFTP requests as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmm.tftp import wire


def request(*words: str) -> bytes:
    return b"\0\1" + "\0".join(words).encode() + b"\0"


def test_a_plain_request_gets_the_sizes_of_rfc_1350() -> None:
    read = wire.read_request(request("pxelinux.0", "octet"))
    assert read == wire.Request("pxelinux.0", blksize=512, windowsize=1, timeout=None)


def test_options_are_granted_in_their_order_and_within_our_limits() -> None:
    read = wire.read_request(
        request("k", "OCTET", "tsize", "0", "BLKSIZE", "9000", "windowsize", "64", "timeout", "3")
    )
    assert (read.blksize, read.windowsize, read.timeout, read.wants_size) == (1468, 16, 3, True)
    assert wire.grant(read, 5662310) == (
        b"\0\6tsize\0005662310\0blksize\0001468\0windowsize\00016\0timeout\0003\0"
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("blksize", "7"), ("blksize", "65465"), ("blksize", "-8"), ("blksize", "eight"), ("blksize", "٨٠٠"),
        ("blksize", ""), ("timeout", "0"), ("timeout", "256"), ("windowsize", "0"), ("windowsize", "65536"),
        ("tsize", "-1"), ("multicast", ""),
    ],
)  # fmt: skip
def test_an_option_that_makes_no_sense_is_left_out(option: str, value: str) -> None:
    read = wire.read_request(request("k", "octet", option, value, "blksize", "1024"))
    expected = () if option == "blksize" else ("blksize",)
    assert read.options == expected or (option == "blksize" and read.blksize == 1024)
    assert option not in read.options or option == "blksize"


@pytest.mark.parametrize(
    ("packet", "code", "text"),
    [
        (b"\0\2image\0octet\0", 2, "this server only gives files, it takes none"),
        (request("k", "netascii"), 4, "only mode octet is served (the command tftp calls it binary)"),
        (request("k", "mail"), 4, "only mode octet is served (the command tftp calls it binary)"),
        (b"\0\1k", 4, "the request has no file name or no mode"),
        (b"\0\1", 4, "the request has no file name or no mode"),
        (b"\0\1\0octet\0", 4, "the request has no file name or no mode"),
    ],
)
def test_what_cannot_be_served_is_told_so(packet: bytes, code: int, text: str) -> None:
    with pytest.raises(wire.Refused) as refused:
        wire.read_request(packet)
    assert (refused.value.code, refused.value.text) == (code, text)


@pytest.mark.parametrize(
    "packet", [b"", b"\0", b"\0\3\0\1data", b"\0\4\0\0", b"GET / HTTP/1.0", b"\1\1k\0octet\0"]
)
def test_what_is_no_request_gets_no_answer(packet: bytes) -> None:
    with pytest.raises(ValueError, match="begins no transfer"):
        wire.read_request(packet)


@given(st.binary(max_size=600))
def test_no_bytes_end_the_server(packet: bytes) -> None:
    for opcode in (b"", b"\0\1", b"\0\1k\0octet\0"):
        try:
            read = wire.read_request(opcode + packet)
        except (ValueError, wire.Refused):
            continue
        assert 8 <= read.blksize <= 1468
        assert 1 <= read.windowsize <= 16
        wire.grant(read, 1)


def test_block_numbers_begin_again_after_65535() -> None:
    assert [wire.data(block, b"x")[2:4] for block in (65535, 65536, 65537)] == [b"\xff\xff", b"\0\0", b"\0\1"]
