"""Reads what a file holds, whose content is at hand: nothing is asked and nothing is opened."""

from typing import Any

from devices.inventory import files, paths
from devices.inventory.declared import Source, fields_of
from devices.inventory.errors import NoAnswerError
from devices.inventory.records import FIELDS, Record
from devices.models import Device


def read(source: Source, content: bytes) -> list[Record]:
    """Return all records of a CSV or YAML file. Raise NoAnswerError for junk, and for no device at all."""
    items = files.from_csv(content) if source.kind == "csv" else files.from_yaml(content)
    if not source.fields:
        _check_columns(items)
    return as_records(source, items)


def as_records(source: Source, items: list[tuple[str, Any]]) -> list[Record]:
    """Return the records of what a source listed. Raise NoAnswerError where it listed nothing."""
    if not items:
        raise NoAnswerError(f"{source.name} lists no device at all: nothing is changed")
    fields, strict = fields_of(source), bool(source.fields)
    return paths.records(items, fields, source.defaults, strict=strict, patterns=source.patterns)


def _check_columns(items: list[tuple[str, Any]]) -> None:
    """Refuse columns that we don't know: one with a letter too many would be left out in silence.

    Other columns of a device, as our own export has them, are machines' or people's, and passed over.
    """
    known = {*FIELDS, *(column.name for column in Device._meta.concrete_fields)}
    unknown = sorted({str(name) for _, item in items for name in item} - known)
    if unknown:
        raise NoAnswerError(f"{unknown[0]!r} is no field; there are {', '.join(FIELDS)}")
