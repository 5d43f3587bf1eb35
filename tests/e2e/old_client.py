"""A client as release automation has used since 2012: it knows the legacy API, and nothing of credentials.

Rewritten from the contract's description of mozpoolclient 0.1.3: posts without credentials, tries a POST that got no
answer up to ten times more, follows the URL of its request, and tells a conflict apart from every other error.
"""

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_TRIES = 11
# After the first try; each pause is longer than the one before by as much. The old one's was 2.
_PAUSE_SECONDS = 0.3
_TIMEOUT_SECONDS = 20.0
_GOOD_POST = (200, 201, 202, 204, 302)


class MozpoolError(Exception):
    """A call that was refused, with its status."""


class MozpoolConflictError(MozpoolError):
    """The device is taken."""


class OldClient:
    """Calls a server from a source address of this machine; each call has a connection of its own, as then."""

    def __init__(self, url: str, source: str) -> None:
        self.url = url
        self.tries = 0
        self._source = source

    def request_device(
        self, device: str, image: str, assignee: str, b2gbase: str | None = None
    ) -> dict[str, Any]:
        """File a request; give what is in `request`."""
        body = {
            "assignee": assignee,
            "duration": 1800,
            "image": image,
            "environment": "any",
            "b2gbase": b2gbase,
        }
        answer = self._post(f"{self.url}/api/device/{device}/request/", body)
        found: dict[str, Any] = answer["request"]
        return found

    def request_status(self, request_url: str) -> Any:
        """Give the state and the log of a request."""
        return self.get(f"{request_url}status/")

    def request_details(self, request_url: str) -> Any:
        """Give a request, bare."""
        return self.get(f"{request_url}details/")

    def renew_request(self, request_url: str, duration: int) -> None:
        """Set the seconds left."""
        self._post(f"{request_url}renew/", {"duration": duration}, has_answer=False)

    def close_request(self, request_url: str) -> None:
        """Give the device back."""
        self._post(f"{request_url}return/", {}, has_answer=False)

    def power_cycle(self, device: str) -> Any:
        """Cycle the power of a device; with keys that the server has always left alone."""
        body = {"assignee": "me", "duration": 60}
        return self._post(f"{self.url}/api/device/{device}/power-cycle/", body)

    def get(self, url: str) -> Any:
        """Get JSON."""
        status, raw = self._call("GET", url, None, {})
        if not 200 <= status < 400:
            raise MozpoolError(status)
        return json.loads(raw)

    def _post(self, url: str, body: Mapping[str, object], *, has_answer: bool = True) -> Any:
        status, raw = self._posted(url, json.dumps(body))
        if status == 409:
            raise MozpoolConflictError(status)
        if status not in _GOOD_POST:
            raise MozpoolError(status)
        return json.loads(raw) if has_answer else None

    def _posted(self, url: str, body: str) -> tuple[int, bytes]:
        """Post until there is an answer, whatever it says."""
        for number in range(1, _TRIES + 1):
            self.tries += 1
            try:
                return self._call("POST", url, body, {"content-type": "application/json"})
            except (OSError, http.client.HTTPException):
                time.sleep(number * _PAUSE_SECONDS)
        raise MozpoolError("no answer")

    def _call(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        parts = urlsplit(url)
        line = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS, source_address=(self._source, 0)
        )
        try:
            line.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()
