"""Finds the values of a device in what a source sent of it, by paths such as `rack.name` or `{vendor} {model}`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from devices.inventory.errors import NoAnswerError
from devices.inventory.records import Record, read

_PART = re.compile(r"\{([^{}]+)\}")


class _Missing:
    """No such key, which is not the same as an empty one."""


MISSING = _Missing()


def at(item: Any, path: str) -> Any:
    """Follow a path of keys and, in lists, places, such as `ports.0.name`; MISSING where it ends early."""
    for step in path.split("."):
        if item is None:
            return None
        if isinstance(item, list):
            if not step.isdecimal():
                return MISSING
            item = item[int(step)] if int(step) < len(item) else None
        elif isinstance(item, dict) and step in item:
            item = item[step]
        else:
            return MISSING
    return item


def value(item: Any, path: str) -> Any:
    """Give what is at a path, or a text with several of them in braces; None as soon as one of those is empty."""
    if "{" not in path:
        return at(item, path)
    found = [at(item, part) for part in _PART.findall(path)]
    for one in found:
        if one is MISSING or one is None:
            return one
    texts = iter(map(str, found))
    return _PART.sub(lambda _: next(texts), path)


def records(
    items: Sequence[tuple[str, Any]],
    fields: Mapping[str, str],
    defaults: Mapping[str, Any],
    *,
    strict: bool,
) -> list[Record]:
    """Read records out of devices as they were sent, each with where it was.

    Raises NoAnswerError where a field is at its path in none of them: a typing error must not empty a column. Not
    `strict`: such a field is none of the source's business.
    """
    found: dict[str, list[Any]] = {}
    for field, path in fields.items():
        values = [value(item, path) for _, item in items]
        if any(one is not MISSING for one in values):
            found[field] = values
        elif strict and field not in defaults:
            raise NoAnswerError(f"{field}: none of {len(items)} devices has {path!r}; correct the mapping")
    empty: tuple[Any, ...] = (None, "", [], MISSING)
    columns = {**{field: [None] * len(items) for field in defaults}, **found}
    return [
        read(
            {
                field: defaults.get(field) if values[place] in empty else values[place]
                for field, values in columns.items()
            },
            where,
        )
        for place, (where, _) in enumerate(items)
    ]
