"""Shows on standard error how far a request is: one line that changes for people, a line per change for logs."""

from __future__ import annotations

import time
from types import TracebackType

from rich.status import Status

from mozpool_client.cli.output import complain, err, printable, why
from mozpool_client.durations import format_duration
from mozpool_client.models import Request


class Progress:
    """The progress of one request, for the length of a `with`; `quiet` shows warnings only."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = err()
        self._quiet = quiet
        self._began = time.monotonic()
        self._last = ""
        self._status: Status | None = None

    def __enter__(self) -> Progress:  # noqa: PYI034 -- nobody subclasses it
        if self._console.is_terminal and not self._quiet:
            self._status = self._console.status("filing a request")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the terminal to others."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def show(self, request: Request) -> None:
        """Show a request as it is now."""
        words = f"request {request.id} is {request.state}"
        if request.device is not None:
            words += f" on {request.device.name}"
        if reason := why(request):
            words += f": {reason}"
        words = printable(words)
        if self._quiet or words == self._last:
            return
        self._last = words
        if self._status is not None and not (request.is_ready or request.has_ended):
            # Text in square brackets would be taken for markup.
            self._status.update(words.replace("[", r"\["))
        else:
            complain(f"{format_duration(time.monotonic() - self._began):>6}  {words}", console=self._console)

    def warn(self, words: str) -> None:
        """Say what went wrong."""
        complain(f"mozpool: {words}", "yellow", self._console)
