"""Server-sent events: lines in, events out (HTML Living Standard, section 9.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    """One event: its name, its data, and the id that a later call resumes after ("" for none)."""

    name: str
    data: str
    id: str


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
