"""Writes the audit trail: who, from where, did what to what, and what it was before and after."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mozpool_site.access.models import AuditEntry
from mozpool_site.statemachine.runner import Actor

# Names of values that no trail may keep, whoever passes them: that they changed is all that it tells.
SECRET = frozenset({
    "boot_config", "boot_config_values", "contents", "digest", "next_boot_config", "password", "password1",
    "password2", "secret", "secrets", "second_stage", "settings", "token", "usable_password",
})  # fmt: skip
MASK = "***"
_LONGEST = 1000


def record(
    action: str,
    kind: str,
    target: str,
    *,
    by: Actor,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    request_id: int | None = None,
) -> None:
    """Append one entry, in the caller's transaction: call it beside the change, so that both are kept or neither.

    `action` is a verb (`set_comments`, `force_state`); `kind` and `target` name what it was done to (`device`,
    `panda-0001`). `before` and `after` hold the values that changed, by name. Values named in SECRET are masked,
    text over 1000 characters is cut, and what JSON does not know is written as text. `request_id` is the
    request that held the device. Services record what they change; a view does only for what no service does.
    """
    entry(action, kind, target, by=by, before=before, after=after, request_id=request_id).save(
        force_insert=True
    )


def entry(
    action: str,
    kind: str,
    target: str,
    *,
    by: Actor,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    request_id: int | None = None,
) -> AuditEntry:
    """Make an entry as `record` does, unsaved, for `keep`: where one transaction changes many things."""
    return AuditEntry(
        action=action[:64],
        target_kind=kind,
        target=target[:200],
        actor=by.name[:150],
        address=by.address,
        before=_fit(before),
        after=_fit(after),
        request_id=request_id,
    )


def keep(entries: Iterable[AuditEntry]) -> None:
    """Append entries in one statement, in the caller's transaction."""
    AuditEntry.objects.bulk_create(entries)


def record_asked(
    action: str,
    kind: str,
    target: str,
    *,
    by: Actor,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    request_id: int | None = None,
) -> None:
    """Record what a person or program asked for; nothing for what the machines themselves do (the journal has it)."""
    if by.source in ("user", "api"):
        record(action, kind, target, by=by, before=before, after=after, request_id=request_id)


def _fit(values: Mapping[str, object] | None) -> dict[str, Any]:
    return {name: MASK if name in SECRET else _cut(value) for name, value in (values or {}).items()}


def _cut(value: object) -> object:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) > _LONGEST:
        return text[:_LONGEST] + "..."
    return value if isinstance(value, str) else json.loads(text)
