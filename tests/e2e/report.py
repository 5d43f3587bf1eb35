"""What the end-to-end tests measured: printed, and kept in var/ for whoever asks what recovery takes."""

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent.parent.parent / "var"


def tell(name: str, text: str) -> None:
    """Print a report and write it to var/e2e-NAME.txt."""
    print(f"\n{text}")
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / f"e2e-{name}.txt").write_text(f"{text}\n", encoding="utf-8")
