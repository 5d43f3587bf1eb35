"""Prints, when the tests are done, how much was simulated."""

from typing import Any

from pytest import TerminalReporter  # noqa: PT013 -- only its type is wanted


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Add up what the seeds have recorded; the numbers come through xdist's workers too."""
    steps, slowest = 0, 0.0
    for report in terminalreporter.stats.get("passed", ()):
        recorded: dict[str, Any] = dict(report.user_properties)
        steps += recorded.get("simulated_steps", 0)
        slowest = max(slowest, recorded.get("settled_seconds", 0.0))
    if steps:
        terminalreporter.write_line(
            f"simulated {steps:,} steps; the slowest storm settled after {slowest:,.0f} s"
        )
