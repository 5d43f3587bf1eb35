"""Runs of schemathesis against both APIs at once: which phases, how many examples, what came of it."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.ground import Ground, ground
from tests.servers.process import die_with_parent

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCHEMAS = ROOT / "docs"
APIS = ("v2", "legacy")
PHASES = ("examples", "coverage", "fuzzing", "stateful")
_SECONDS = 3600.0
# The beginning of a traceback tells what broke; the log may hold thousands.
_MOST_OF_LOG = 10_000


@dataclass(frozen=True)
class Plan:
    """What to call. With the same plan the same calls are made: `examples` for each operation in a random phase."""

    seed: int
    examples: int
    phases: Sequence[str] = PHASES


@dataclass(frozen=True)
class Result:
    """What a run found. `faults` is empty when all is well; `tally` counts `METHOD PATH STATUS`."""

    api: str
    tally: Counter[str]
    faults: str
    seconds: float

    @property
    def calls(self) -> int:
        """How many calls were answered."""
        return self.tally.total()

    def share(self, first_digit: str) -> float:
        """Give the share of the answers whose status begins with this digit."""
        found = sum(number for line, number in self.tally.items() if line.split()[-1][0] == first_digit)
        return found / max(1, self.calls)


def run(apis: Sequence[str], plan: Plan) -> list[Result]:
    """Call each of these APIs on a web process of its own, all at once; give what was found."""
    begun = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mozpool-fuzz-")))
        started = [(api, *stack.enter_context(_started(api, folder / api, plan))) for api in apis]
        return [_result(api, place, process, begun) for api, place, process in started]


@contextmanager
def _started(api: str, folder: Path, plan: Plan) -> Iterator[tuple[Ground, "subprocess.Popen[bytes]"]]:
    with ground(api, folder) as place, (folder / "report.txt").open("wb") as report:
        process = subprocess.Popen(
            _command(api, place, plan),
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
                "FUZZ_TOKEN": str(place.token_id),
                "FUZZ_TALLY": str(folder / "tally.json"),
            },
            stdin=subprocess.DEVNULL,
            stdout=report,
            stderr=report,
            preexec_fn=die_with_parent(),
        )
        try:
            yield place, process
        finally:
            process.kill()
            process.wait()


def _command(api: str, place: Ground, plan: Plan) -> list[str]:
    schema = {
        "v2": [f"{place.pool.url}/api/v2/schema/", "-H", f"Authorization: Bearer {place.token}"],
        "legacy": [str(SCHEMAS / "legacy-openapi.yaml"), "--url", f"{place.pool.url}/api"],
    }[api]
    return [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / f"{api}.toml"), "run", *schema,
        "--phases", ",".join(plan.phases), "--max-examples", str(plan.examples), "--seed", str(plan.seed),
        # What matters is what is found, not how small the example is or how well it can be made.
        "--no-shrink", "--suppress-health-check", "all", "--no-color",
        # With more threads Python 3.11 trips over its own parser ("AST constructor recursion depth mismatch").
        "--workers", "1",
    ]  # fmt: skip


def _result(api: str, place: Ground, process: "subprocess.Popen[bytes]", begun: float) -> Result:
    status = process.wait(_SECONDS)
    tally = place.pool.folder / "tally.json"
    counted: Counter[str] = Counter(json.loads(tally.read_text()) if tally.exists() else {})
    report = (place.pool.folder / "report.txt").read_text(errors="replace")
    # A fault that was answered as something else is still in the log.
    broken = re.search(r"Traceback.*", place.pool.log("web"), re.DOTALL)
    faults = (report if status or not counted else "") + (broken.group()[:_MOST_OF_LOG] if broken else "")
    return Result(api, counted, faults, time.monotonic() - begun)
