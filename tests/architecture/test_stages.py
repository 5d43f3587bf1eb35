"""`make test` runs every folder that holds tests."""

from tests.architecture.sources import ROOT, tracked


def test_no_folder_of_tests_is_forgotten() -> None:
    words = (ROOT / "Makefile").read_text(encoding="utf-8").split()
    found = [path.relative_to(ROOT).parts for path in tracked() if path.name.startswith("test_")]
    folders = {"/".join(parts[:2]) for parts in found}
    assert [folder for folder in sorted(folders) if folder not in words] == []
