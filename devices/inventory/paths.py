"""Finds the values of a device in what a source sent of it.

A path is `rack.name`, `{vendor} {model}`, or several of them with `|` between: the first that has something counts.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
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
    """Give what is at the first of several paths that has something; None where one is there, and empty."""
    found = [_one(item, part.strip()) for part in path.split("|")]
    there = [one for one in found if one is not MISSING]
    return next((one for one in there if one not in (None, "")), None if there else MISSING)


def _one(item: Any, path: str) -> Any:
    """Give what is at a path, or a text with several of them in braces; None as soon as one of those is empty."""
    if "{" not in path:
        return at(item, path)
    found = [at(item, part) for part in _PART.findall(path)]
    for one in found:
        if one is MISSING or one is None:
            return one
    texts = iter(map(str, found))
    return _PART.sub(lambda _: next(texts), path)


def _rewritten(found: Any, pattern: str, becomes: str) -> Any:
    match = re.fullmatch(pattern, found.strip()) if isinstance(found, str) else None
    return match.expand(becomes) if match else found


def records(
    items: Sequence[tuple[str, Any]],
    fields: Mapping[str, str],
    defaults: Mapping[str, Any],
    *,
    strict: bool,
    patterns: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[Record]:
    """Read records out of devices as they were sent, each with where it was.

    `patterns` have for a field a regular expression and what becomes of a text that it fits as a whole.

    Raises NoAnswerError where a field is at its path in none of them: a typing error must not empty a column. Not
    `strict`: such a field is none of the source's business.
    """
    found: dict[str, list[Any]] = {}
    for field, path in fields.items():
        values = [value(item, path) for _, item in items]
        if any(one is not MISSING for one in values):
            found[field] = (
                [_rewritten(one, *patterns[field]) for one in values] if field in patterns else values
            )
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
