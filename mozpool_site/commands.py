"""What all commands for operators share: one line for an error and its exit status, JSON or a table, who is typing.

A command that derives from `MozpoolCommand` ends with status 0 when all went well, 2 when its words were wrong
and nothing was done, 1 when the world was not as it assumed, 130 when it was interrupted.
"""

import argparse
import contextlib
import getpass
import io
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from types import FrameType
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, InterfaceError
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mozpool_site.errors import MozpoolError
from mozpool_site.schema import OldSchemaError, demand_schema
from mozpool_site.statemachine.runner import Actor

INTERRUPTED = 130  # 128 and the number of SIGINT, as shells count

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
# Where no terminal tells its width: what is piped into a file or grep keeps a row on a line.
_WIDTH_WITHOUT_TERMINAL = 200
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.ASCII)
_UNITS = (86400, 3600, 60, 1)
_LONGEST_DURATION = 10**9


class OneLineParser(CommandParser):
    """Tells a wrong call in one line, and where help is."""

    def error(self, message: str) -> NoReturn:
        """End with status 2; raise CommandError when Python, not a shell, calls the command."""
        if not getattr(self, "called_from_command_line", False):
            super().error(message)
        command = self.prog.partition(" ")[2] or self.prog
        self.exit(2, f"{command}: {message} ({self.prog} --help tells more)\n")


class MozpoolCommand(BaseCommand):
    """A command for operators. `examples` are shown by --help as they are written."""

    examples: str = ""
    # A broken corner of the installation must not keep anybody from switching a device off.
    requires_system_checks: list[str] = []

    _out: Any = None
    _err: Any = None

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Make the parser; Django's general options work and stay out of --help."""
        parser = OneLineParser(
            prog=f"{os.path.basename(prog_name)} {subcommand}",  # noqa: PTH119 - what the shell called, no path
            description=self.help,
            epilog=f"examples:\n{self.examples}" if self.examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            called_from_command_line=getattr(self, "_called_from_command_line", None),
            **kwargs,
        )
        hidden = argparse.SUPPRESS
        parser.add_argument("-v", "--verbosity", default=1, type=int, choices=[0, 1, 2, 3], help=hidden)
        parser.add_argument("--settings", help=hidden)
        parser.add_argument("--pythonpath", help=hidden)
        parser.add_argument("--traceback", action="store_true", help=hidden)
        parser.add_argument("--no-color", action="store_true", help=hidden)
        parser.add_argument("--force-color", action="store_true", help=hidden)
        self.add_arguments(parser)
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it, and turn what the caller can mend into one line and an exit status."""
        if getattr(self, "_called_from_command_line", False):
            _prepare_process(verbose=options["verbosity"] > 1)
        self._out, self._err = options.get("stdout") or sys.stdout, options.get("stderr") or sys.stderr
        try:
            return super().execute(*args, **options)
        except MozpoolError as error:
            self.fail(error.detail, error.exit_status)
        except (DatabaseError, InterfaceError) as error:
            self.fail(_about_database(error), 1)
        except KeyboardInterrupt:
            self.fail("interrupted", INTERRUPTED)
        except BrokenPipeError:
            # Whoever read our output has left (`device_status | head`); the interpreter must not complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None

    def fail(self, detail: str, status: int) -> NoReturn:
        """Say in one line on stderr what was wrong, and end."""
        name = type(self).__module__.rpartition(".")[2]
        # The terminal may have gone with its ssh connection; the status still counts.
        with contextlib.suppress(OSError):
            self._err.write(f"{name}: {shown(detail)}\n")
            self._err.flush()
        raise SystemExit(status)

    def console(self, *, to_stderr: bool = False) -> Console:
        """Give a console on the command's output."""
        file = self._err if to_stderr else self._out
        terminal = file.isatty() if hasattr(file, "isatty") else False
        return Console(
            file=file,
            width=None if terminal else _WIDTH_WITHOUT_TERMINAL,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def say(self, text: str) -> None:
        """Print a line, however long."""
        self.console().print(shown(text), soft_wrap=True)

    def show_json(self, value: object) -> None:
        """Print a value as JSON; moments are ISO 8601 in UTC."""
        self._out.write(json.dumps(value, indent=2, default=_jsonable) + "\n")

    def show_table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print rows under their headings; None is shown as a dash."""
        grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            grid.add_column(column, overflow="fold")
        for row in rows:
            grid.add_row(*(Text("-" if cell is None or cell == "" else shown(str(cell))) for cell in row))
        self.console().print(grid)


def shown(text: str) -> str:
    """Give text with its control characters escaped: a device's comment must not rewrite anybody's screen."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


def operator() -> Actor:
    """Say who is typing, for the journal: the person behind sudo where there is one."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        # A container may run us under a number that has no name.
        name = f"uid {os.getuid()}"
    return Actor(name, "user")


def duration(text: str) -> int:
    """Read `90`, `90s`, `15m`, `1h30m` or `2d` as seconds; argparse reports anything else."""
    found = _DURATION.fullmatch(text)
    parts = found.groups() if found else ()
    seconds = sum(int(number) * unit for number, unit in zip(parts, _UNITS, strict=False) if number)
    if not any(parts) or not 1 <= seconds <= _LONGEST_DURATION:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; 90, 15m, 1h30m or 2d are")
    return seconds


def key_value(text: str) -> tuple[str, str]:
    """Read `key=value`; argparse reports anything else."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    return key, value


def span(seconds: float) -> str:
    """Write seconds for people: `2.4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - clocks are like that
        return f"{seconds:.1f} s"
    for unit, word, rest, rest_word in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            return f"{whole // unit} {word} {whole % unit // rest} {rest_word}"
    raise AssertionError("unreachable")


def waiting_time(text: str) -> int:
    """Read how long to wait: a duration, or 0."""
    return 0 if text == "0" else duration(text)


def moment(when: datetime | None) -> str | None:
    """Write a moment for people, in UTC to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if when else None


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and its like wait until the end of the block: who tidies up must know what has been stored."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *_ENDING_SIGNALS})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_process(*, verbose: bool) -> None:
    """Make a process that is a command, and nothing else, behave at a terminal and at its end."""
    if not verbose:
        # A log line in the middle of progress helps nobody; -v 2 shows them.
        logging.getLogger().setLevel(logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no umlauts must not end a command half-way.
            stream.reconfigure(errors="backslashreplace")
    for number in _ENDING_SIGNALS:
        # A CI system's cancellation and a lost ssh connection end us as Ctrl-C does: whoever has switched a device
        # off switches it on again first.
        signal.signal(number, _interrupt)


def _about_database(error: Exception) -> str:
    """Return what is wrong with the database: it may only lack the migrations of this release."""
    try:
        demand_schema()
    except OldSchemaError as older:
        return older.detail
    except (DatabaseError, InterfaceError):
        pass
    return f"the database refuses or does not answer: {error}"


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _jsonable(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"nothing writes a {type(value).__name__} as JSON")
