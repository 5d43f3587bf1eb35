"""What a log line looks like, and that nobody can forge one."""

import logging

from mozpool_site.logs import LineFormatter


def line(message: str, *, error: bool = False) -> str:
    """Format one warning of the logger `lab`, made at the epoch and 1.5 seconds."""
    failure = RuntimeError(message) if error else None
    info = (type(failure), failure, failure.__traceback__) if failure else None
    record = logging.LogRecord("lab", logging.WARNING, __file__, 1, "%s", (message,), info)
    record.created = 1.5
    return LineFormatter().format(record)


def test_a_line_has_time_level_logger_and_message() -> None:
    assert line("relay-1 is silent") == "1970-01-01T00:00:01.500Z WARNING lab relay-1 is silent"


def test_a_message_cannot_forge_a_second_line() -> None:
    assert line("a\n2026-01-01 ERROR b\x1b[31m\u2028c") == (
        "1970-01-01T00:00:01.500Z WARNING lab a\\n2026-01-01 ERROR b\\x1b[31m\\u2028c"
    )


def test_a_traceback_follows_indented() -> None:
    first, *rest = line("boom", error=True).split("\n")
    assert first == "1970-01-01T00:00:01.500Z WARNING lab boom"
    assert rest == ["    RuntimeError: boom"]


def test_the_token_of_a_booting_device_is_in_no_line() -> None:
    path = "/boot/panda-0001/AbCdEfGhIjKlMnOpQr-_12/config"
    record = logging.LogRecord("granian.access", logging.INFO, "", 0, '127.0.0.1 "GET %s" 200', (path,), None)
    assert LineFormatter().format(record).endswith(' 127.0.0.1 "GET /boot/panda-0001/***/config" 200')
