"""`manage.py live_kit`, and the commands that docs/operators/netboot.md shows."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands, load_command_class

from bmm.live import kit

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs/operators/netboot.md").read_text(encoding="utf-8").replace("\\\n", " ")
LINES = re.findall(r"(?:^    |`)manage\.py ([a-z][^`\n>]*)", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_what_the_document_shows_is_understood(line: str) -> None:
    command, *words = shlex.split(line)
    if words:
        load_command_class(get_commands()[command], command).create_parser("manage.py", command).parse_args(
            words
        )


def test_the_document_shows_the_commands_of_network_boot() -> None:
    assert {line.split()[0] for line in LINES} >= {"boot_config", "live_kit", "tftpd"}


def test_a_script_is_printed_with_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("live_kit", "script", "install", "--image", "linux", "--settings", '{"disk": "/dev/vda"}')
    assert capsys.readouterr().out == kit.second_stage("install", "linux", {"disk": "/dev/vda"})


def test_a_live_image_is_built_alike_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "busybox").write_bytes(b"busybox")
    for name in ("one", "two"):
        call_command(
            "live_kit", "initramfs", "--busybox", str(tmp_path / "busybox"), "--output", str(tmp_path / name),
            "--add", f"{tmp_path}/busybox:/bin/dropbear",
        )  # fmt: skip
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert capsys.readouterr().out.splitlines()[0].startswith(f"wrote {tmp_path}/one, ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["script", "install", "--settings", "{"], "live_kit: --settings: Expecting property name"),
        (
            ["script", "install", "--settings", "[]"],
            "live_kit: --settings: a JSON object without NUL expected",
        ),
        (["script", "install", "--image", "a b"], "live_kit: --image: 'a b' is no name of an image"),
        (["initramfs", "--busybox", "/nosuch", "--output", "/nosuch/x"], "live_kit: [Errno 2] No such file"),
        (
            ["initramfs", "--busybox", "/dev/null", "--modules", "/dev", "--output", "/nosuch/x"],
            "live_kit: no such kernel modules below /dev: virtio_mmio, failover",
        ),
        (
            ["initramfs", "--busybox", "/dev/null", "--output", "/nosuch/x", "--add", "x"],
            "live_kit: --add: FILE:PATH expected, got 'x'",
        ),
        (
            ["initramfs", "--busybox", "/dev/null", "--output", "/nosuch/x", "--add", "/dev/null:../x"],
            "live_kit: --add: '../x' is no plain relative path",
        ),
    ],
)
def test_a_wrong_call_is_told_in_a_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("live_kit", *words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(told)
