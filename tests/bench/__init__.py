"""Measures what docs/benchmarks.md states, on the processes that a server runs: `python -m tests.bench`."""
