"""The command prints what is wrong as a table or as JSON, and tells by its exit status whether anything is."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from devices.models import Device
from requests_app.invariants import CHECKS
from tests.integration.invariants.conftest import Pool


def run(*words: str) -> tuple[int, str]:
    """Run the command; give its exit status and what it printed."""
    out = StringIO()
    try:
        call_command("check_invariants", "--settle", "0", *words, stdout=out)
    except SystemExit as left:
        return int(str(left.code)), out.getvalue()
    return 0, out.getvalue()


def test_a_sound_pool_is_status_0(pool: Pool) -> None:
    assert run() == (0, f"all {len(CHECKS)} invariants hold\n")
    assert run("--json") == (0, "[]\n")


def test_a_broken_pool_is_status_1_and_names_the_row(pool: Pool) -> None:
    Device.objects.filter(pk=pool.idle.pk).update(idle_since=None)
    status, printed = run()
    assert status == 1
    header, row = printed.splitlines()
    assert header.split() == ["rule", "row", "what", "is", "wrong"]
    said = f"{pool.idle.name} is ready and held by nobody, but not listed as idle"
    assert row == f"idle  device {pool.idle.pk}  {said}"
    status, printed = run("--json")
    assert status == 1
    assert json.loads(printed) == [{"rule": "idle", "table": "device", "pk": pool.idle.pk, "message": said}]


@pytest.mark.parametrize("settle", ["soon", "-1", "61", "nan"])
def test_junk_for_the_pause_is_refused(db: None, settle: str) -> None:
    with pytest.raises(CommandError, match="seconds from 0 to 60 expected"):
        call_command("check_invariants", f"--settle={settle}")
