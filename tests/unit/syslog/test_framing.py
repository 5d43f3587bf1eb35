"""A TCP stream is cut into the same messages, however the network cut it into pieces."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmm.syslog.framing import LONGEST_FRAME, Frames


def cut(*pieces: bytes) -> list[bytes]:
    frames = Frames()
    found = [message for piece in pieces for message in frames.feed(piece)]
    return [*found, rest] if (rest := frames.rest()) else found


def test_messages_that_tell_their_length_may_hold_line_ends() -> None:
    assert cut(b"9 <13>a\nb c5 <13>d") == [b"<13>a\nb c", b"<13>d"]


def test_messages_that_end_with_a_line_may_end_with_more() -> None:
    assert cut(b"<13>a\r\n<13>b\0\n\n\n<13>c\0<13>d") == [b"<13>a", b"<13>b", b"<13>c", b"<13>d"]


def test_both_kinds_may_come_in_one_stream() -> None:
    assert cut(b"5 <13>a<13>b\n5 <13>c") == [b"<13>a", b"<13>b", b"<13>c"]


def test_text_that_begins_with_a_number_is_no_count() -> None:
    assert cut(b"6,416,1758426,-;booting\n1234567 is too large\n0 is no length\n12") == [
        b"6,416,1758426,-;booting", b"1234567 is too large", b"0 is no length", b"12",
    ]  # fmt: skip


def test_what_is_too_long_is_cut_and_the_next_message_is_whole() -> None:
    assert cut(b"100003 <6>", b"x" * 100_000, b"5 <13>a") == [b"<6>" + b"x" * (LONGEST_FRAME - 3), b"<13>a"]
    assert cut(b"y" * 100_000, b"\n<13>a\n") == [b"y" * LONGEST_FRAME, b"<13>a"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0", b"\r\n\0"])
def test_a_line_that_begins_with_a_number_swallows_nothing(end: bytes) -> None:
    lines = [
        b"<6>kernel: before",
        b"99999 blocks written to /dev/mmcblk0",
        b"<6>1",
        b"12 <",
        b"7 <x>",
        b"<0>Kernel panic",
    ]
    assert cut(*(line + end for line in lines)) == lines


def test_a_count_that_is_too_large_costs_only_itself() -> None:
    frames = Frames()
    assert frames.feed(b"99999 <6>cut short\n<0>Kernel panic\n") == [b"<6>cut short", b"<0>Kernel panic"]
    assert frames.feed(b"10 <6>counted") == [b"<6>counted"]
    assert cut(b"60 <6>short", b"7 <6>next", b"16 <0>Kernel panic") == [
        b"<6>short",
        b"<6>next",
        b"<0>Kernel panic",
    ]


def test_a_count_that_is_too_small_loses_nothing() -> None:
    assert cut(b"5 <6>hello world13 <0>panic: bye\n<6>line\n") == [
        b"<6>he",
        b"llo world",
        b"<0>panic: bye",
        b"<6>line",
    ]


def test_a_message_whose_count_is_right_may_hold_lines_that_are_messages() -> None:
    dump = b"<6>dump:\n<4>one\n<4>two"
    assert cut(b"%d %s4 <7>x" % (len(dump), dump)) == [b"<6>dump:", b"<4>one", b"<4>two", b"<7>x"]


def _text(forbidden: str) -> st.SearchStrategy[bytes]:
    """Make texts that hold no beginning of another message, and whose ends belong to them."""
    made = st.text(st.characters(codec="utf-8", exclude_characters="<" + forbidden), max_size=40)
    return made.map(lambda text: text.encode().strip(b"\r\n\0 ") + b".")


PRIORITIES = st.integers(0, 191).map(lambda number: b"<%d>" % number)
LINES = st.tuples(st.one_of(PRIORITIES, st.just(b"")), _text("\n\0")).map(b"".join)
ENDED = st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\0", b"\n\n", b"\r\n\0"]))
COUNTED = st.tuples(PRIORITIES, _text("")).map(b"".join)
COUNTED_LINE = st.tuples(PRIORITIES, _text("\n\0")).map(b"".join)
# What confuses: digits, priorities, ends, in any order.
MIXED = st.lists(
    st.one_of(
        st.sampled_from([b"1", b"25", b"999999", b" ", b"<6>", b"<", b">", b"\n", b"\0", b"\r"]),
        st.binary(max_size=5),
    ),
    max_size=60,
).map(b"".join)
STEPS = st.lists(st.integers(1, 30), min_size=1)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(ENDED, COUNTED), max_size=20), STEPS)
def test_every_message_comes_out_whole_however_kinds_are_mixed_and_the_stream_is_cut(
    messages: list[bytes | tuple[bytes, bytes]], steps: list[int]
) -> None:
    stream = b"".join(
        b"".join(message) if isinstance(message, tuple) else b"%d %s" % (len(message), message)
        for message in messages
    )
    wanted = [message[0] if isinstance(message, tuple) else message for message in messages]
    assert cut(*pieces(stream, steps)) == wanted


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(COUNTED, st.integers(-30, 3000)), max_size=10), ENDED, COUNTED_LINE, STEPS)
def test_nothing_is_lost_behind_frames_whose_counts_are_wrong(
    broken: list[tuple[bytes, int]], line: tuple[bytes, bytes], last: bytes, steps: list[int]
) -> None:
    stream = b"".join(b"%d %s" % (max(1, len(message) + error), message) for message, error in broken)
    stream += b"\n" + b"".join(line) + b"%d %s" % (len(last), last)
    found = b"".join(cut(*pieces(stream, steps)))
    # Where a wrong count ends within another message, that is cut in two; within its count, it is taken for a line.
    assert line[0] in found
    assert last in found


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(MIXED, STEPS)
def test_any_stream_gives_the_same_in_one_piece_as_in_many(stream: bytes, steps: list[int]) -> None:
    assert cut(*pieces(stream, steps)) == cut(stream)


def pieces(stream: bytes, steps: list[int]) -> list[bytes]:
    found, place, turn = [], 0, 0
    while place < len(stream):
        size = steps[turn % len(steps)]
        found.append(stream[place : place + size])
        place, turn = place + size, turn + 1
    return found


# What `python -m tests.fuzz.wire` tries until its time is over.
STORIES = (
    test_every_message_comes_out_whole_however_kinds_are_mixed_and_the_stream_is_cut,
    test_nothing_is_lost_behind_frames_whose_counts_are_wrong,
    test_any_stream_gives_the_same_in_one_piece_as_in_many,
)
