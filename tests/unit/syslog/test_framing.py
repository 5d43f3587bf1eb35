"""A TCP stream is cut into the same messages, however the network cut it into pieces."""

from hypothesis import given
from hypothesis import strategies as st

from bmm.syslog.framing import LONGEST_FRAME, Frames


def cut(*pieces: bytes) -> list[bytes]:
    frames = Frames()
    found = [message for piece in pieces for message in frames.feed(piece)]
    return [*found, rest] if (rest := frames.rest()) else found


def test_messages_that_tell_their_length_may_hold_line_ends() -> None:
    assert cut(b"9 <13>a\nb c5 <13>d") == [b"<13>a\nb c", b"<13>d"]


def test_messages_that_end_with_a_line_may_end_with_more() -> None:
    assert cut(b"<13>a\r\n<13>b\0\n\n\n<13>c") == [b"<13>a", b"<13>b", b"<13>c"]


def test_both_kinds_may_come_in_one_stream() -> None:
    assert cut(b"5 <13>a<13>b\n5 <13>c") == [b"<13>a", b"<13>b", b"<13>c"]


def test_text_that_begins_with_a_number_is_no_count() -> None:
    assert cut(b"6,416,1758426,-;booting\n1234567 is too large\n0 is no length\n12") == [
        b"6,416,1758426,-;booting", b"1234567 is too large", b"0 is no length", b"12",
    ]  # fmt: skip


def test_what_is_too_long_is_cut_and_the_next_message_is_whole() -> None:
    assert cut(b"100000 ", b"x" * 100_000, b"5 <13>a") == [b"x" * LONGEST_FRAME, b"<13>a"]
    assert cut(b"y" * 100_000, b"\n<13>a\n") == [b"y" * LONGEST_FRAME, b"<13>a"]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20), st.lists(st.integers(1, 30), min_size=1))
def test_counted_messages_come_out_whole_however_the_stream_is_cut(
    messages: list[bytes], steps: list[int]
) -> None:
    stream = b"".join(b"%d %s" % (len(message), message) for message in messages)
    assert cut(*pieces(stream, steps)) == [bare for message in messages if (bare := message.strip(b"\r\n\0"))]


@given(st.binary(max_size=400), st.lists(st.integers(1, 30), min_size=1))
def test_any_stream_gives_the_same_in_one_piece_as_in_many(stream: bytes, steps: list[int]) -> None:
    assert cut(*pieces(stream, steps)) == cut(stream)


def pieces(stream: bytes, steps: list[int]) -> list[bytes]:
    found, place, turn = [], 0, 0
    while place < len(stream):
        size = steps[turn % len(steps)]
        found.append(stream[place : place + size])
        place, turn = place + size, turn + 1
    return found
