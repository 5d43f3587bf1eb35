"""Whatever bytes a board sends, one clean line of text comes out; what RFC 3164 and 5424 wrap around it is gone."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bmm.syslog.messages import LONGEST, read

PIECES = (
    b"<13>", b"<999>", b"<", b">", b"1 ", b"- ", b"Nov 22 19:00:00 ", b"2026-11-22T19:00:00.123Z ", b"host ",
    b"tag[1]: ",
    b'[id a="b\\"]"]', b"[", b"]", b'"', b"\\", b"\xef\xbb\xbf", b"\x1b[31m", b"\0", b"\n", b"\xff", b": ", b" ",
)  # fmt: skip


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"<13>Nov 22 19:00:00 panda-1 kernel: [    1.5] usb 1-1: new", "kernel: [    1.5] usb 1-1: new"),
        (b"<13>Nov  2 19:00:00 kernel: no host, as busybox sends it", "kernel: no host, as busybox sends it"),
        (b"<30>Nov 22 19:00:00 fe80::1 sshd[77]: hello", "fe80::1 sshd[77]: hello"),
        (b"<30>Nov 22 19:00:00 panda sshd[77]: hello\n\0", "sshd[77]: hello"),
        (b"<13>Nov 22 19:00:00 all words of a text stay", "all words of a text stay"),
        (b"<13>2026-11-22T19:00:00+00:00 panda app: iso time", "app: iso time"),
        (b"<13>no time at all", "no time at all"),
        (b"plain, as netconsole sends it", "plain, as netconsole sends it"),
        (b'<165>1 2026-11-22T19:00:00Z h app 12 ID [a b="c\\"]"][d] \xef\xbb\xbftext', "app[12]: text"),
        (b"<165>1 2026-11-22T19:00:00Z h app - - - text", "app: text"),
        (b"<165>1 - - - - - - text", "text"),
        (b"<165>1 - - app - - -", "app:"),
        (b"<165>1 - - app - - [broken text", "1 - - app - - [broken text"),
        (b"<13>a\tb\nc\x00\x07d\x1b[1;31mred\x1b[0m\xe2\x80\xaeabc", "a b cdredabc"),
        (b"<13>\xff\xfe caf\xc3\xa9", "\ufffd\ufffd café"),
        (b"<13>\x00\x01\x02 \n", ""),
        (b"", ""),
    ],
)
def test_what_is_read_of_a_message(message: bytes, text: str) -> None:
    assert read(message) == text


@given(st.one_of(st.binary(max_size=2000), st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)))
@example(b"<13>1 " + b"[" * 500)
@example(b"<13>1 - - - - - [" + b'a="' * 300)
def test_any_bytes_give_one_short_line_without_controls(message: bytes) -> None:
    text = read(message)
    assert len(text) <= LONGEST
    assert text == text.strip()
    assert not any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in text)
    text.encode()


def test_a_long_message_is_cut_at_the_journals_length() -> None:
    assert read(b"<13>tag: " + b"x" * 60_000) == "tag: " + "x" * (LONGEST - 5)


@pytest.mark.parametrize(
    "hostile",
    [
        b"<13>1 - - - - - [" + b'a="\\"' * 13_000,
        b"<13>1 - - - - - " + b"[a]" * 20_000 + b"x",
        b"<13>Nov 22 19:00:00 " + b"a" * 65_000,
        b"\x1b[" * 32_000,
    ],
)
def test_hostile_bytes_take_no_time(hostile: bytes) -> None:
    begun = time.process_time()
    for _ in range(100):
        read(hostile)
    assert time.process_time() - begun < 1.0
