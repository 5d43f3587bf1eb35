"""A plan as people read it: a row for each thing that would happen, and how many of what."""

from devices.inventory.planning import Changed, Plan
from devices.inventory.records import Record

Row = tuple[str, str, str, str, str]
_NOTHING = "-"


def rows(plan: Plan) -> list[Row]:
    """Give (word, device, what, value now, value then) for whatever is refused, is retired, changes or is entered."""
    shown: list[Row] = [("warning", "", warning, "", "") for warning in plan.warnings]
    shown += [("note", "", note, "", "") for note in plan.notes]
    for refused in plan.refused:
        shown += [("refused", refused.name, refused.where, "", reason) for reason in refused.reasons]
    for gone in plan.gone:
        then = f"retired when request {gone.held_by} gives it back" if gone.held_by else "retired"
        then += ", its outlet free" if gone.frees_outlet else ""
        shown.append(("gone", gone.name, "is no longer listed", "", then))
    for item in plan.changed:
        shown += [("changed", item.name, *row) for row in changes(item)]
    for new in plan.new:
        then = ", ".join(f"{name} {value}" for name, value in told(new.record))
        shown.append(("new", new.name, "enters the pool", "", then))
    return shown


def changes(item: Changed) -> list[tuple[str, str, str]]:
    """Return what changes of a device, its value now, and its value then."""
    rows = [(change.field, text(change.old), text(change.new)) for change in item.changes]
    return [*rows, ("is listed again", "retired", "new, to be tested")] if item.returns else rows


def told(record: Record) -> list[tuple[str, str]]:
    """Return what a record tells of a device besides its name: fields and values, but for empty ones."""
    found = ((name, text(value)) for name, value in record.values.items() if name != "name")
    return [(name, value) for name, value in found if value != _NOTHING]


def counts(plan: Plan) -> str:
    """Say how many of what, in a line."""
    return (
        f"{plan.source}: {len(plan.new)} new, {len(plan.changed)} changed, {len(plan.gone)} gone, "
        f"{plan.unchanged} as they are, {len(plan.ignored)} ignored, {len(plan.refused)} refused; "
        f"{plan.stored} stored"
    )


def text(value: object) -> str:
    """Write a value for people."""
    if value is None or value in ("", ()):
        return _NOTHING
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
