"""The schema is what the code does, and what is published; the page that shows it runs nothing but our own files."""

import re
from pathlib import Path

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from mozpool_site.api.v2.problems import KINDS
from tests.integration.api.v2.calls import get

PUBLISHED = Path(__file__).parents[4] / "docs" / "openapi.yaml"


@pytest.mark.on_sqlite  # each database has its own largest numbers; SQLite's are published
def test_the_published_schema_is_not_stale(tmp_path: Path) -> None:
    fresh = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(fresh))
    assert fresh.read_text() == PUBLISHED.read_text(), "docs/openapi.yaml is stale: make docs"


@pytest.mark.on_sqlite  # each database has its own largest numbers; SQLite's are published
def test_the_schema_is_served_to_everybody_and_kept_by_its_etag(stranger: Client) -> None:
    answer = get(stranger, "schema/")
    assert answer.json() == yaml.safe_load(PUBLISHED.read_text())
    assert get(stranger, "schema/", if_none_match=answer["ETag"]).status_code == 304


def test_every_operation_tells_what_can_go_wrong_and_who_may() -> None:
    schema = yaml.safe_load(PUBLISHED.read_text())
    assert schema["openapi"] == "3.1.0"
    assert set(schema["components"]["securitySchemes"]) == {"token", "session"}
    assert schema["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == sorted(KINDS)
    operations = [
        (f"{method} {path}", operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) > 60
    for name, operation in operations:
        assert {"400", "401", "503"} <= set(operation["responses"]), name
        assert operation.get("description"), name
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert "application/problem+json" in response.get("content", {}), (name, status)


def test_what_was_made_leads_on_to_what_can_be_done_with_it() -> None:
    requests = yaml.safe_load(PUBLISHED.read_text())["paths"]["/api/v2/requests/"]
    made, listed = (
        requests[method]["responses"][status]["links"] for method, status in (("post", "201"), ("get", "200"))
    )
    assert made["requests_renew_create"]["parameters"] == {"id": "$response.body#/id"}
    assert listed["requests_renew_create"]["parameters"] == {"id": "$response.body#/results/0/id"}
    assert (
        {"requests_retrieve", "requests_return_create", "requests_journal_list"}
        <= made.keys()
        == listed.keys()
    )


def test_the_page_is_made_of_our_own_files_and_runs_nothing_inline(stranger: Client) -> None:
    answer = get(stranger, "docs/")
    page = answer.content.decode()
    assert answer["Content-Type"].startswith("text/html")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    files = [source for source in sources if source.startswith("/static/")]
    assert len(files) == 5
    assert set(sources) - set(files) == {"/api/v2/schema/"}
    for file in files:
        assert finders.find(file.removeprefix("/static/")), file
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", page) == []
    assert re.search(r'data-csrf="\w{64}"', page)
