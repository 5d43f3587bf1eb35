"""Runs the command `mozpool` as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Callable

SOURCE = Path(__file__).resolve().parents[1] / "src"


def environment(url: str = "", **more: str) -> dict[str, str]:
    """Give the environment of a process that finds this checkout, and the pool at a URL."""
    return {**os.environ, "PYTHONPATH": str(SOURCE), "MOZPOOL_SERVERS": url, "COLUMNS": "100", **more}


def mozpool(
    *words: str, url: str = "", given: str = "", variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mozpool_client", *words],
        env=environment(url, **(variables or {})),
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def started(*words: str, url: str, **more: str) -> subprocess.Popen[str]:
    """Start a command that goes on."""
    return subprocess.Popen(
        [sys.executable, "-m", "mozpool_client", *words],
        env=environment(url, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(happens: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait for something; give whether it happened."""
    ends = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True
