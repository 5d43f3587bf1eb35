"""Personal tokens: what they open, how they end, and how little they cost."""

import re
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings

from mozpool_site import clock
from mozpool_site.access import tokens
from mozpool_site.access.models import AuditEntry, Failures, Token
from mozpool_site.access.roles import Role
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from tests.factories import make_device
from tests.integration.access.people import LIST, ROOT, age, sending, somebody, token_of

pytestmark = pytest.mark.django_db
DAY = 24 * 3600
FORCE = "/api/device/panda/event/foo/"
JSON: Any = {"data": "{}", "content_type": "application/json"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Token"])
def test_a_token_opens_the_api_to_its_owner(scheme: str) -> None:
    answer = sending(token_of(somebody(role="viewer")), scheme).get(LIST)
    assert answer.status_code == 200


def test_nothing_that_is_stored_opens_anything() -> None:
    text = token_of(somebody())
    row = Token.objects.get()
    assert re.fullmatch("mzp_[0-9a-f]{48}", text)
    assert row.begins == text[:8]
    stored = [str(getattr(row, field.name)) for field in Token._meta.concrete_fields]
    assert not any(text[8:] in value for value in stored)
    for value in stored:
        assert sending(value).get(LIST).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "", " ", "Bearer", "Bearer ", "Bearer  ", "Bearer mzp_", "Bearer mzp_" + "0" * 48, "Bearer null", "Token",
        "Basic YWRhOmFkYQ==", "mzp_" + "0" * 48, "Bearer mzp_" + "é" * 48, "Bearer " + "x" * 5000, "Digest a=b",
    ],
)  # fmt: skip
def test_an_empty_wrong_or_foreign_credential_is_refused_though_the_network_is_trusted(
    header: str, settings: Settings
) -> None:
    settings.MOZPOOL_TRUSTED_OPERATOR_NETWORKS = (ip_network("192.0.2.0/24"),)
    assert Client(REMOTE_ADDR="192.0.2.5").get(LIST).status_code == 200
    answer = Client(REMOTE_ADDR="192.0.2.5", HTTP_AUTHORIZATION=header).get(LIST)
    assert answer.status_code == 401
    assert answer.json()["error"] == "not_authenticated"


def test_a_token_does_no_more_than_its_cap_though_its_owner_may() -> None:
    make_device(name="panda")
    owner = somebody(role="operator")
    all_of_it, some = token_of(owner), token_of(owner, role=Role.VIEWER)
    assert sending(all_of_it).post(FORCE, **JSON).status_code == 200
    refused = sending(some).post(FORCE, **JSON)
    assert refused.status_code == 403
    assert refused.json()["detail"] == "ada with the token 'for a test' is viewer; this needs requester"
    assert sending(some).get(LIST).status_code == 200


def test_a_token_does_no_more_than_its_owner_may_though_its_cap_is_higher() -> None:
    make_device(name="panda")
    owner = somebody(role="operator")
    text = token_of(owner)
    owner.groups.set([Group.objects.get_or_create(name="viewer")[0]])
    assert sending(text).post(FORCE, **JSON).status_code == 403
    owner.groups.clear()
    assert sending(text).get(LIST).status_code == 403


def test_the_highest_of_several_groups_counts_and_a_foreign_group_for_nothing() -> None:
    owner = somebody(role="requester")
    owner.groups.add(
        Group.objects.get_or_create(name="viewer")[0], Group.objects.create(name="ADMIN of something")
    )
    bearer = tokens.find(token_of(owner))
    assert bearer is not None
    assert bearer.role is Role.REQUESTER


def test_a_token_ends_by_its_date_by_revoking_and_with_its_owner() -> None:
    owner = somebody()
    expired, revoked, locked = (token_of(owner) for _ in range(3))
    rows = list(Token.objects.order_by("pk"))
    age(rows[0], days=91)
    tokens.revoke(rows[1].pk, by=ROOT)
    assert [sending(text).get(LIST).status_code for text in (expired, revoked, locked)] == [401, 401, 200]
    owner.is_active = False
    owner.save()
    assert sending(locked).get(LIST).status_code == 401


def test_a_token_counts_before_a_session_and_needs_no_csrf_token() -> None:
    make_device(name="panda")
    client = sending(token_of(somebody("op")), enforce_csrf_checks=True)
    client.force_login(somebody("viewer", "viewer"))
    assert client.post(FORCE, **JSON).status_code == 200


def test_a_name_that_would_pass_for_an_old_client_has_no_use_of_a_token() -> None:
    assert sending(token_of(somebody("legacy@10.1.0.5"))).get(LIST).status_code == 403


def test_a_call_costs_one_query_for_who_it_is_and_a_write_once_a_minute(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    text = token_of(somebody())
    with CaptureQueriesContext(connection) as first:
        tokens.find(text)
    assert [query["sql"].split()[0] for query in first.captured_queries] == ["SELECT", "UPDATE"]
    with django_assert_num_queries(1):
        tokens.find(text)
    age(Token.objects.get(), seconds=61)
    before = Token.objects.get().last_used
    with django_assert_num_queries(2):
        tokens.find(text)
    after = Token.objects.get().last_used
    assert before is not None
    assert after is not None
    assert (after - before).total_seconds() >= 61


def test_what_is_no_token_at_all_costs_no_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert tokens.find("mzp_short") is None


def test_lifetimes_are_ninety_days_unless_asked_and_never_beyond_the_setting(settings: Settings) -> None:
    owner = somebody()
    settings.MOZPOOL_MAX_TOKEN_DAYS = 100
    lives = [tokens.create(owner, "x", by=ROOT, seconds=seconds)[0] for seconds in (None, 60, 100 * DAY)]
    assert [(token.expires - token.created).total_seconds() for token in lives] == [90 * DAY, 60, 100 * DAY]
    settings.MOZPOOL_MAX_TOKEN_DAYS = 7
    token, _ = tokens.create(owner, "x", by=ROOT)
    assert (token.expires - token.created).days == 7
    for seconds in (0, -1, 7 * DAY + 1):
        with pytest.raises(InvalidInputError, match="whole seconds from 1 to 604800 expected") as caught:
            tokens.create(owner, "x", by=ROOT, seconds=seconds)
        assert caught.value.field == "expires_in"


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\0b", "a\x1bb"])
def test_a_token_needs_a_name_that_can_be_shown(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        tokens.create(somebody(), name, by=ROOT)
    assert caught.value.field == "name"


def test_nobody_makes_a_token_that_may_more_than_its_owner() -> None:
    with pytest.raises(InvalidInputError, match="ada is viewer, so a token can be viewer at most"):
        tokens.create(somebody(role="viewer"), "x", by=ROOT, role=Role.ADMIN)
    with pytest.raises(InvalidInputError, match="norole has no role: put them into the group viewer"):
        tokens.create(somebody("norole", None), "x", by=ROOT)


def test_a_user_has_a_hundred_live_tokens_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST", 2)
    owner = somebody()
    token_of(owner, seconds=60)
    token_of(owner)
    with pytest.raises(ConflictError, match="ada has 2 tokens"):
        token_of(owner)
    age(Token.objects.earliest("pk"), seconds=61)
    token_of(owner)
    token_of(somebody("bob"))


def test_making_and_revoking_is_audited_without_the_token() -> None:
    text = token_of(somebody())
    row = Token.objects.get()
    tokens.revoke(row.pk, by=ROOT)
    made, gone = AuditEntry.objects.order_by("pk")
    assert (made.actor, made.action, made.target) == ("root", "create_token", f"{text[:8]}... of ada")
    assert (made.before, made.after["name"], made.after["role"]) == ({}, "for a test", "operator")
    assert (gone.action, gone.target, gone.before, gone.after) == (
        "revoke_token", made.target, made.after, {},
    )  # fmt: skip
    assert not any(text[8:] in f"{entry.target}{entry.before}{entry.after}" for entry in (made, gone))


def test_revoking_what_is_not_there_says_so() -> None:
    with pytest.raises(UnknownNameError, match="there is no token 12"):
        tokens.revoke(12, by=ROOT)


def test_many_bad_tokens_from_an_address_must_wait_and_good_ones_need_not() -> None:
    good = sending(token_of(somebody()))
    bad = sending("mzp_" + "0" * 48)
    assert [bad.get(LIST).status_code for _ in range(21)] == [401] * 20 + [429]
    refused = bad.get(LIST)
    assert refused.status_code == 429
    assert refused.json()["error"] == "too_many"
    assert 1 <= int(refused["Retry-After"]) <= 2
    assert good.get(LIST).status_code == 200
    assert Client(REMOTE_ADDR="192.0.2.6", HTTP_AUTHORIZATION="Bearer x").get(LIST).status_code == 401
    assert Failures.objects.get(pk="token from 192.0.2.5").count == 20


def test_tokens_are_forgotten_a_month_after_their_expiry() -> None:
    owner = somebody()
    for days in (121, 119, 1):
        token_of(owner)
        age(Token.objects.latest("pk"), days=days)
    assert tokens.forgotten(clock.now()).delete()[0] == 1
    assert Token.objects.count() == 2
