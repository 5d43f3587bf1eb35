"""Reads fields of decoded JSON with their types and limits, and names the wrong field in each error."""

import re
from collections.abc import Mapping


class LabError(Exception):
    """Something that the lab was asked for cannot be done; the text says what to change."""


class ConfigError(LabError):
    """A field is missing, unknown or has a wrong value; the text starts with the field's path."""


REQUIRED = object()
LONGEST_SHOWN = 60


def shown(value: object) -> str:
    """The value as an error shows it: short, and on one line."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def check_text(value: object, where: str, pattern: str, what: str) -> str:
    """The value if it is text that the pattern matches whole; else ConfigError expecting `what`."""
    if isinstance(value, str) and re.fullmatch(pattern, value):
        return value
    raise ConfigError(f"{where}: {what} expected, got {shown(value)}")


def check_number(value: object, where: str, low: float, high: float) -> float:
    """The value as a float if it is a number from low to high; else ConfigError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise ConfigError(f"{where}: a number from {low:g} to {high:g} expected, got {shown(value)}")


def check_whole(value: object, where: str, low: int, high: int) -> int:
    """The value if it is a whole number from low to high; else ConfigError."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise ConfigError(f"{where}: a whole number from {low} to {high} expected, got {shown(value)}")


class Fields:
    """The fields of one JSON object, each taken once by name; `finish` refuses what nobody took."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: an object expected, got {shown(value)}")
        self._left: dict[str, object] = {str(name): item for name, item in value.items()}
        self._where = where

    def at(self, name: str) -> str:
        """The path of one field, as errors show it."""
        return f"{self._where}.{name}" if self._where else name

    def take(self, name: str, default: object = REQUIRED) -> object:
        """The raw value of a field; ConfigError if it is missing and has no default."""
        value = self._left.pop(name, default)
        if value is REQUIRED:
            raise ConfigError(f"{self.at(name)}: missing")
        return value

    def text(
        self, name: str, pattern: str = r"[^\0\n]+", what: str = "text", default: object = REQUIRED
    ) -> str:
        """A text field that the pattern matches whole."""
        return check_text(self.take(name, default), self.at(name), pattern, what)

    def number(self, name: str, low: float, high: float, default: object = REQUIRED) -> float:
        """A number from low to high."""
        return check_number(self.take(name, default), self.at(name), low, high)

    def whole(self, name: str, low: int, high: int, default: object = REQUIRED) -> int:
        """A whole number from low to high."""
        return check_whole(self.take(name, default), self.at(name), low, high)

    def flag(self, name: str, *, default: object = REQUIRED) -> bool:
        """A field that is true or false."""
        value = self.take(name, default)
        if isinstance(value, bool):
            return value
        raise ConfigError(f"{self.at(name)}: true or false expected, got {shown(value)}")

    def items(self, name: str, default: object = REQUIRED) -> list[tuple[str, object]]:
        """The items of a list field, each with its own path."""
        value = self.take(name, default)
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{self.at(name)}: a list expected, got {shown(value)}")
        return [(f"{self.at(name)}[{number}]", item) for number, item in enumerate(value)]

    def table(self, name: str, default: object = REQUIRED) -> Mapping[str, object]:
        """A field that is itself an object, as a plain mapping."""
        value = self.take(name, default)
        if not isinstance(value, dict):
            raise ConfigError(f"{self.at(name)}: an object expected, got {shown(value)}")
        return value

    def finish(self) -> None:
        """Refuses fields that nobody asked for: they are usually misspelt."""
        if self._left:
            raise ConfigError(f"{self.at(min(self._left))}: unknown field")
