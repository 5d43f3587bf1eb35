"""Modules stay small enough to read in one sitting."""

from tests.architecture.sources import ROOT, production_modules

MOST_LINES = 400  # style.md likes 300; this is where liking ends


def test_no_module_is_longer_than_a_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in production_modules()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}, f"split these: at most {MOST_LINES} lines"
