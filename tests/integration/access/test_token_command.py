"""An administrator makes, lists and revokes tokens from the command line."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from mozpool_site.access.models import AuditEntry, Token
from tests.integration.access.people import sending, somebody

pytestmark = pytest.mark.django_db


def run(*words: str) -> tuple[int, str, str]:
    """Run the command; give its exit status, and what it wrote."""
    out, err = StringIO(), StringIO()
    try:
        call_command("token", *words, stdout=out, stderr=err)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_a_token_is_made_and_its_text_alone_goes_to_standard_output() -> None:
    somebody("ci", "requester")
    status, out, err = run("create", "--user", "ci", "--name", "nightly", "--days", "30")
    row = Token.objects.get()
    assert status == 0
    assert sending(out.strip()).get("/api/device/list/").status_code == 200
    assert err.startswith(f"token {row.pk} of ci: requester until ")
    assert (row.name, (row.expires - row.created).days) == ("nightly", 30)


def test_tokens_are_listed_without_their_text() -> None:
    somebody("ci", "requester")
    made: dict[str, Any] = json.loads(run("create", "--user", "ci", "--name", "a", "--json")[1])
    text = made.pop("token")
    listed = run("list", "--user", "ci", "--json")[1]
    assert json.loads(listed) == [made]
    assert text not in listed + run("list")[1]
    somebody("other", "viewer")
    assert json.loads(run("list", "--user", "other", "--json")[1]) == []


def test_tokens_are_revoked_all_or_none() -> None:
    somebody("ci", "requester")
    for name in "ab":
        run("create", "--user", "ci", "--name", name)
    first, second = Token.objects.order_by("pk").values_list("pk", flat=True)
    status, _, err = run("revoke", str(first), "99999")
    assert (status, err) == (2, "token: there is no token 99999; none was revoked\n")
    assert Token.objects.count() == 2
    assert run("revoke", str(first), str(second))[0] == 0
    assert not Token.objects.exists()
    assert AuditEntry.objects.filter(action="revoke_token").count() == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create", "--user", "nobody", "--name", "x"), "token: there is no user 'nobody'\n"),
        (
            ("create", "--user", "ci", "--name", "x", "--role", "admin"),
            "token: role: ci is requester, so a token can be requester at most\n",
        ),
        (("create", "--user", "ci", "--name", " "), "token: name: 1 to 64 printable characters expected\n"),
        (("list", "--user", "nobody"), "token: there is no user 'nobody'\n"),
    ],
)
def test_a_wrong_call_says_what_was_wrong_and_makes_nothing(words: tuple[str, ...], told: str) -> None:
    somebody("ci", "requester")
    assert run(*words) == (2, "", told)
    assert not Token.objects.exists()
