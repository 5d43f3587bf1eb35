"""An administrator keeps boot configs from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from bmm.netboot import boot_token
from devices.models import BootConfig, ImageBootConfig
from tests.integration.commands.conftest import ROOT, Pool

TEXT = (
    "DEFAULT x\nLABEL x\nKERNEL k\n"
    "APPEND mobile-imaging-url=%BASEURL%/boot/%DEVICE%/%TOKEN%/second-stage ip=%IPADDRESS%\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file with a boot config's text."""
    path = tmp_path / "x.cfg"
    path.write_text(TEXT)
    return path


def test_one_is_added_from_a_file_and_put_to_use(rows: Pool, file: Path) -> None:
    ran = rows.run(
        *("boot_config", "add", "panda-new", "--file", str(file), "--second-stage", str(file)),
        *("--description", "brand new", "--use", "linux", "panda/es-b3"),
    )
    assert (ran.status, ran.out) == (0, "added panda-new, active\n")
    added = BootConfig.objects.get(name="panda-new")
    assert (added.contents, added.second_stage, added.active) == (TEXT, TEXT, True)
    assert ImageBootConfig.objects.get(image__name="linux").boot_config == added
    shown = rows.run("boot_config", "show", "panda-new", "--json")
    assert shown.json["uses"] == [{"image": "linux", "hardware": "panda/es-b3"}]


def test_one_is_read_from_stdin(pool: Pool) -> None:
    ran = subprocess.run(
        [sys.executable, "manage.py", "boot_config", "modify", "panda-b2g", "--file", "-"],
        cwd=ROOT,
        env={**os.environ, **pool.environment},
        input=TEXT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "modified panda-b2g, active\n", "")
    assert BootConfig.objects.get(name="panda-b2g").contents == TEXT


def test_one_is_switched_off_and_on_again(rows: Pool) -> None:
    assert (
        rows.run("boot_config", "modify", "panda-b2g", "--deactivate").out
        == "modified panda-b2g, not active\n"
    )
    assert [row["name"] for row in rows.run("boot_config", "list", "--active", "--json").json] == [
        "panda-android",
        "panda-linux",
        "panda-maintenance",
        "panda-self-test",
    ]
    assert rows.run("boot_config", "modify", "panda-b2g", "--activate").out == "modified panda-b2g, active\n"
    assert "b2g on panda es-b3" in rows.run("boot_config", "list").out


def test_a_preview_is_what_the_device_will_read_but_for_its_secret(rows: Pool, file: Path) -> None:
    rows.run("boot_config", "add", "panda-new", "--file", str(file))
    ran = rows.run("boot_config", "show", "panda-new", "--for", "panda-0001", "--json")
    assert ran.json["contents"] == (
        "DEFAULT x\nLABEL x\nKERNEL k\n"
        "APPEND mobile-imaging-url=http://localhost:8000/boot/panda-0001/<token>/second-stage "
        "ip=127.0.0.1\n"
    )
    secret = boot_token(settings.MOZPOOL_BOOT_KEYS[0], "panda-0001", 1)
    assert secret not in json.dumps(ran.json)
    assert BootConfig.objects.get(name="panda-new").contents == TEXT


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "contents: This field cannot be blank."),
        (b"DEFAULT a\nLABEL b\nKERNEL k\n", "contents: There is no label 'a', which DEFAULT names."),
        (b"a\0b", "contents: Null characters are not allowed."),
        (b"\xff", "is no text in UTF-8"),
        (b"x" * 70_000, "is longer than 65536 bytes"),
    ],
)
def test_what_no_board_could_read_is_refused(rows: Pool, tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "bad.cfg"
    path.write_bytes(data)
    ran = rows.run("boot_config", "add", "panda-new", "--file", str(path))
    assert ran.status == 2
    assert complaint in ran.complaint
    assert not BootConfig.objects.filter(name="panda-new").exists()


def test_a_name_that_fits_no_url_is_refused(rows: Pool, file: Path) -> None:
    ran = rows.run("boot_config", "add", "../etc", "--file", str(file))
    assert ran.status == 2
    assert ran.complaint.startswith("boot_config: name: ")
