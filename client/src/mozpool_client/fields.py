"""Reads values out of an answer, and says which one is not what the API promises."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from mozpool_client.errors import BadAnswer

# Characters of a wrong value that an error shows.
_SHOWN = 60


class Fields:
    """The values of one JSON object. Each method raises BadAnswer when a value is missing or of another type."""

    def __init__(self, found: object, what: str) -> None:
        if not isinstance(found, dict):
            raise BadAnswer(f"{what} should be a JSON object, not {_shown(found)}", code="bad_answer")
        self.raw: Mapping[str, Any] = found
        self._what = what

    def value(self, key: str) -> Any:
        """Give whatever is there; None for what is missing."""
        return self.raw.get(key)

    def text(self, key: str) -> str:
        """Give a text."""
        value = self.raw.get(key)
        if isinstance(value, str):
            return value
        raise self._wrong(key, "a text")

    def text_or_none(self, key: str) -> str | None:
        """Give a text, or None where there is none."""
        return None if self.raw.get(key) is None else self.text(key)

    def number(self, key: str) -> int:
        """Give a whole number."""
        value = self.raw.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self._wrong(key, "a whole number")

    def number_or_none(self, key: str) -> int | None:
        """Give a whole number, or None."""
        return None if self.raw.get(key) is None else self.number(key)

    def seconds(self, key: str) -> float | None:
        """Give a number of seconds, or None."""
        value = self.raw.get(key)
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        raise self._wrong(key, "a number of seconds")

    def truth_or_none(self, key: str) -> bool | None:
        """Give true or false, or None."""
        value = self.raw.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(key, "true or false")

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of texts; a missing one is empty."""
        value = self.raw.get(key)
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise self._wrong(key, "a list of texts")

    def mapping_or_none(self, key: str) -> Mapping[str, Any] | None:
        """Give an object, or None."""
        value = self.raw.get(key)
        if value is None or isinstance(value, dict):
            return value
        raise self._wrong(key, "an object")

    def moment(self, key: str) -> datetime:
        """Give a time, aware."""
        value = self.raw.get(key)
        if isinstance(value, str):
            try:
                # Before Python 3.11 fromisoformat does not know Z.
                found = datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                raise self._wrong(key, "a time") from None
            return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        raise self._wrong(key, "a time")

    def moment_or_none(self, key: str) -> datetime | None:
        """Give a time, or None."""
        return None if self.raw.get(key) is None else self.moment(key)

    def _wrong(self, key: str, expected: str) -> BadAnswer:
        found = _shown(self.raw.get(key))
        return BadAnswer(f"{self._what}: {key} should be {expected}, not {found}", code="bad_answer")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
