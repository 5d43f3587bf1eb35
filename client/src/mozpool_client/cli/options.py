"""What the commands have in common: the pool they call, the types of their options, and how they end.

Exit statuses: 0 done; 1 the world is not as the call assumes; 2 the call is wrong; 3 no server can answer;
130 interrupted. `mozpool run` ends with the status of what it ran.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, TypeVar

import click

from mozpool_client import config
from mozpool_client.cli.output import complain, leave, prepare_streams
from mozpool_client.durations import parse_duration
from mozpool_client.errors import ConfigError, MozpoolError
from mozpool_client.sync import Mozpool

F = TypeVar("F", bound=Callable[..., Any])

INTERRUPTED = 128 + signal.SIGINT
# Whoever read our output has gone, and does not care how we end.
_READER_GONE = 1
DEFAULT_REQUEST_SECONDS = 3600


class Context:
    """What was said before the name of the command; the configuration is read when it is first needed."""

    def __init__(
        self, servers: Sequence[str], token: str | None, folder: Path | None, patience: float
    ) -> None:
        self.servers = servers
        self.folder = folder
        self.patience = patience
        self._token = token

    @functools.cached_property
    def config(self) -> config.Config:
        """The configuration. Raises ConfigError."""
        return config.load(self.servers, self._token, self.folder)

    def pool(self) -> Mozpool:
        """Make a client. Raises ConfigError."""
        return Mozpool(self.config.servers, self.config.token, patience=self.patience)


class Duration(click.ParamType):  # type: ignore[type-arg] # generic in the latest click only
    """A duration: 90s, 45m, 2h30m, 1d; perhaps 0."""

    name = "duration"

    def __init__(self, *, or_zero: bool = False) -> None:
        self._or_zero = or_zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give whole seconds."""
        if isinstance(value, int):
            return value
        if self._or_zero and value.strip() == "0":
            return 0
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class KeyValue(click.ParamType):  # type: ignore[type-arg] # the same
    """A value of the boot config: KEY=VALUE."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Give the key and the value."""
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"{value!r}: write KEY=VALUE, such as b2gbase=https://example.com/build/", param, ctx)
        return key.strip(), text


def wishes(command: F) -> F:
    """Give a command the options that say which device is wanted."""
    for option in reversed(
        [
            click.option("--device", metavar="NAME", help="This device, and no other."),
            click.option("--env", "environment", metavar="NAME", help="A device of this environment."),
            click.option("--hardware", metavar="NAME", help="A device of this hardware type."),
            click.option(
                "--tag", "tags", metavar="TAG", multiple=True, help="A device with this tag; repeatable."
            ),
            click.option(
                "--set",
                "values",
                metavar="KEY=VALUE",
                type=KeyValue(),
                multiple=True,
                help="A value that the image needs, such as b2gbase=URL; may be repeated.",
            ),
            click.option(
                "--max-wait",
                type=Duration(or_zero=True),
                metavar="DURATION",
                help="How long it waits for a device that is free; 0: now or never (default: a day).",
            ),
            click.option("--assignee", metavar="NAME", help="Who uses it, as others see it (default: you)."),
            click.option(
                "--priority", type=click.IntRange(-10, 10), help="-10 to 10; above 0 is for operators."
            ),
        ]
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print what the server answered, as JSON.")


class Group(click.Group):
    """The commands; every MozpoolError ends with its message and its exit status, never with a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and end the process with its status."""
        kwargs["standalone_mode"] = False
        prepare_streams()
        try:
            status = super().main(*args, **kwargs)
            # Now, for what is still unwritten when Python ends is nobody's to tell.
            sys.stdout.flush()
        except click.exceptions.Abort:
            complain("interrupted", "yellow")
            status = INTERRUPTED
        except click.exceptions.Exit as ended:
            status = ended.exit_code
        except click.ClickException as error:
            with contextlib.suppress(OSError):
                error.show()
            status = error.exit_code
        except MozpoolError as error:
            complain(f"mozpool: {error}", "red")
            status = error.exit_status
        except BrokenPipeError:
            status = _READER_GONE
        except (OSError, UnicodeError) as error:
            complain(f"mozpool: {error}", "red")
            status = ConfigError.exit_status
        except KeyboardInterrupt:
            status = INTERRUPTED
        leave(status if isinstance(status, int) else 0)
