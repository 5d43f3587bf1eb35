"""What the pool's answers mean, as typed values; `raw` of each is the JSON object as the server sent it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mozpool_client.fields import Fields


@dataclass(frozen=True)
class HeldDevice:
    """The device that serves a request. `address` is an IP address, or None where the pool knows only the name."""

    name: str
    fqdn: str
    address: str | None
    state: str
    url: str


@dataclass(frozen=True)
class Waiting:
    """Why a request has no device yet, its place in the queue (1 is next), and an estimate from recent history."""

    reason: str
    detail: str
    place: int | None
    estimate_seconds: float | None


@dataclass(frozen=True)
class Request:
    """A request for a device. Times are aware, in UTC; `boot_config` is None where the caller may not read it.

    It fails at `waits_until` unless it has a device then. `expires` is None until its time has begun, when it is ready;
    until then `seconds_left` is all that it will have.
    """

    id: int
    url: str
    state: str
    state_seq: int
    state_since: datetime
    created: datetime
    waits_until: datetime | None
    expires: datetime | None
    seconds_left: float
    ready_at: datetime | None
    ended: datetime | None
    image: str
    boot_config: Mapping[str, Any] | None
    requested_device: str | None
    device: HeldDevice | None
    last_device: str | None
    environment: str
    hardware: str | None
    tags: tuple[str, ...]
    assignee: str
    owner: str
    priority: int
    waiting: Waiting | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def is_ready(self) -> bool:
        """Whether the device answers, with the image that was asked for."""
        return self.state == "ready"

    @property
    def has_ended(self) -> bool:
        """Whether it holds no device any more, and never will."""
        return self.ended is not None


@dataclass(frozen=True)
class Device:
    """A device of the pool. `request` is the id of the request that holds it."""

    name: str
    url: str
    fqdn: str
    address: str | None
    mac: str | None
    rack: str | None
    hardware_type: str | None
    environment: str
    tags: tuple[str, ...]
    comments: str
    state: str
    state_seq: int
    state_since: datetime | None
    health: str | None
    image: str | None
    request: int | None
    idle_since: datetime | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Image:
    """Something that can be put on a device. A request gives a value for each of `boot_config_keys`."""

    name: str
    boot_config_keys: tuple[str, ...]
    reusable: bool | None
    hidden: bool | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Operation:
    """Work on hardware that was asked for; `status` is queued, running, done, failed, lost or superseded."""

    id: int
    device: str | None
    kind: str
    status: str
    finished: datetime | None
    result: str | None
    message: str | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class JournalLine:
    """One thing that happened to a device or a request; `source` is machine, syslog, agent, user or api."""

    id: int
    time: datetime
    device: str | None
    request: int | None
    source: str
    actor: str
    event: str
    from_state: str
    to_state: str
    message: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Identity:
    """Who the pool takes the caller for; `by` is token, session or network."""

    name: str
    role: str
    by: str
    token_name: str | None
    token_expires: datetime | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Login:
    """A new token, which the server shows only once."""

    token: str = field(repr=False)
    name: str
    role: str
    expires: datetime | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)


def read_request(found: object) -> Request:
    """Read a request. Raises BadAnswer."""
    row = Fields(found, "a request")
    return Request(
        id=row.number("id"),
        url=row.text("url"),
        state=row.text("state"),
        state_seq=row.number("state_seq"),
        state_since=row.moment("state_since"),
        created=row.moment("created"),
        waits_until=row.moment_or_none("waits_until"),
        expires=row.moment_or_none("expires"),
        seconds_left=row.seconds("seconds_left") or 0.0,
        ready_at=row.moment_or_none("ready_at"),
        ended=row.moment_or_none("ended"),
        image=row.text("image"),
        boot_config=row.mapping_or_none("boot_config"),
        requested_device=row.text_or_none("requested_device"),
        device=_held_device(row.value("device")),
        last_device=row.text_or_none("last_device"),
        environment=row.text_or_none("environment") or "any",
        hardware=row.text_or_none("hardware"),
        tags=row.texts("tags"),
        assignee=row.text_or_none("assignee") or "",
        owner=row.text_or_none("owner") or "",
        priority=row.number_or_none("priority") or 0,
        waiting=_waiting(row.value("waiting")),
        raw=row.raw,
    )


def _held_device(found: object) -> HeldDevice | None:
    if found is None:
        return None
    row = Fields(found, "the device of a request")
    return HeldDevice(
        name=row.text("name"),
        fqdn=row.text("fqdn"),
        address=row.text_or_none("address"),
        state=row.text("state"),
        url=row.text("url"),
    )


def _waiting(found: object) -> Waiting | None:
    if found is None:
        return None
    row = Fields(found, "why a request waits")
    return Waiting(
        reason=row.text("reason"),
        detail=row.text("detail"),
        place=row.number_or_none("place"),
        estimate_seconds=row.seconds("estimate_seconds"),
    )


def read_device(found: object) -> Device:
    """Read a device. Raises BadAnswer."""
    row = Fields(found, "a device")
    return Device(
        name=row.text("name"),
        url=row.text("url"),
        fqdn=row.text("fqdn"),
        address=row.text_or_none("address"),
        mac=row.text_or_none("mac"),
        rack=row.text_or_none("rack"),
        hardware_type=row.text_or_none("hardware_type"),
        environment=row.text_or_none("environment") or "",
        tags=row.texts("tags"),
        comments=row.text_or_none("comments") or "",
        state=row.text("state"),
        state_seq=row.number("state_seq"),
        state_since=row.moment_or_none("state_since"),
        health=row.text_or_none("health"),
        image=row.text_or_none("image"),
        request=row.number_or_none("request"),
        idle_since=row.moment_or_none("idle_since"),
        raw=row.raw,
    )


def read_image(found: object) -> Image:
    """Read an image. Raises BadAnswer."""
    row = Fields(found, "an image")
    return Image(
        name=row.text("name"),
        boot_config_keys=row.texts("boot_config_keys"),
        reusable=row.truth_or_none("reusable"),
        hidden=row.truth_or_none("hidden"),
        raw=row.raw,
    )


def read_operation(found: object) -> Operation:
    """Read an operation. Raises BadAnswer."""
    row = Fields(found, "an operation")
    return Operation(
        id=row.number("id"),
        device=row.text_or_none("device"),
        kind=row.text("kind"),
        status=row.text("status"),
        finished=row.moment_or_none("finished"),
        result=row.text_or_none("result"),
        message=row.text_or_none("message"),
        raw=row.raw,
    )


def read_started(found: object) -> Operation:
    """Read the operation that an answer of 202 names. Raises BadAnswer."""
    return read_operation(Fields(found, "the answer").value("operation"))


def read_journal_line(found: object) -> JournalLine:
    """Read a line of the journal. Raises BadAnswer."""
    row = Fields(found, "a line of the journal")
    return JournalLine(
        id=row.number("id"),
        time=row.moment("time"),
        device=row.text_or_none("device"),
        request=row.number_or_none("request"),
        source=row.text_or_none("source") or "",
        actor=row.text_or_none("actor") or "",
        event=row.text_or_none("event") or "",
        from_state=row.text_or_none("from_state") or "",
        to_state=row.text_or_none("to_state") or "",
        message=row.text_or_none("message") or "",
        raw=row.raw,
    )


def read_identity(found: object) -> Identity:
    """Read who the caller is. Raises BadAnswer."""
    row = Fields(found, "the caller's identity")
    token = row.value("token")
    told = None if token is None else Fields(token, "the caller's token")
    return Identity(
        name=row.text("name"),
        role=row.text("role"),
        by=row.text("by"),
        token_name=told.text_or_none("name") if told else None,
        token_expires=told.moment_or_none("expires") if told else None,
        raw=row.raw,
    )


def read_login(found: object) -> Login:
    """Read a new token. Raises BadAnswer."""
    row = Fields(found, "a new token")
    return Login(
        token=row.text("token"),
        name=row.text_or_none("name") or "",
        role=row.text_or_none("role") or "",
        expires=row.moment_or_none("expires"),
        raw=row.raw,
    )
