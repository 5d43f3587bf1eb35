"""`make fuzz`, or `python -m tests.fuzz --seed 7`: call both APIs by their schemas, in all phases, 10,000 times.

The exit status is 1 when an answer is a 5xx, or is not what the schema says.
"""

import argparse
import secrets
import signal
import sys
from types import FrameType

from tests.fuzz.runs import APIS, PHASES, Plan, Result, run

# Inputs for each operation in a random phase. The first round has all phases; others follow until the calls suffice.
_EXAMPLES = 40
# Below this share of successes nothing but refusals would have been tested.
_LEAST_SUCCESSES = 0.05


def main() -> int:
    """Call; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="the same seed makes the same calls (default: a new one)")
    parser.add_argument("--calls", type=int, default=10_000, help="at least so many (default: %(default)s)")
    parser.add_argument("--api", choices=APIS, help="only this one (default: both)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _ended)
    seed = secrets.randbelow(10**9) if arguments.seed is None else arguments.seed
    print(f"seed {seed}; `make fuzz SEED={seed}` makes these calls again", flush=True)
    apis = [arguments.api] if arguments.api else APIS
    total, plan = 0, Plan(seed, _EXAMPLES)
    while total < arguments.calls:
        results = run(apis, plan)
        faults = [fault for result in results if (fault := _told(result, plan))]
        total += sum(result.calls for result in results)
        if faults:
            print("\n\n".join(faults))
            return 1
        plan = Plan(plan.seed + 1, _EXAMPLES, PHASES[2:])
    print(f"{total} calls, every answer as the schemas say")
    return 0


def _told(result: Result, plan: Plan) -> str:
    """Print what a run did; give its faults."""
    shares = ", ".join(f"{digit}xx {result.share(digit):.0%}" for digit in "2345")
    phases = ", ".join(plan.phases)
    print(f"{result.api}: {result.calls} calls in {result.seconds:.0f} s ({phases}): {shares}", flush=True)
    if result.faults:
        return f"{result.api}:\n{result.faults}"
    if result.share("2") < _LEAST_SUCCESSES:
        return f"{result.api}: hardly any call succeeded, so nothing but the refusals was tested"
    return ""


def _ended(number: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an ordinary exit, so that the pool and its folder are removed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
