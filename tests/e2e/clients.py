"""Clients of the legacy API as CI systems are: each files a request, waits, uses its device, and gives it back.

They run in threads of their own, so that the test's thread can kill processes meanwhile.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tests.e2e.http_calls import Call, Http, HttpError, answered_well

ENDED = ("closed", "failed_device_not_found", "failed_device_busy", "failed_bad_device", "failed_bad_image")
POLL_SECONDS = 2.0
_TRY_AGAIN_SECONDS = 1.0
# A device that is asked for so long is never coming: the client gives up, and the test fails.
_PATIENCE_SECONDS = 240.0


@dataclass
class Errand:
    """What one client wanted, and what it saw. Times are monotonic."""

    name: str
    image: str
    begins_after: float
    hold: float
    number: int | None = None
    device: str = ""
    seen: list[str] = field(default_factory=list)
    had_from: float | None = None
    had_until: float | None = None
    error: str = ""

    @property
    def served(self) -> bool:
        """Whether the client had its device and gave it back."""
        return self.had_until is not None and self.seen[-1] == "closed"

    @property
    def failed_honestly(self) -> bool:
        """Whether it was told that there will be no device, by a state that says why."""
        return bool(self.seen) and self.seen[-1].startswith("failed_") and self.had_from is None


class GaveUp(Exception):
    """A client has waited for too long."""


class Client:
    """One client on its errand; it keeps a connection, and looks for its own request after a lost answer."""

    def __init__(self, port: int, errand: Errand, calls: list[Call]) -> None:
        self.errand = errand
        self.lost_answers = 0
        self._http = Http(port, calls)
        self._ends = 0.0

    def run(self) -> None:
        """Do the errand; what goes wrong is in its `error`."""
        time.sleep(self.errand.begins_after)
        self._ends = time.monotonic() + _PATIENCE_SECONDS
        try:
            self._file()
            self._use()
        except (GaveUp, HttpError) as error:
            self.errand.error = f"{error}; last seen: {self.errand.seen[-1:]}"
        finally:
            self._http.close()

    def _file(self) -> None:
        errand = self.errand
        body: dict[str, object] = {"assignee": errand.name, "duration": 600, "image": errand.image}
        if errand.image == "b2g":
            body["b2gbase"] = "http://images.example/b2g/"
        while errand.number is None:
            answer = self._http.call("POST", "/api/device/any/request/", body)
            if answered_well(answer):
                errand.number = answer.json()["request"]["id"]
                return
            self._pause()
            if answer is None or answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                # It may have been filed although the answer was lost: an old client looks for its own name.
                self.lost_answers += 1
                listed = self._get("/api/request/list/?include_closed=1")
                mine = [entry["id"] for entry in listed["requests"] if entry["assignee"] == errand.name]
                errand.number = mine[0] if mine else None

    def _use(self) -> None:
        errand = self.errand
        while self._state() not in (*ENDED, "ready"):
            self._pause(POLL_SECONDS)
        if errand.seen[-1] != "ready":
            return
        errand.device = self._get(f"/api/request/{errand.number}/details/")["assigned_device"]
        errand.had_from = time.monotonic()
        time.sleep(errand.hold)
        errand.had_until = time.monotonic()
        while self._state() not in ENDED:
            if not answered_well(self._http.call("POST", f"/api/request/{errand.number}/return/", {})):
                self._pause()

    def _state(self) -> str:
        state = str(self._get(f"/api/request/{self.errand.number}/status/")["state"])
        if self.errand.seen[-1:] != [state]:
            self.errand.seen.append(state)
        return state

    def _get(self, path: str) -> Any:
        while True:
            answer = self._http.call("GET", path)
            if answered_well(answer):
                return answer.json()
            self._pause()

    def _pause(self, seconds: float = _TRY_AGAIN_SECONDS) -> None:
        if time.monotonic() > self._ends:
            raise GaveUp(f"nothing came of it in {_PATIENCE_SECONDS:g} s")
        time.sleep(seconds)


class Clients:
    """A crowd of clients, each in its thread."""

    def __init__(self, port: int, errands: Sequence[Errand]) -> None:
        self.errands = list(errands)
        self.calls: list[Call] = []
        self.clients = [Client(port, errand, self.calls) for errand in errands]
        self._threads = [threading.Thread(target=client.run, daemon=True) for client in self.clients]

    def start(self) -> None:
        """Let everybody begin."""
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> bool:
        """Wait until all are done; False when they are not by then."""
        ends = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        return not self.busy

    @property
    def busy(self) -> bool:
        """Whether somebody is still at it."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def lost_answers(self) -> int:
        """How many requests were filed without an answer."""
        return sum(client.lost_answers for client in self.clients)

    def first_success_after(self, moment: float) -> float | None:
        """Give when the first call that began after a moment was answered well."""
        good = [call for call in list(self.calls) if call.began >= moment and call.status == HTTPStatus.OK]
        return min((call.began + call.seconds for call in good), default=None)


def overlaps(errands: Sequence[Errand]) -> list[str]:
    """Name pairs of clients that had the same device at the same time, as they themselves saw it."""
    found = []
    had = sorted((e for e in errands if e.had_from is not None), key=lambda errand: errand.had_from or 0.0)
    last: dict[str, Errand] = {}
    for errand in had:
        before = last.get(errand.device)
        if before is not None and (before.had_until or 1e18) > (errand.had_from or 0.0):
            found.append(f"{before.name} and {errand.name} had {errand.device}")
        last[errand.device] = errand
    return found
