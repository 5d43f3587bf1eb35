"""Two Celery tasks for the tests of the worker's settings: each writes down that it ran."""

import time
from pathlib import Path

from mozpool_site.celery import app


@app.task(name="tests.bell")  # type: ignore[untyped-decorator, unused-ignore]  # celery-types leaves it untyped
def bell(path: str, text: str, seconds: float = 0.0) -> None:
    """Append a line to the file at `path`, after so many seconds of work."""
    time.sleep(seconds)
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
