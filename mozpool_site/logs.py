"""Log lines for journald and files: time in UTC, level, logger, message; one line each, whatever the text holds."""

import datetime as dt
import logging
import re
import textwrap

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")

# What opens a device's boot config stands in the paths that it calls.
_BOOT_TOKEN = re.compile(r"(/boot/[^/\s]+/)[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])")


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


class LineFormatter(logging.Formatter):
    """Formats a record as `2026-11-22T14:03:05.123Z WARNING lifeguard.machine message`.

    Control characters in a message are shown escaped: nobody can forge a second line through a device's comment.
    Tokens of booting devices are left out.
    A traceback follows on lines of its own, indented, so that it stays readable.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- the name is logging's
        """Format everything but the traceback."""
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = _BOOT_TOKEN.sub(r"\1***", _CONTROL.sub(_escaped, record.getMessage()))
        return f"{stamp} {record.levelname} {record.name} {message}"

    def formatException(self, ei: object) -> str:  # noqa: N802 -- the name is logging's
        """Format a traceback, indented below its line."""
        return textwrap.indent(super().formatException(ei), "    ")  # type: ignore[arg-type]  # passed on as it came
