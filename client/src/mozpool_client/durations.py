"""Durations as people write and read them: 90s, 45m, 2h30m, 1d; a bare number is seconds."""

from __future__ import annotations

import re

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,8})h)?(?:(\d{1,9})m)?(?:(\d{1,10})s)?", re.ASCII)
_BARE = re.compile(r"\d{1,10}", re.ASCII)


def parse_duration(text: str) -> int:
    """Give the whole seconds of `2h30m`, `90s` or `3600`. Raises ValueError for anything else, and for nothing."""
    text = text.strip().lower().replace(" ", "")
    if _BARE.fullmatch(text):
        seconds = int(text)
    else:
        found = _WRITTEN.fullmatch(text) if text else None
        if found is None:
            raise ValueError(f"{text!r} is no duration; write 90s, 45m, 2h30m or 1d")
        seconds = sum(int(part) * unit for part, unit in zip(found.groups("0"), _UNITS.values()))
    if seconds < 1:
        raise ValueError("a duration is at least one second")
    return seconds


def format_duration(seconds: float) -> str:
    """Write seconds with their two largest units: 2h30m, 3d4h, 45s."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
        elif parts:
            parts.append("")
    return "".join(parts[:2])
