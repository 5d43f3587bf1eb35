"""Reads a syslog message, RFC 3164 or RFC 5424 or neither, as one clean line of text. Any bytes will do.

The sender's own time and name are dropped: boards have no clock worth believing, and the address says who it is.
"""

import re

# The journal's column; what is longer is cut.
LONGEST = 500
# UTF-8 needs up to four bytes a character, and headers and colours are dropped: what is behind can't be shown.
_MOST_BYTES = 8 * LONGEST

# Possessive quantifiers (`*+`) never go back: the time for hostile bytes is linear in their number.
_PRIORITY = re.compile(r"<\d{1,3}>", re.ASCII)
_RFC5424 = re.compile(
    r"1 \S++ (?P<host>\S++) (?P<app>\S++) (?P<process>\S++) \S++ "
    r'(?:-|(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*+")*+\])++)(?: |$)',
    re.DOTALL,
)
_RFC3164_TIME = re.compile(
    r"(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d(?: \d{4})?"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^\s]{0,20})(?: |$)",
    re.ASCII,
)
# A host name counts as one only where a tag follows it: `HOST TAG: text`. Else a word of the text would be lost.
_HOST = re.compile(r"[^\s:\[\]]{1,255}+ (?=[^\s:\[\]]{1,64}+(?:\[[^\s\]]{0,64}+\])?:)")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*+[ -/]*+[@-~]")
_SPACES = {ord(char): " " for char in "\t\n\v\f\r\x85\u2028\u2029"}
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)))
# What turns the direction of writing, or marks the order of bytes: a log must not rewrite anybody's screen.
_INVISIBLE = dict.fromkeys((8206, 8207, *range(8234, 8239), *range(8294, 8298), 65279))
_CLEANED = {**_CONTROLS, **_INVISIBLE, **_SPACES}


def read(message: bytes) -> str:
    """Give `tag: text`, without control characters, LONGEST characters at most; empty when it says nothing."""
    text = message[:_MOST_BYTES].decode("utf-8", "replace")
    priority = _PRIORITY.match(text)
    if priority:
        text = _without_header(text[priority.end() :])
    if not text.isprintable():
        text = _COLOURS.sub("", text).translate(_CLEANED)
    return text[: 2 * LONGEST].strip()[:LONGEST]


def relayed_for(message: bytes) -> str | None:
    """Give the host that an RFC 5424 message names as its sender; None where it names none."""
    text = message[:_MOST_BYTES].decode("utf-8", "replace")
    priority = _PRIORITY.match(text)
    found = _RFC5424.match(text, priority.end()) if priority else None
    return found["host"] if found else None


def _without_header(text: str) -> str:
    found = _RFC5424.match(text)
    if found:
        return _tagged(found["app"], found["process"], text[found.end() :])
    moment = _RFC3164_TIME.match(text)
    if not moment:
        return text
    text = text[moment.end() :]
    host = _HOST.match(text)
    return text[host.end() :] if host else text


def _tagged(app: str, process: str, text: str) -> str:
    # rsyslog keeps the space between tag and text in front of the text.
    text = text.removeprefix("\ufeff").removeprefix(" ")
    if app == "-":
        return text
    return f"{app}: {text}" if process == "-" else f"{app}[{process}]: {text}"
