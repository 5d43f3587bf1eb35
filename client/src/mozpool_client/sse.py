"""Server-sent events: lines in, events out (HTML Living Standard, section 9.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_END_OF_LINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class ServerEvent:
    """One event: its name, its data, and the id that a later call resumes after ("" for none)."""

    name: str
    data: str
    id: str


class Lines:
    """Cuts a text that comes in pieces into lines: at CR, LF or both, and nowhere else.

    Python and httpx know more ends of lines, such as U+2028; but these may stand in what an event tells.
    """

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, piece: str) -> list[str]:
        """Take a piece; give the lines that it completes, without their ends."""
        text = self._rest + piece
        # A CR at the end may be the first half of a CRLF.
        half = "\r" if text.endswith("\r") else ""
        *lines, rest = _END_OF_LINE.split(text.removesuffix("\r"))
        self._rest = rest + half
        return lines


class Decoder:
    """Puts events together from lines; comments (heartbeats) and unknown fields are skipped."""

    def __init__(self) -> None:
        self._name = ""
        self._id = ""
        self._data: list[str] = []

    def feed(self, line: str) -> ServerEvent | None:
        """Take a line without its end; give an event when the line completes one."""
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                self._data.append(value)
            elif field == "event":
                self._name = value
            elif field == "id" and "\0" not in value:
                self._id = value
            return None
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return ServerEvent(name, "\n".join(data), self._id) if data else None
