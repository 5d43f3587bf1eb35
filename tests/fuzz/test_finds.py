"""The fuzz finds what it is there for: a schema that promises something else than the code gives fails the run."""

from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz import runs
from tests.fuzz.runs import Plan, Result, run

pytestmark = pytest.mark.slow


def test_a_promise_that_the_code_does_not_keep_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    schema = (runs.ROOT / "docs" / "legacy-openapi.yaml").read_text(encoding="utf-8")
    promised = schema.replace("version: {type: string}", "version: {type: integer}")
    assert promised != schema
    (docs / "legacy-openapi.yaml").write_text(promised, encoding="utf-8")
    monkeypatch.setattr(runs, "SCHEMAS", docs)
    (result,) = run(["legacy"], Plan(1, examples=1, phases=("fuzzing",)))
    assert "GET /version/" in result.faults
    assert "Response violates schema" in result.faults


def test_shares_are_counted_by_the_first_digit_of_the_status() -> None:
    result = Result("v2", Counter({"GET /a/ 200": 2, "GET /b/ 304": 1, "POST /a/ 404": 1}), "", 1.0)
    assert (result.calls, result.share("2"), result.share("5")) == (4, 0.5, 0.0)
