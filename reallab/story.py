"""Follows what a real lab does: requests through the legacy API, as clients make them, and the journal's lines."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

_LOOK_SECONDS = 0.2


class StoryFailed(Exception):
    """What was waited for did not come; the message holds the device's last lines."""


@dataclass(frozen=True)
class Line:
    """A line of a journal."""

    id: int
    time: str
    message: str


class Story:
    """One pool, as a client and an administrator see it. Seconds are those of a wait."""

    def __init__(self, url: str) -> None:
        self._url = url

    def call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make a call of the legacy API; a body makes it a POST."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}{path}", data=data)  # noqa: S310 - our own URL
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            text = answer.read()
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def request(self, device: str, image: str) -> int:
        """File a request for a device, or for `any`; give its number."""
        body = {"assignee": "lab@mozpool.example", "duration": 3600, "image": image}
        return int(self.call(f"/api/device/{device}/request/", body)["request"]["id"])

    def give_back(self, request_id: int) -> None:
        """Return a request's device."""
        self.call(f"/api/request/{request_id}/return/", {})

    def request_state(self, request_id: int) -> str:
        """Give a request's state."""
        return str(self.call(f"/api/request/{request_id}/status/")["state"])

    def device_of(self, request_id: int) -> str:
        """Name the device that a request was given."""
        return str(self.call(f"/api/request/{request_id}/details/")["assigned_device"])

    def state(self, device: str) -> str:
        """Give a device's state."""
        return str(self.call(f"/api/device/{device}/status/")["state"])

    def lines(self, device: str, after: int = 0) -> list[Line]:
        """Give a device's journal, the first line first, from behind the line with the id `after`."""
        return [line for line in _lines(self.call(f"/api/device/{device}/log/")) if line.id > after]

    def lines_of_request(self, request_id: int) -> list[Line]:
        """Give a request's journal, the first line first."""
        return _lines(self.call(f"/api/request/{request_id}/log/"))

    def until(self, device: str, states: Iterable[str], seconds: float) -> str:
        """Wait until a device is in one of these states; give it. Raises StoryFailed."""
        wanted = set(states)
        return self._wait(
            f"{device} is not {' or '.join(sorted(wanted))}",
            device, lambda: found if (found := self.state(device)) in wanted else None, seconds,
        )  # fmt: skip

    def until_told(self, device: str, words: str, seconds: float) -> str:
        """Wait until a line of a device's journal has these words in it; give the line. Raises StoryFailed."""

        def look() -> str | None:
            return next((line.message for line in self.lines(device) if words in line.message), None)

        return self._wait(f"{device} has not told {words!r}", device, look, seconds)

    def until_ready(
        self, request_id: int, seconds: float, tell: Callable[[list[Line]], None] | None = None
    ) -> str:
        """Wait until a request is ready, and show what its device writes meanwhile; give the device's name."""
        device = self.device_of(request_id)

        def look() -> str | None:
            if tell:
                tell(self.lines(device))
            state = self.request_state(request_id)
            if state not in ("pending", "ready", "finding_device", "contacting_lifeguard"):
                raise StoryFailed(f"request {request_id} has ended as {state}{self._last(device)}")
            return device if state == "ready" else None

        return self._wait(f"request {request_id} is not ready", device, look, seconds)

    def _wait(self, wanted: str, device: str, look: Callable[[], str | None], seconds: float) -> str:
        end = time.monotonic() + seconds
        while (found := look()) is None:
            if time.monotonic() > end:
                raise StoryFailed(f"{wanted} after {seconds:.0f} s{self._last(device)}")
            time.sleep(_LOOK_SECONDS)
        return found

    def _last(self, device: str) -> str:
        told = "\n".join(f"  {line.time} {line.message}" for line in self.lines(device)[-15:])
        return f"; {device} is {self.state(device)}:\n{told}"


def _lines(answer: dict[str, Any]) -> list[Line]:
    return [Line(int(row["id"]), row["timestamp"], row["message"]) for row in answer["log"]]
