"""A plan as people read it: a row for each thing that would happen, and how many of what."""

from devices.inventory.planning import Plan

Row = tuple[str, str, str, str, str]
_NOTHING = "-"


def rows(plan: Plan) -> list[Row]:
    """Give (word, device, what, value now, value then) for whatever is refused, is retired, changes or is entered."""
    shown: list[Row] = [("note", "", note, "", "") for note in plan.notes]
    for refused in plan.refused:
        shown += [("refused", refused.name, refused.where, "", reason) for reason in refused.reasons]
    for gone in plan.gone:
        then = f"retired when request {gone.held_by} gives it back" if gone.held_by else "retired"
        then += ", its outlet free" if gone.frees_outlet else ""
        shown.append(("gone", gone.name, "is no longer listed", "", then))
    for item in plan.changed:
        shown += [
            ("changed", item.name, change.field, text(change.old), text(change.new))
            for change in item.changes
        ]
        if item.returns:
            shown.append(("changed", item.name, "is listed again", "retired", "new, to be tested"))
    for new in plan.new:
        told = {name: text(value) for name, value in new.record.values.items() if name != "name"}
        then = ", ".join(f"{name} {value}" for name, value in told.items() if value != _NOTHING)
        shown.append(("new", new.name, "enters the pool", "", then))
    return shown


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
