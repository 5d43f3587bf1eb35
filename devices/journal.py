"""Appends to the journal. Callers give the time, so that a step's lines share the step's moment."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from devices.models import Journal
from devices.models.journal import Source
from mozpool_site import compiled
from mozpool_site.statemachine.machine import Event, Step, Verdict
from mozpool_site.statemachine.runner import MACHINE, Actor

_LONGEST = 500
_OF_A_STATEMENT = 100
_IGNORED_FOR = timedelta(minutes=10)
_MOST_IGNORED = 20
_NO_MORE = "; more of what is ignored is left out for some minutes"
_gathered: ContextVar[list[Journal] | None] = ContextVar("gathered", default=None)


def line(
    message: str,
    now: datetime,
    *,
    device_id: int | None = None,
    request_id: int | None = None,
    by: Actor = MACHINE,
    event: str = "",
    from_state: str = "",
    to_state: str = "",
) -> Journal:
    """Make one line, unsaved; a message over 500 characters is cut."""
    return Journal(
        time=now,
        device_id=device_id,
        request_id=request_id,
        source=by.source,
        actor=by.name[:100],
        event=event[:64],
        from_state=from_state,
        to_state=to_state,
        message=message[:_LONGEST],
    )


def append(lines: Iterable[Journal]) -> None:
    """Store lines in one statement; within `gathered` later, with the others."""
    buffer = _gathered.get()
    if buffer is None:
        _store([*lines])
    else:
        buffer.extend(lines)


def _store(lines: Sequence[Journal]) -> None:
    for begin in range(0, len(lines), _OF_A_STATEMENT):
        compiled.insert_all(lines[begin : begin + _OF_A_STATEMENT])


def append_ignored(one: Journal) -> None:
    """Append that something had no effect: once in ten minutes, and few such lines of a device or request.

    Whoever repeats each second what nobody heeds, or invents events, does not fill the journal. One query.
    """
    whose = {"device_id": one.device_id} if one.device_id is not None else {"request_id": one.request_id}
    lately = Journal.objects.filter(**whose, time__gt=one.time - _IGNORED_FOR, from_state="", to_state="")
    told = lately.filter(Q(message__startswith="ignored ") | Q(message__startswith="late: "))
    before = list(told.order_by("-time", "-id").values_list("event", "message")[:_MOST_IGNORED])
    if len(before) == _MOST_IGNORED or (one.event, one.message) in before:
        return
    if len(before) == _MOST_IGNORED - 1:
        one.message = f"{one.message[: _LONGEST - len(_NO_MORE)]}{_NO_MORE}"
    append([one])


def append_texts(lines: Sequence[tuple[datetime, int, str]], source: Source) -> None:
    """Store lines of devices - time, device, message of 500 characters at most - in one statement.

    For many a second: no rows are made in Python, which would take ten times as long as the database does.
    """
    if not lines:
        return
    columns = "time, device_id, message, source, actor, event, from_state, to_state"
    values = ", ".join(["(%s, %s, %s, %s, '', '', '', '')"] * len(lines))
    adapted = connection.ops.adapt_datetimefield_value
    parameters = [
        value for time, device, message in lines for value in (adapted(time), device, message, source.value)
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {Journal._meta.db_table} ({columns}) VALUES {values}", parameters)  # noqa: S608


@contextmanager
def gathered() -> Iterator[None]:
    """Store all that is appended inside in one statement at the end; belongs inside a transaction."""
    token = _gathered.set([])
    try:
        yield
        _store(_gathered.get() or [])
    finally:
        _gathered.reset(token)


def steps(
    decision: Step,
    event: Event,
    old_state: str,
    now: datetime,
    by: Actor,
    *,
    device_id: int | None = None,
    request_id: int | None = None,
) -> list[Journal]:
    """Give a line for each state that a step entered; none when it stayed."""
    if decision.verdict is not Verdict.MOVED:
        return []
    before = (old_state, *decision.path)
    return [
        line(
            f"entering state {state}",
            now,
            device_id=device_id,
            request_id=request_id,
            by=by,
            event=event.name,
            from_state=left,
            to_state=state,
        )
        for left, state in zip(before, decision.path, strict=False)
    ]
