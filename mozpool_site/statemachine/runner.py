"""Makes a pure step durable: lock the row, check the fence, decide, write, journal, commit; then ring.

A machine's own half (its facts, its writes, its operations, its journal) is a subclass in its app.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar, cast

from django.db import connection, transaction
from django.db.models import Field, QuerySet

from mozpool_site import clock, compiled
from mozpool_site.compiled import CompiledQuery, Parameter
from mozpool_site.statemachine.machine import Event, Step, Verdict, enter, stale, step
from mozpool_site.statemachine.models import MachineColumns
from mozpool_site.statemachine.spec import TIMEOUT, Spec, Work
from mozpool_site.transactions import RowLockedError, retrying

RowT = TypeVar("RowT", bound=MachineColumns)


@dataclass(frozen=True)
class Actor:
    """Who made something happen, for the journal: `source` is machine, syslog, agent, user or api.

    `address` is the IP address that they called from, for the audit trail; empty for whoever types on the server.
    """

    name: str = ""
    source: str = "machine"
    address: str = ""


MACHINE = Actor()


@dataclass(frozen=True)
class Delivery(Generic[RowT]):
    """What became of an event, and the row as it is now. `refused` says why a fence shut it out."""

    verdict: Verdict
    row: RowT
    refused: str | None = None

    @property
    def moved(self) -> bool:
        """Whether the row entered a state (perhaps its own again)."""
        return self.verdict is Verdict.MOVED


class StaleRowError(RuntimeError):
    """A row changed although we hold its lock: somebody wrote machine columns by hand."""


class Runner(ABC, Generic[RowT]):
    """Runs one machine. Subclasses give the methods at the end."""

    spec: ClassVar[Spec]
    model: type[RowT]
    # Columns that writes may change, besides the machine's own; all of them are saved with a move.
    columns: ClassVar[tuple[str, ...]] = ()

    def deliver(
        self, pk: int, event: Event, *, fence: Mapping[str, object] | None = None, by: Actor = MACHINE
    ) -> Delivery[RowT]:
        """Let an event happen to a row, in a transaction of its own unless one is open.

        Raises the model's DoesNotExist. A stale or unlisted event changes nothing and is journalled.
        """

        @retrying
        def transact() -> Delivery[RowT]:
            row, now = self.lock(pk)
            return self.deliver_locked(row, event, now, fence=fence, by=by)

        return transact()

    def deliver_unless_locked(
        self, pk: int, event: Event, *, fence: Mapping[str, object] | None = None, by: Actor = MACHINE
    ) -> Delivery[RowT]:
        """Let an event happen to a row as `deliver` does, but raise RowLockedError rather than wait for its lock."""

        @retrying
        def transact() -> Delivery[RowT]:
            locked = self.lock_one_of(self._rows().filter(pk=pk))
            if locked is None:
                self._rows().values_list("pk").get(pk=pk)  # raises DoesNotExist
                raise RowLockedError(f"another transaction has locked {self.spec.name} {pk}")
            row, now = locked
            return self.deliver_locked(row, event, now, fence=fence, by=by)

        return transact()

    def lock(self, pk: int | None = None, **lookup: object) -> tuple[RowT, datetime]:
        """Lock the row with a primary key, or that another unique column finds; tell the time in the same trip."""
        ((column, value),) = lookup.items() if pk is None else (("id", pk),)
        row = next(self._with(column)(value=value), None)
        if row is None:
            raise self.model.DoesNotExist(f"there is no {self.spec.name} with {column} {value}")
        return row, self._told(row)

    def _with(self, column: str) -> CompiledQuery[RowT]:
        if column not in self._by_column:
            value = Parameter("value", cast("Field[Any, Any]", self.model._meta.get_field(column)))
            rows = self._rows().select_for_update().annotate(db_now=clock.LOCKED_AT)
            self._by_column[column] = CompiledQuery(lambda: rows.filter(**{column: value}).order_by())
        return self._by_column[column]

    @cached_property
    def _by_column(self) -> dict[str, CompiledQuery[RowT]]:
        return {}

    def _told(self, row: RowT) -> datetime:
        return clock.aware(getattr(row, "db_now"))  # noqa: B009 - an annotation, unknown to the type

    def lock_one_of(self, rows: QuerySet[RowT]) -> tuple[RowT, datetime] | None:
        """Lock the first of some rows that nobody else has locked, without waiting; tell the time in the same trip.

        None does not mean that there are no such rows: others may have them all locked.
        """
        return self.locked(self.lockable(rows))

    def lockable(self, rows: QuerySet[RowT]) -> QuerySet[Any, RowT]:
        """Make a query of some rows one that locks the first which nobody else has locked, and tells the time."""
        skipping = connection.features.has_select_for_update_skip_locked
        return rows.annotate(db_now=clock.DB_NOW).select_for_update(skip_locked=skipping)[:1]

    def locked(self, rows: Iterable[RowT]) -> tuple[RowT, datetime] | None:
        """Run such a query; return the row with the time, or None."""
        return next(((row, self._told(row)) for row in rows), None)

    def deliver_locked(
        self,
        row: RowT,
        event: Event,
        now: datetime,
        *,
        fence: Mapping[str, object] | None = None,
        by: Actor = MACHINE,
        changed: Sequence[str] = (),
    ) -> Delivery[RowT]:
        """Let an event happen to a row that the open transaction has locked.

        `changed` names columns that the caller has set on the row already; a move saves them with its own.
        """
        refused = stale(fence, row)
        if refused:
            self.note(row, event, f"late: {refused}", now, by)
            return Delivery(Verdict.IGNORED, row, refused)
        event = self._informed(row, event, now)
        facts = self.facts(row, event, now)
        decision = step(self.spec, row.snapshot, event, facts, now)
        return self._carry_out(row, event, decision, facts, now, by, changed)

    def force(self, row: RowT, state: str, now: datetime, *, by: Actor) -> Delivery[RowT]:
        """Put a locked row into a state, whatever the table says."""
        event = Event("forced")
        facts = self.facts(row, event, now)
        decision = enter(self.spec, row.snapshot, state, facts, now)
        return self._carry_out(row, event, decision, facts, now, by)

    def _informed(self, row: RowT, event: Event, now: datetime) -> Event:
        if event.name == TIMEOUT and self.spec[row.state].work:
            return Event(event.name, event.arguments, work_waiting=self.work_waiting(row, now))
        return event

    def _carry_out(
        self,
        row: RowT,
        event: Event,
        decision: Step,
        facts: object,
        now: datetime,
        by: Actor,
        changed_before: Sequence[str] = (),
    ) -> Delivery[RowT]:
        if decision.verdict is Verdict.IGNORED:
            if event.name != TIMEOUT:
                self.note(row, event, f"ignored event {event.name} in state {row.state}", now, by)
            return Delivery(Verdict.IGNORED, row)
        old_state, old_seq = row.state, row.state_seq
        before = {name: getattr(row, name) for name in self.columns}
        for name in decision.writes:
            self.write(name, row, event, facts, now, by)
        if decision.verdict is Verdict.MOVED:
            if decision.state != old_state:
                row.state_since = now
            row.state, row.deadline, row.counters = decision.state, decision.deadline, dict(decision.counters)
            row.state_seq = old_seq + 1
            self.settle(row, now)
            self.supersede(row)
        changed = [name for name in self.columns if getattr(row, name) != before[name]]
        changed += changed_before
        self._save(row, old_seq, changed, moved=decision.verdict is Verdict.MOVED)
        if decision.work:
            self.start(row, decision.work, decision.not_before or now, now)
        self.journal(row, event, decision, old_state, now, by)
        transaction.on_commit(lambda: self.announce(row, event, old_state, by), robust=True)
        return Delivery(decision.verdict, row)

    def _save(self, row: RowT, old_seq: int, changed: list[str], *, moved: bool) -> None:
        if moved:
            changed = ["state", "state_seq", "state_since", "deadline", "counters", *changed]
        if not changed:
            return
        values = {name: getattr(row, name) for name in changed}
        if compiled.update(self.model, values, id=row.pk, state_seq=old_seq) != 1:
            raise StaleRowError(f"{self.spec.name} {row.pk} is no longer at state_seq {old_seq}")

    def _rows(self) -> QuerySet[RowT]:
        return self.model._default_manager.all()

    # What a machine adds.

    @abstractmethod
    def facts(self, row: RowT, event: Event, now: datetime) -> object:
        """Load what the table may ask when an event happens."""

    @abstractmethod
    def work_waiting(self, row: RowT, now: datetime) -> bool:
        """Whether the row's operation waits for a runner that does not come, or has one that is gone."""

    @abstractmethod
    def write(self, name: str, row: RowT, event: Event, facts: object, now: datetime, by: Actor) -> None:
        """Carry out one of the table's writes: change attributes named in `columns`, or other rows."""

    def settle(self, row: RowT, now: datetime) -> None:
        """Bring columns that follow from the new state into line with it."""

    @abstractmethod
    def start(self, row: RowT, work: Work, not_before: datetime, now: datetime) -> None:
        """Store an operation for the state just entered, and ring for it."""

    @abstractmethod
    def supersede(self, row: RowT) -> None:
        """Call off the operations of the state just left."""

    @abstractmethod
    def journal(
        self, row: RowT, event: Event, decision: Step, old_state: str, now: datetime, by: Actor
    ) -> None:
        """Append what happened."""

    @abstractmethod
    def note(self, row: RowT, event: Event, message: str, now: datetime, by: Actor) -> None:
        """Append that an event had no effect, and why."""

    @abstractmethod
    def announce(self, row: RowT, event: Event, old_state: str, by: Actor) -> None:
        """Tell others, after the commit; what they do with it must not be needed for correctness."""
