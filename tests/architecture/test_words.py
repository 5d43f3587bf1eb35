"""Words that must not be in the repository: unfinished work, names for everything and nothing, this machine's paths."""

import re

from tests.architecture.sources import ROOT, production_modules, text_files, tracked

# Spelt apart, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
# A checkout may be anywhere; a path of one developer's machine works on that machine only.
MACHINE_PATHS = re.compile(r"/(?:home|Users)/[a-z]|/wo" + r"rk/(?:main|shared)|/tmp/br" + r"ief")
# A module may start with a #! line and comments; then its docstring comes.
OPENING = re.compile(r'(?:#[^\n]*\n)*r?"""')
SHAPELESS = {"utils.py", "util.py", "helpers.py", "helper.py", "misc.py", "common.py", "manager.py"}


def places(pattern: re.Pattern[str]) -> list[str]:
    """Give file:line of every line of the project that matches."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_for_later_in_the_code() -> None:
    assert places(UNFINISHED) == []


def test_no_path_of_a_developers_machine_is_written_down() -> None:
    assert places(MACHINE_PATHS) == []


def test_no_module_is_named_for_everything_and_nothing() -> None:
    assert [str(path.relative_to(ROOT)) for path in tracked() if path.name in SHAPELESS] == []


def test_every_module_opens_by_saying_its_job() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in production_modules()
        if path.name != "__init__.py"
        and not re.match(r'(?:#![^\n]*\n)?(?:#[^\n]*\n)*r?"""', path.read_text(encoding="utf-8"))
    ]
    assert silent == []
