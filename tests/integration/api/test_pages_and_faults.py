"""The health check, a page that is none, and what callers see while the database is away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import InterfaceError, OperationalError
from django.test import Client
from pytest_django import Settings

from bmm import bootfiles
from bmm.netboot import boot_token
from devices.models import Image
from lifeguard import services
from mozpool_site.api.errors import database_is_away
from mozpool_site.statemachine.runner import Actor

ROOT = Path(__file__).resolve().parents[3]
# Asks in one process, as the web process would, and tells statuses and headers.
ASK = """
import django
django.setup()
from django.test import Client
for path in ("/healthz", "/api/device/list/", "/boot/device1/AAAAAAAAAAAAAAAAAAAAAA/config"):
    answer = Client(REMOTE_ADDR="10.1.0.5").get(path)
    print(answer.status_code, answer.headers["Retry-After"], answer.json()["error"])
answer = Client(REMOTE_ADDR="10.1.0.5").post(
    "/api/device/any/request/", {"assignee": "me", "duration": 60, "image": "android"}, content_type="application/json"
)
print(answer.status_code, answer.headers["Retry-After"], answer.json()["error"])
"""


def test_health_is_for_everybody(stranger: Client) -> None:
    answer = stranger.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok"})


def test_health_is_told_by_plain_http_where_pages_need_https(stranger: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/").status_code == 301
    assert Client().get("/healthz").status_code == 200
    assert Client().get("/healthz/more").status_code == 301


def test_a_page_that_does_not_exist_is_a_page_and_not_json(client: Client) -> None:
    answer = client.get("/nosuch/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_while_the_database_is_away_every_call_gets_503_and_a_time() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MOZPOOL_ENV_FILE"} | {
        # Nothing listens on port 1.
        "DATABASE_URL": "mysql://nobody:nothing@127.0.0.1:1/nowhere",
        "MOZPOOL_TRUSTED_NETWORKS": "10.1.0.0/16",
        # As in production: nothing of this is answered by a redirect.
        "MOZPOOL_HTTPS": "true",
        "MOZPOOL_ALLOWED_HOSTS": "testserver",
    }
    asked = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert asked.stdout.splitlines() == ["503 2 unavailable"] * 4


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (OperationalError(2002, "Can't connect"), True),
        (OperationalError(2003, "Can't connect"), True),
        (OperationalError(2006, "Server has gone away"), True),
        (OperationalError(2013, "Lost connection"), True),
        (OperationalError(1213, "Deadlock"), True),
        (OperationalError("database is locked"), True),
        (InterfaceError(0, ""), True),
        (OperationalError("no such table: devices_device"), False),
        (OperationalError(1045, "Access denied"), False),
        (OperationalError(), False),
        (ValueError(2002), False),
    ],
)
def test_only_what_time_mends_counts_as_away(error: Exception, away: bool) -> None:
    assert database_is_away(error) is away


def test_a_fault_of_ours_is_told_as_json_without_its_inside(
    stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = services.please(1, "image", by=Actor("tester", "user"), image=Image.objects.get(name="android"))
    monkeypatch.setattr(bootfiles, "fill_in", lambda *_: 1 / 0)
    stranger.raise_request_exception = False
    token = boot_token(django_settings.MOZPOOL_BOOT_KEYS[0], device.name, device.boot_seq)
    answer = stranger.get(f"/boot/{device.name}/{token}/second-stage")
    assert (answer.status_code, answer.json()["error"]) == (500, "internal")
    assert b"division" not in answer.content
