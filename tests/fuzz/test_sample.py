"""A sample of `make fuzz`: both APIs, called by their schemas with a few random inputs each, always the same ones."""

import pytest

from tests.fuzz.runs import APIS, Plan, run

pytestmark = pytest.mark.slow
SEED = 20261122


def test_every_answer_of_both_apis_is_as_its_schema_says() -> None:
    # The coverage phase, systematic and long, is left to `make fuzz`.
    v2, legacy = run(APIS, Plan(SEED, examples=8, phases=("examples", "fuzzing", "stateful")))
    assert v2.faults == ""
    assert legacy.faults == ""
    assert min(v2.calls, legacy.calls) > 100
    assert min(v2.share("2"), legacy.share("2")) > 0.05
