"""A plan as people read it: a row for each thing that would happen, and how many of what."""

from devices.inventory.planning import Plan

Row = tuple[str, str, str, str, str]


def rows(plan: Plan) -> list[Row]:
    """Give (mark, device, what, value now, value then): + enters, ~ changes, - retires, ! is refused, i is told."""
    shown: list[Row] = []
    for new in plan.new:
        values = {name: value for name, value in new.record.values.items() if value not in (None, "", ())}
        shown += [
            ("+" if first else "", new.name if first else "", field, "", text(value))
            for first, (field, value) in zip([True] + [False] * len(values), values.items(), strict=False)
        ]
    for item in plan.changed:
        shown += [
            ("~", item.name, change.field, text(change.old), text(change.new)) for change in item.changes
        ]
        if item.returns:
            shown.append(("~", item.name, "listed again", "retired", "new, to be tested"))
    for gone in plan.gone:
        then = f"retired when request {gone.held_by} gives it back" if gone.held_by else "retired"
        shown.append(
            (
                "-",
                gone.name,
                "no longer listed",
                "",
                then + (", its outlet free" if gone.frees_outlet else ""),
            )
        )
    for refused in plan.refused:
        shown += [("!", refused.name, "refused", refused.where, reason) for reason in refused.reasons]
    return shown + [("i", "", note, "", "") for note in plan.notes]


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
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
