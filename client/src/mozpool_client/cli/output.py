"""How the command shows things: tables for people, tab-separated lines for pipes, JSON when asked for."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NoReturn, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mozpool_client.durations import format_duration
from mozpool_client.models import JournalLine, Request

_STYLES = {"ready": "green", "pending": "yellow", "finding_device": "yellow", "closed": "dim"}


@dataclass(frozen=True)
class Column:
    """A column: its title, and whether it gives way when the terminal is narrow."""

    title: str
    gives_way: bool = False


def out() -> Console:
    """Give standard output as it is now."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Give standard error as it is now."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def complain(words: str, style: str | None = None, console: Console | None = None) -> None:
    """Say something on standard error, if there is anybody to tell."""
    with contextlib.suppress(OSError):
        (console or err()).print(printable(words), style=style, markup=False)


def prepare_streams() -> None:
    """Make standard input, output and errors usable, whatever they are.

    One that is closed is opened on nothing, or the next socket would get its number, and our output.
    What a stream's encoding does not have is escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nothing, True)
            setattr(sys, name, os.fdopen(nothing, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def leave(status: int) -> NoReturn:
    """End the process. What could not be written is given up: Python would try once more, and complain."""
    _flush_or_give_up(sys.stdout)
    _flush_or_give_up(sys.stderr)
    sys.exit(status)


def _flush_or_give_up(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def show_json(data: object) -> None:
    """Print JSON, indented."""
    _write_json(data, indent=2)


def show_json_line(data: object) -> None:
    """Print JSON on one line, at once: for what goes on."""
    _write_json(data, indent=None)


def _write_json(data: object, *, indent: int | None) -> None:
    has_all = sys.stdout.encoding.lower().startswith("utf")
    sys.stdout.write(json.dumps(data, indent=indent, ensure_ascii=not has_all) + "\n")
    sys.stdout.flush()


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """Print a table; lines with tabs between the values where nobody looks. `nothing` says that it is empty."""
    console = out()
    if not console.is_terminal:
        for row in [[column.title.lower() for column in columns], *rows]:
            sys.stdout.write("\t".join(_flat(value) for value in row) + "\n")
        return
    if not rows:
        console.print(nothing, style="dim")
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column.title, no_wrap=not column.gives_way, overflow="fold")
    for row in rows:
        table.add_row(*(coloured(value) for value in row))
    Console(highlight=False).print(table)


def show_facts(facts: Mapping[str, str]) -> None:
    """Print names and values, one below the other; empty values are left out."""
    console = out()
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        if not value:
            continue
        if console.is_terminal:
            console.print(Text.assemble((f"{name:<{width}}  ", "bold"), coloured(value)))
        else:
            sys.stdout.write(f"{name}\t{_flat(value)}\n")


def coloured(value: str) -> Text:
    """Give a text; states have their colour. It is never read as markup."""
    style = "red" if value.startswith("failed") else _STYLES.get(value, "")
    return Text(printable(value), style=style)


def printable(value: str) -> str:
    """Show control characters as escapes: a log line must not move the cursor."""
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode()
        for char in value
    )


def _flat(value: str) -> str:
    return printable(value).replace("\t", " ")


def local(moment: datetime | None) -> str:
    """Write a time as the clock on the wall shows it; without the date when it is today."""
    if moment is None:
        return ""
    there = moment.astimezone()
    today = datetime.now(timezone.utc).astimezone().date()
    return there.strftime("%H:%M:%S" if there.date() == today else "%Y-%m-%d %H:%M:%S")


def since(moment: datetime | None) -> str:
    """Write how long ago something was."""
    return "" if moment is None else format_duration((datetime.now(timezone.utc) - moment).total_seconds())


def told(value: Any) -> str:
    """Write a value of a boot config, or a list."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return str(value)


def why(request: Request) -> str:
    """Say why a request waits, in one line; nothing for one that does not."""
    waiting = request.waiting
    if waiting is None:
        return ""
    words = [waiting.detail]
    # Who has a device already is in no queue.
    if waiting.place is not None and request.device is None:
        words.append(f"place {waiting.place}")
    if waiting.estimate_seconds is not None:
        words.append(f"about {format_duration(waiting.estimate_seconds)}")
    if request.waits_until is not None:
        words.append(f"waits until {local(request.waits_until)}")
    return ", ".join(words)


def show_line(line: JournalLine) -> None:
    """Print a line of a journal."""
    where = line.device or (f"request {line.request}" if line.request else "")
    who = f"{line.source} {line.actor}".strip()
    parts: list[str | tuple[str, str]] = [
        (f"{local(line.time)}  ", "dim"),
        f"{where:<14}  ",
        (f"{who:<20}  ", "dim"),
        printable(line.message),
    ]
    out().print(Text.assemble(*parts))
    sys.stdout.flush()
