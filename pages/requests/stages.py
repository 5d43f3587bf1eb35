"""How far a request has come: its stages with their times, and the steps of preparing its device. Decided purely."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from lifeguard.states import DEVICE
from requests_app.states import REQUEST

Line = Mapping[str, Any]


class Status(StrEnum):
    """Where a stage or a step stands."""

    DONE = "done"
    NOW = "now"
    AHEAD = "ahead"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Step:
    """A part of preparing a device. `seconds` were spent in it so far, in `tries` tries; `doc` says what happens."""

    label: str
    status: Status
    at: datetime | None
    seconds: float
    tries: int
    state: str = ""
    doc: str = ""


@dataclass(frozen=True)
class Stage:
    """A stage of a request: reached at `at`, or not yet; `seconds` is how long what led to it took."""

    name: str
    label: str
    status: Status
    at: datetime | None = None
    seconds: float | None = None
    detail: str = ""
    steps: Sequence[Step] = ()


@dataclass(frozen=True)
class Life:
    """What is stored of a request that its stages are made of."""

    state: str
    created: datetime
    matched_at: datetime | None
    ready_at: datetime | None
    ended: datetime | None
    device: str = ""
    device_state: str = ""
    tried: Sequence[str] = ()
    ended_by: str = ""


# The steps in their order, and the device's states in which each is under way.
STEPS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Power cycle", frozenset({"start_pxe_boot", "pxe_power_cycling", "start_power_cycle", "pc_power_cycling"})),
    ("Boot the live system", frozenset({"pxe_booting", "mobile_init_started"})),
    ("Download", frozenset({"downloading"})),
    ("Write to storage", frozenset({"extracting"})),
    (
        "Check that it is up",
        frozenset(
            {
                "verifying", "pc_rebooting", "pc_pinging", "sut_verifying", "port_verifying",
                "sut_verify_power_cycle", "sut_sdcard_verifying", "operation_complete",
            }
        ),
    ),
)  # fmt: skip
# A device that has the image already is only power-cycled: without these.
_INSTALLS = frozenset({1, 2, 3})
_BY_STATE = {state: number for number, (_, states) in enumerate(STEPS) for state in states}
_INSTALLING = frozenset({"start_pxe_boot", "pxe_power_cycling", *(s for n in _INSTALLS for s in STEPS[n][1])})


def stages(life: Life, lines: Iterable[Line], now: datetime) -> list[Stage]:
    """Give the stages in their order; `lines` are those of the device's journal while it was prepared."""
    failed = life.state.startswith("failed_")
    prepared = steps(life, lines, now)
    return [
        Stage("filed", "Filed", Status.DONE, life.created),
        _found(life, now, failed=failed),
        _prepared(life, prepared, now, failed=failed),
        _ready(life),
        _ended(life, failed=failed),
    ]


def _found(life: Life, now: datetime, *, failed: bool) -> Stage:
    label, tried = "Device found", _tried(life.tried)
    if life.state in ("new", "finding_device"):
        return Stage("found", "Looking for a device", Status.NOW, None, _passed(life.created, now), tried)
    if life.matched_at is None:
        status = Status.FAILED if failed else Status.SKIPPED
        return Stage("found", "No device", status, None, _passed(life.created, life.ended or now))
    waited = _passed(life.created, life.matched_at)
    return Stage(
        "found", label, Status.DONE, life.matched_at, waited, life.device + (f"; {tried}" if tried else "")
    )


def _prepared(life: Life, prepared: Sequence[Step], now: datetime, *, failed: bool) -> Stage:
    since = life.matched_at
    if life.state in ("contacting_lifeguard", "pending"):
        again = "Preparing the device again" if life.ready_at else "Preparing the device"
        begun = prepared[0].at if life.ready_at and prepared and prepared[0].at else since
        return Stage("prepared", again, Status.NOW, None, _passed(begun, now), "", prepared)
    if life.ready_at is not None:
        took = _passed(since, life.ready_at)
        return Stage("prepared", "Prepared", Status.DONE, life.ready_at, took, "", prepared)
    if since is None or life.ended is None:
        status = Status.AHEAD if life.ended is None else Status.SKIPPED
        return Stage("prepared", "Prepared", status)
    status = Status.FAILED if failed else Status.SKIPPED
    label = "Preparing failed" if failed else "Preparing was called off"
    return Stage("prepared", label, status, life.ended, _passed(since, life.ended), "", prepared)


def _ready(life: Life) -> Stage:
    if life.state == "ready":
        # For how long is left to the time since: the page is not made anew while nothing happens.
        return Stage("ready", "Ready to use", Status.NOW, life.ready_at)
    if life.ready_at is None:
        return Stage("ready", "Ready", Status.AHEAD if life.ended is None else Status.SKIPPED)
    if life.ended is None:
        return Stage("ready", "Ready", Status.AHEAD)
    return Stage("ready", "Ready", Status.DONE, life.ready_at, _passed(life.ready_at, life.ended))


def _ended(life: Life, *, failed: bool) -> Stage:
    if life.ended is None:
        return Stage("ended", "Ended", Status.AHEAD)
    if failed:
        return Stage("ended", "Failed", Status.FAILED, life.ended, detail=REQUEST[life.state].doc)
    label = {"return": "Returned", "expire": "Expired"}.get(life.ended_by, "Ended")
    return Stage("ended", label, Status.DONE, life.ended)


def _tried(names: Sequence[str]) -> str:
    return f"in vain before: {', '.join(names)}" if names else ""


def _passed(begin: datetime | None, end: datetime | None) -> float | None:
    return max(0.0, (end - begin).total_seconds()) if begin and end else None


@dataclass
class _Told:
    """What the journal tells of one step."""

    at: datetime | None = None
    seconds: float = 0.0
    tries: int = 0
    state: str = field(default="")


def steps(life: Life, lines: Iterable[Line], now: datetime) -> list[Step]:
    """Give the steps that the device takes; those of an installation only where something is installed."""
    lines = [line for line in lines if line["to_state"]]
    under_way = life.state in ("contacting_lifeguard", "pending")
    if life.matched_at is None or not (under_way or lines):
        return []
    told, last = _walk(lines, now if under_way else life.ready_at or life.ended or now)
    present = _BY_STATE.get(life.device_state) if under_way else last
    entered = {line["to_state"] for line in lines} | ({life.device_state} if under_way else set())
    shown = [n for n in range(len(STEPS)) if entered & _INSTALLING or n not in _INSTALLS]
    return [
        _step(number, told[number], _status(number, present, told[number], life), life) for number in shown
    ]


def _walk(lines: Sequence[Line], end: datetime) -> tuple[list[_Told], int | None]:
    """Follow the device from state to state; give what each step took, and the last step that it was in."""
    told, last = [_Told() for _ in STEPS], None
    ends = [*(line["time"] for line in lines[1:]), end]
    before = None
    for line, until in zip(lines, ends, strict=False):
        number = _BY_STATE.get(line["to_state"])
        if number is not None:
            step = told[number]
            step.at, step.state = step.at or line["time"], line["to_state"]
            step.seconds += max(0.0, (until - line["time"]).total_seconds())
            # Passing through several states of one step is one try; entering a state of it again is another.
            step.tries += number != before or line["from_state"] == line["to_state"]
            last = number
        before = number
    return told, last


def _status(number: int, present: int | None, told: _Told, life: Life) -> Status:
    if life.state in ("contacting_lifeguard", "pending"):
        if present is None:
            return Status.DONE if told.tries else Status.AHEAD
        return Status.NOW if number == present else Status.DONE if number < present else Status.AHEAD
    if not told.tries:
        return Status.SKIPPED
    if number == present and life.ready_at is None:
        return Status.FAILED if life.state.startswith("failed_") else Status.SKIPPED
    return Status.DONE


def _step(number: int, told: _Told, status: Status, life: Life) -> Step:
    state = life.device_state if status is Status.NOW else told.state
    doc = DEVICE[state].doc if status is Status.NOW and state in DEVICE else ""
    return Step(STEPS[number][0], status, told.at, told.seconds, told.tries, state, doc)
