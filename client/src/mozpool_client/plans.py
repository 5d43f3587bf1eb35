"""What each call asks and how its answer is read: the one core under `Mozpool` and `AsyncMozpool`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import uuid4

from mozpool_client import models
from mozpool_client.answers import content
from mozpool_client.errors import BadAnswer, Invalid
from mozpool_client.models import Device, Identity, Image, JournalLine, Login, Operation, Request
from mozpool_client.servers import Call, Servers
from mozpool_client.wire import Plan

T = TypeVar("T")

BASE = "/api/v2"
# Seconds for an answer; a server that is alive has answered by then.
ANSWER_SECONDS = 30.0
# A page of a list; the largest that the server gives.
_PAGE = "500"
DEFAULT_DURATION = 3600
# Every server allows a wait of a day.
_DAY, _LONGER = 86400, 60


@dataclass(frozen=True)
class Order:
    """What somebody asks for; None and nothing mean that any will do.

    `duration` is how long the device is wanted, from the moment that it is ready, and `max_wait` how long to wait for
    one that is free (0: now or never; None: as the server has it, a day), both in seconds.
    `key` is what makes the order one and the same however often it is sent.
    """

    image: str
    device: str | None = None
    environment: str | None = None
    hardware: str | None = None
    tags: Sequence[str] = ()
    boot_config: Mapping[str, Any] = field(default_factory=dict)
    duration: int = DEFAULT_DURATION
    max_wait: int | None = None
    assignee: str | None = None
    priority: int | None = None
    webhook: Mapping[str, str] | None = None
    key: str = field(default_factory=lambda: str(uuid4()))

    def body(self) -> dict[str, Any]:
        """Give what is sent: the values that were chosen."""
        chosen: dict[str, Any] = {
            "image": self.image,
            "device": self.device,
            "environment": self.environment,
            "hardware": self.hardware,
            "tags": list(self.tags) or None,
            "boot_config": dict(self.boot_config) or None,
            "duration": self.duration,
            "max_wait": self.max_wait,
            "assignee": self.assignee,
            "priority": self.priority,
            "webhook": None if self.webhook is None else dict(self.webhook),
        }
        return {name: value for name, value in chosen.items() if value is not None}


def wait_for(timeout: float | None, max_wait: int | None) -> int | None:
    """Give how long a request should wait of which its owner gives up after `timeout` seconds.

    A little longer: the owner ends it, unless they have died meanwhile.
    """
    if max_wait is not None or timeout is None or timeout >= _DAY:
        return max_wait
    return int(timeout) + _LONGER


class Plans:
    """Every call of the v2 API that the client knows, as plans over some servers."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def file(self, order: Order) -> Plan[Request]:
        """File a request; the same order again gives the same request."""
        headers = {"Idempotency-Key": order.key}
        return self._ask("POST", "requests/", models.read_request, body=order.body(), headers=headers)

    def look(
        self,
        request: int,
        wait: float = 0,
        state_seq: int | None = None,
        patience: float | None = None,
    ) -> Plan[Request]:
        """Look at a request; with `wait`, once its `state_seq` has changed or that many seconds have passed."""
        params = {}
        if wait > 0:
            params["wait"] = f"{wait:g}"
            if state_seq is not None:
                params["state_seq"] = str(state_seq)
        seconds = ANSWER_SECONDS + max(0.0, wait)
        path = f"requests/{request:d}/"
        return self._ask("GET", path, models.read_request, params=params, timeout=seconds, patience=patience)

    def renew(self, request: int, duration: int, patience: float | None = None) -> Plan[Request]:
        """Set the seconds left, counted from now, or from `ready` on before it is."""
        body = {"duration": duration}
        return self._ask(
            "POST", f"requests/{request:d}/renew/", models.read_request, body=body, patience=patience
        )

    def give_back(self, request: int, patience: float | None = None) -> Plan[Request]:
        """Give the device back; again is fine."""
        return self._ask(
            "POST", f"requests/{request:d}/return/", models.read_request, body={}, patience=patience
        )

    def requests(self, filters: Mapping[str, Any], limit: int | None) -> Plan[list[Request]]:
        """List requests."""
        return self._list("requests/", models.read_request, filters, limit)

    def devices(self, filters: Mapping[str, Any], limit: int | None) -> Plan[list[Device]]:
        """List devices."""
        return self._list("devices/", models.read_device, filters, limit)

    def device(self, name: str) -> Plan[Device]:
        """Look at a device."""
        return self._ask("GET", f"devices/{_part(name, 'device')}/", models.read_device)

    def images(self) -> Plan[list[Image]]:
        """List images."""
        return self._list("images/", models.read_image, {}, None)

    def power_cycle(
        self, device: str, netboot: str | None, boot_config: Mapping[str, Any] | None
    ) -> Plan[Operation]:
        """Switch a device off and on; twice is not as good as once."""
        body: dict[str, Any] = {} if netboot is None else {"netboot": netboot}
        if boot_config:
            body["boot_config"] = dict(boot_config)
        path = f"devices/{_part(device, 'device')}/power-cycle/"
        return self._ask("POST", path, models.read_started, body=body, repeatable=False)

    def operation(self, number: int) -> Plan[Operation]:
        """Look at an operation."""
        return self._ask("GET", f"operations/{number:d}/", models.read_operation)

    def journal(
        self, device: str | None, request: int | None, filters: Mapping[str, Any], limit: int | None
    ) -> Plan[list[JournalLine]]:
        """List the journal of a device, of a request, or of the pool."""
        if request is not None:
            path = f"requests/{request:d}/journal/"
        elif device is not None:
            path = f"devices/{_part(device, 'device')}/journal/"
        else:
            path = "journal/"
        return self._list(path, models.read_journal_line, filters, limit)

    def whoami(self) -> Plan[Identity]:
        """Ask who the pool takes us for."""
        return self._ask("GET", "whoami/", models.read_identity)

    def login(
        self, username: str, password: str, token_name: str | None, expires_in: int | None
    ) -> Plan[Login]:
        """Exchange a password for a token."""
        body: dict[str, Any] = {"username": username, "password": password}
        if token_name is not None:
            body["token_name"] = token_name
        if expires_in is not None:
            body["expires_in"] = expires_in
        return self._ask("POST", "login/", models.read_login, body=body, repeatable=False)

    def call(self, method: str, path: str, **wishes: Any) -> Call:
        """Make a call below the base of the API."""
        body = wishes.get("body")
        for value in wishes.get("params", {}).values():
            _check_text(value)
        headers = dict(wishes.get("headers") or {})
        if body is not None:
            headers["Content-Type"] = "application/json"
        return Call(
            method=method,
            path=f"{BASE}/{path}",
            params=wishes.get("params") or {},
            headers=headers,
            body=None if body is None else json.dumps(body).encode(),
            repeatable=wishes.get("repeatable", True),
            timeout=wishes.get("timeout", ANSWER_SECONDS),
            stream=wishes.get("stream", False),
        )

    def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[object], T],
        *,
        patience: float | None = None,
        **wishes: Any,
    ) -> Plan[T]:
        answer = yield from self.servers.exchange(self.call(method, path, **wishes), patience)
        return read(content(answer))

    def _list(
        self, path: str, read: Callable[[object], T], filters: Mapping[str, Any], limit: int | None
    ) -> Plan[list[T]]:
        """Read page after page, up to `limit` entries."""
        params = {**_query(filters), "limit": _PAGE if limit is None else str(min(limit, int(_PAGE)))}
        found: list[T] = []
        while True:
            answer = yield from self.servers.exchange(self.call("GET", path, params=params))
            page = content(answer)
            if not isinstance(page, dict) or not isinstance(page.get("results"), list):
                raise BadAnswer("a list should be an object with `results`", code="bad_answer")
            found += [read(entry) for entry in page["results"]]
            following = page.get("next")
            if not following or (limit is not None and len(found) >= limit):
                return found[:limit]
            # Only the query is taken: the token goes to servers that we were given, and nowhere else.
            params = dict(parse_qsl(urlsplit(str(following)).query, keep_blank_values=True))


def _query(filters: Mapping[str, Any]) -> dict[str, str]:
    return dict(_written(filters))


def _written(filters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in filters.items():
        if isinstance(value, bool):
            yield name, "true" if value else "false"
        elif value is not None:
            yield name, str(value)


def _part(name: str, field_name: str) -> str:
    """Write a name as one part of a path. Raises Invalid for one that can't be."""
    if not name or name in (".", "..") or "/" in name:
        raise Invalid(f"{name!r} is no name", field=field_name)
    _check_text(name)
    return quote(name, safe="")


def _check_text(value: str) -> None:
    """Raise Invalid for what can't be sent: bytes of a command line that are no text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{value!r} is no text") from None
