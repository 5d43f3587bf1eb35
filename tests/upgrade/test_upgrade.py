"""A database of an earlier release, with a row of every kind, becomes that of this one, and nothing is lost."""

from pathlib import Path

import pytest

from tests.upgrade.conftest import ROOT, Code, checkout

# Pools that were filled by these are known to be out there.
COMMITS = ("5052093", "e9bfa78")


_FILE_ONE = """
from devices.models import Device, Image
from mozpool_site.statemachine.runner import Actor
from requests_app.models import Request
from requests_app.services import Order, file_request
Device.objects.update(state="locked_out", idle_since=None, deadline=None)
request = file_request(Order(image=Image.objects.get(name="android"), assignee="old", duration=3600), by=Actor("old"))
assert request.state == "finding_device", request.state
ended = {"state": "closed", "deadline": None, "ended": request.created, "expires": request.created}
Request.objects.create(image=request.image, assignee="long ago", tags=["hdmi", "usb"], **ended)
"""
_SERVED = """
from django.utils import timezone
from devices.models import Device
from requests_app.serving import match_waiting
from requests_app.models import Request, RequestTag
Device.objects.update(state="ready", idle_since=timezone.now(), deadline=timezone.now())
assert match_waiting() == 1
request = Request.objects.get(assignee="old")
assert request.state == "pending", request.state
tags = RequestTag.objects.filter(request__assignee="long ago").order_by("tag").values_list("tag", flat=True)
assert [*tags] == ["hdmi", "usb"], tags
"""


@pytest.fixture(params=COMMITS)
def old(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Code:
    """Give the code of an earlier release, with a pool that it has filled and a request that waits there."""
    folder = tmp_path / "code"
    checkout(request.param, folder)
    code = Code(folder, database)
    code.must("migrate", "-v0")
    code.must("seed_lab", "--devices", "6")
    code.must("shell", source=_FILE_ONE)
    return code


def test_an_old_pool_is_refused_until_it_is_migrated_and_then_nothing_of_it_is_lost(
    old: Code, tmp_path: Path
) -> None:
    before = old.counted(tmp_path)
    new = Code(ROOT, old.database)

    for words in (
        ["manage.py", "check_invariants"],
        ["manage.py", "pulse", "--once"],
        ["-m", "mozpool_site.serve", "--bind", "127.0.0.1:9"],
        ["-m", "celery", "-A", "mozpool_site", "worker", "-Q", "rack.r1", "--pool", "threads"],
    ):
        ended = new.python(*words)
        assert (ended.returncode, "Traceback" in ended.stderr) == (1, False), (words, ended.stderr)
        assert "run manage.py migrate" in ended.stderr, (words, ended.stderr)

    new.must("migrate", "-v0")
    after = new.counted(tmp_path)
    assert {table: after[table] for table in before} == before
    new.must("check", "--database", "default")
    new.must("shell", source=_SERVED)
