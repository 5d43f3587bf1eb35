"""How commands read durations and values, and how they write times for people."""

from argparse import ArgumentTypeError

import pytest

from mozpool_site.commands import duration, key_value, shown, span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("1h", 3600),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1d1h1m1s", 90061),
    ],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "-1", "1.5h", "h", "1w", "30m1h", "soon", "٣", "9" * 20])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no duration"):
        duration(text)


def test_a_value_may_hold_equals_signs() -> None:
    assert key_value("b2gbase=http://x/?a=b") == ("b2gbase", "http://x/?a=b")


@pytest.mark.parametrize("text", ["", "b2gbase", "=x"])
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="key=value"):
        key_value(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.4, "59.4 s"),
        (60, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_a_span_is_written_for_people(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_control_characters_are_escaped_and_letters_kept() -> None:
    assert shown("a\x1b[2J\nÄ\u2028") == "a\\x1b[2J\\nÄ\\u2028"
