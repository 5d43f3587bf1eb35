"""Reads devices out of CSV and YAML files, as a whole or not at all."""

import csv
import io
from typing import Any

import yaml

from devices.inventory.errors import NoAnswerError

MOST_BYTES = 64 * 1024 * 1024
Items = list[tuple[str, Any]]


def from_csv(content: bytes) -> Items:
    """Give a dictionary for each line, with its number. The first line names the columns; `,` or `;` parts them."""
    text = _text(content, "utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(set(header)) != len(header):
            raise NoAnswerError("the first line names a column twice")
        items: Items = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"line {reader.line_num}"
            if len(cells) != len(header):
                raise NoAnswerError(
                    f"{where} has {len(cells)} cells, the first line names {len(header)} columns: is the file cut off?"
                )
            items.append((where, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise NoAnswerError(f"line {reader.line_num} is no CSV: {error}") from None
    return items


class _Texts(yaml.BaseLoader):
    """Reads every plain value as the text that it is: YAML takes 10:20:30:40:50:51 for a number of base 60."""


def from_yaml(content: bytes) -> Items:
    """Give the dictionaries of a list, or of the list named `devices`, with their places."""
    try:
        found = yaml.load(_text(content, "utf-8"), Loader=_Texts)  # noqa: S506 - makes texts, lists, dictionaries only
    except (yaml.YAMLError, RecursionError) as error:
        raise NoAnswerError(f"the file is no YAML: {' '.join(str(error).split())}") from None
    if isinstance(found, dict):
        found = found.get("devices")
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise NoAnswerError("a list of devices expected, or one named `devices`")
    return [(f"device {place}", _without_nulls(item)) for place, item in enumerate(found, 1)]


def _without_nulls(item: dict[str, Any]) -> dict[str, Any]:
    return {key: None if value in ("~", "null") else value for key, value in item.items()}


def _text(content: bytes, encoding: str) -> str:
    if len(content) > MOST_BYTES:
        raise NoAnswerError(f"the file is larger than {MOST_BYTES} bytes")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise NoAnswerError(f"the file is no text in UTF-8: {error}") from None
    if "\0" in text:
        raise NoAnswerError("the file is no text: it has NUL bytes")
    return text
