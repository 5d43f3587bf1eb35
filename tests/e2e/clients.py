"""Clients of the legacy API as CI systems are: each files a request, waits, uses its device, and gives it back.

They run in a thread of their own, so that the test's thread can kill processes meanwhile.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

ENDED = ("closed", "failed_device_not_found", "failed_device_busy", "failed_bad_device", "failed_bad_image")
POLL_SECONDS = 2.0
_TRY_AGAIN_SECONDS = 1.0
# A device that is asked for so long is never coming: the client gives up, and the test fails.
_PATIENCE_SECONDS = 240.0


@dataclass(frozen=True)
class Call:
    """One exchange: monotonic time when it began, its seconds, and the status (0: no answer)."""

    began: float
    seconds: float
    status: int
    retry_after: str | None = None


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


class Clients:
    """A crowd of clients; `with` starts them, and `join` waits until all are done."""

    def __init__(self, url: str, errands: Sequence[Errand]) -> None:
        self.url = url
        self.errands = list(errands)
        self.calls: list[Call] = []
        self.lost_answers = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._everybody()), daemon=True)

    def start(self) -> None:
        """Let everybody begin."""
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait until all are done; False when they are not by then."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def busy(self) -> bool:
        """Whether somebody is still at it."""
        return self._thread.is_alive()

    def first_success_after(self, moment: float) -> float | None:
        """Give when the first call that began after a moment was answered well."""
        good = [call.began + call.seconds for call in self.calls if call.began >= moment and call.status == 200]
        return min(good, default=None)

    async def _everybody(self) -> None:
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(base_url=self.url, timeout=30, limits=limits) as http:
            await asyncio.gather(*(self._one(http, errand) for errand in self.errands))

    async def _one(self, http: httpx.AsyncClient, errand: Errand) -> None:
        await asyncio.sleep(errand.begins_after)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._file(http, errand)
                await self._use(http, errand)
        except TimeoutError:
            errand.error = f"nothing came of it in {_PATIENCE_SECONDS:g} s; last seen: {errand.seen[-1:]}"
        except httpx.HTTPStatusError as error:
            errand.error = f"{error}: {error.response.text[:200]}"

    async def _file(self, http: httpx.AsyncClient, errand: Errand) -> None:
        body: dict[str, object] = {"assignee": errand.name, "duration": 600, "image": errand.image}
        if errand.image == "b2g":
            body["b2gbase"] = "http://images.example/b2g/"
        while errand.number is None:
            answer = await self._exchange(http, "POST", "/api/device/any/request/", body)
            if answer is not None and answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                answer.raise_for_status()
                errand.number = answer.json()["request"]["id"]
                return
            await asyncio.sleep(_TRY_AGAIN_SECONDS)
            if answer is None:
                # It may have been filed although the answer was lost: an old client looks for its own name.
                self.lost_answers += 1
                listed = await self._get(http, "/api/request/list/?include_closed=1")
                mine = [entry["id"] for entry in listed["requests"] if entry["assignee"] == errand.name]
                errand.number = mine[0] if mine else None

    async def _use(self, http: httpx.AsyncClient, errand: Errand) -> None:
        while await self._state(http, errand) not in (*ENDED, "ready"):
            await asyncio.sleep(POLL_SECONDS)
        if errand.seen[-1] != "ready":
            return
        details = await self._get(http, f"/api/request/{errand.number}/details/")
        errand.device = details["assigned_device"]
        errand.had_from = time.monotonic()
        await asyncio.sleep(errand.hold)
        errand.had_until = time.monotonic()
        while await self._state(http, errand) not in ENDED:
            await self._exchange(http, "POST", f"/api/request/{errand.number}/return/", {})

    async def _state(self, http: httpx.AsyncClient, errand: Errand) -> str:
        state = str((await self._get(http, f"/api/request/{errand.number}/status/"))["state"])
        if errand.seen[-1:] != [state]:
            errand.seen.append(state)
        return state

    async def _get(self, http: httpx.AsyncClient, path: str) -> Any:
        while True:
            answer = await self._exchange(http, "GET", path)
            if answer is not None and answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                return answer.raise_for_status().json()
            await asyncio.sleep(_TRY_AGAIN_SECONDS)

    async def _exchange(
        self, http: httpx.AsyncClient, method: str, path: str, body: object = None
    ) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = await http.request(method, path, json=body)
        except httpx.TransportError:
            self.calls.append(Call(began, time.monotonic() - began, 0))
            return None
        seconds = time.monotonic() - began
        self.calls.append(Call(began, seconds, answer.status_code, answer.headers.get("Retry-After")))
        return answer


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


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value below which that share of the values lies; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
