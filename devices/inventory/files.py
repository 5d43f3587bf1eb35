"""Reads devices out of CSV and YAML files, as a whole or not at all."""

import csv
import io
import re
from collections import Counter
from collections.abc import Hashable
from typing import Any

import yaml

from devices.inventory.errors import NoAnswerError

MOST_BYTES = 64 * 1024 * 1024
Items = list[tuple[str, Any]]
# What spreadsheets write into a file to keep a cell what it is: ="0200", and an apostrophe before a formula.
_AS_TEXT = re.compile(r'="((?:[^"]|"")*)"')
_SHIELDED = re.compile(r"'(?=[=+\-@\t\r])")
_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)
_DELIMITERS = (",", ";", "\t")
# A spreadsheet's "Unicode text".
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def from_csv(content: bytes) -> Items:
    """Give a dictionary for each line, with its number. The first line names the columns; `,`, `;` or a tab parts them.

    What spreadsheets add is passed over: a byte order mark, a line `sep=;`, `="..."` around a cell, and empty columns
    at the end.
    """
    text = _text(content, "utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    lines = io.StringIO(text, newline="")
    first = lines.readline()
    told = _SEPARATOR.fullmatch(first.strip())
    if told is None:
        lines.seek(0)
    delimiter = told[1] if told else max(_DELIMITERS, key=first.count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    before = 1 if told else 0
    try:
        items: Items = []
        header = _header(next(reader, []), f"line {before + 1}")
        line = before + reader.line_num + 1
        for row in reader:
            if cells := _cells(row, len(header), f"line {line}"):
                items.append((f"line {line}", dict(zip(header, cells, strict=True))))
            line = before + reader.line_num + 1
    except csv.Error as error:
        raise NoAnswerError(f"line {before + reader.line_num} is no CSV: {error}") from None
    return items


def _header(row: list[str], where: str) -> list[str]:
    names = [_bare(cell) for cell in row]
    while names and not names[-1]:
        names.pop()
    name, times = max(Counter(names).items(), key=lambda item: item[1], default=("", 0))
    if times > 1:
        raise NoAnswerError(f"{where} names a column twice: {name[:64]!r}")
    return names


def _cells(row: list[str], expected: int, where: str) -> list[str]:
    """Give the cells of a line, none for one that is empty."""
    cells = [_bare(cell) for cell in row]
    if not any(cells):
        return []
    while len(cells) > expected and not cells[-1]:
        cells.pop()
    if len(cells) != expected:
        raise NoAnswerError(
            f"{where} has {len(cells)} cells, the first line names {expected} columns: is the file cut off?"
        )
    return cells


def _bare(cell: str) -> str:
    cell = cell.strip()
    if quoted := _AS_TEXT.fullmatch(cell):
        return quoted[1].replace('""', '"').strip()
    return _SHIELDED.sub("", cell, count=1) if cell.startswith("'") else cell


class UniqueKeys(yaml.constructor.BaseConstructor):
    """Refuses a key that a mapping has twice: YAML forbids it, and PyYAML would take the last one in silence."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT002 - PyYAML's own
        """Make a dictionary."""
        seen = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r:.64} is there twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, Hashable) else None)
        return super().construct_mapping(node, deep)


class _Texts(UniqueKeys, yaml.BaseLoader):
    """Reads every plain value as the text that it is: YAML takes 10:20:30:40:50:51 for a number of base 60.

    `lines` are where mappings begin, by the identity of what was made of them.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lines: dict[int, int] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT002 - PyYAML's own
        """Make a dictionary, and remember its line."""
        made = super().construct_mapping(node, deep)
        self.lines[id(made)] = node.start_mark.line + 1
        return made


def from_yaml(content: bytes) -> Items:
    """Give the dictionaries of a list, or of the list named `devices`, with the lines where they begin."""
    loader = None
    try:
        loader = _Texts(_text(content, "utf-8-sig"))
        found = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        raise NoAnswerError(f"the file is no YAML: {yaml_problem(error)}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise NoAnswerError(f"the file is no YAML: {' '.join(str(error).split())}") from None
    finally:
        if loader is not None:
            loader.dispose()
    if isinstance(found, dict):
        found = found.get("devices")
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise NoAnswerError("a list of devices expected, or one named `devices`")
    return [(f"line {loader.lines[id(item)]}", _without_nulls(item)) for item in found]


def yaml_problem(error: yaml.MarkedYAMLError) -> str:
    """Say in a line what is wrong with YAML, and where."""
    told = " ".join(f"{error.problem or error.context or error}".split())
    return f"{told} (line {error.problem_mark.line + 1})" if error.problem_mark else told


def _without_nulls(item: dict[str, Any]) -> dict[str, Any]:
    return {key: None if value in ("~", "null") else value for key, value in item.items()}


def _text(content: bytes, encoding: str) -> str:
    if len(content) > MOST_BYTES:
        raise NoAnswerError(f"the file is larger than {MOST_BYTES} bytes")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NoAnswerError(
            f"the file is no text in UTF-8 (line {line}): save it as CSV UTF-8, or as YAML in UTF-8"
        ) from None
    if "\0" in text:
        raise NoAnswerError("the file is no text: it has NUL bytes")
    return text
