"""The login page: sessions for people, at the same pace for guessers as the API's login."""

import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from mozpool_site.access.models import AuditEntry, Failures
from tests.integration.access.people import sending, somebody, token_of

pytestmark = pytest.mark.django_db
GOOD = {"username": "ada", "password": "correct horse"}


@pytest.fixture(autouse=True)
def ada(settings: Settings) -> User:
    """Have somebody who can log in; hashing is Django's business, and done quickly here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    user = somebody("ada", "operator")
    user.set_password("correct horse")
    user.save()
    return user


def test_one_logs_in_goes_where_one_wanted_and_logs_out(client: Client) -> None:
    assert client.get("/admin/devices/device/", follow=True).redirect_chain[-1] == (
        "/login/?next=%2Fadmin%2Fdevices%2Fdevice%2F", 302,
    )  # fmt: skip
    page = client.get("/login/?next=/admin/devices/device/").content.decode()
    assert 'name="next" value="/admin/devices/device/"' in page
    answer = client.post("/login/", {**GOOD, "next": "/admin/devices/device/"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/devices/device/")
    assert client.get("/admin/devices/device/").status_code == 200
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/admin/devices/device/").status_code == 302


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil"]
)
def test_nobody_is_sent_to_another_site(client: Client, elsewhere: str) -> None:
    answer = client.post("/login/", {**GOOD, "next": elsewhere})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_the_page_has_no_inline_script_or_style_and_sends_the_policy(client: Client) -> None:
    answer = client.get("/login/")
    assert not re.search(rb"<script(?! src=)|<style|style=|\son\w+=|javascript:", answer.content)
    assert answer["Content-Security-Policy"].startswith("default-src 'self'")
    assert "no-store" in answer["Cache-Control"]


def test_a_login_from_another_site_is_refused() -> None:
    assert Client(enforce_csrf_checks=True).post("/login/", GOOD).status_code == 403


def test_the_session_is_a_new_one(client: Client) -> None:
    client.get("/login/")
    client.cookies["sessionid"] = "chosen-by-somebody-else"
    client.post("/login/", GOOD)
    assert client.cookies["sessionid"].value != "chosen-by-somebody-else"


def test_a_logout_by_a_link_does_nothing(client: Client) -> None:
    client.post("/login/", GOOD)
    assert client.get("/logout/").status_code == 405
    assert client.get("/admin/").status_code == 200


def test_a_guesser_is_throttled_and_told_so(client: Client) -> None:
    bad = {**GOOD, "password": "x"}
    assert [client.post("/login/", bad).status_code for _ in range(6)] == [200] * 5 + [429]
    refused = client.post("/login/", GOOD)
    assert (refused.status_code, refused["Retry-After"]) == (429, "1")
    assert "Too many failed logins. Please wait 1 s, then try again." in refused.content.decode()
    assert "sessionid" not in client.cookies


def test_the_api_and_the_page_count_together(client: Client) -> None:
    for _ in range(3):
        client.post("/login/", {**GOOD, "password": "x"})
    body = '{"username": "ada", "password": "x"}'
    statuses = [
        client.post("/api/v2/login/", body, content_type="application/json").status_code for _ in range(3)
    ]
    assert statuses == [401, 401, 429]


def test_a_success_clears_and_everything_is_in_the_trail(client: Client) -> None:
    client.post("/login/", {**GOOD, "password": "x"})
    client.post("/login/", GOOD)
    assert not Failures.objects.filter(key__startswith="login ada").exists()
    assert list(AuditEntry.objects.values_list("action", "actor", "target", "address").order_by("pk")) == [
        ("failed_login", "", "ada", "127.0.0.1"),
        ("login", "ada", "ada", "127.0.0.1"),
    ]


def test_who_is_locked_out_can_not_log_in(client: Client, ada: User) -> None:
    ada.is_active = False
    ada.save()
    assert client.post("/login/", GOOD).status_code == 200
    assert "sessionid" not in client.cookies


@pytest.mark.parametrize("name", ["\0", "a\0b", "x" * 151, "", "\ud83d\ude00"])
def test_odd_names_are_told_beside_the_field_or_are_nobodys(client: Client, name: str) -> None:
    name = name.encode("utf-16", "surrogatepass").decode("utf-16")
    answer = client.post("/login/", {"username": name, "password": "x"})
    assert answer.status_code == 200
    assert b'role="alert"' in answer.content


def test_somebody_without_business_in_the_administration_is_told_who_they_are(client: Client) -> None:
    client.force_login(somebody("v", "viewer"))
    page = client.get("/admin/", follow=True)
    assert "You are logged in as v, who may not see that page." in page.content.decode()


@pytest.mark.parametrize("door", ["the admin", "one's own page", "the command"])
def test_a_token_that_was_stolen_ends_when_the_password_is_set(client: Client, door: str) -> None:
    ada = User.objects.get(username="ada")
    ada.groups.add(Group.objects.get_or_create(name="operator")[0])
    stolen = sending(token_of(ada))
    assert stolen.get("/api/v2/tokens/").status_code == 200
    new = {"new_password1": "another horse", "new_password2": "another horse"}
    if door == "the command":
        ada.set_password("another horse")
        ada.save()
    elif door == "the admin":
        client.force_login(User.objects.create(username="root", is_superuser=True, password="!"))
        page = f"/admin/auth/user/{ada.pk}/password/"
        client.post(
            page, {"usable_password": "true", "password1": "another horse", "password2": "another horse"}
        )
    else:
        client.force_login(ada)
        client.post("/admin/password_change/", {"old_password": "correct horse", **new})
    ada.refresh_from_db()
    assert ada.check_password("another horse")
    assert stolen.get("/api/v2/tokens/").status_code == 401


def test_a_name_with_other_accents_is_counted_and_audited_as_the_user_who_is_found(client: Client) -> None:
    for typed in ("ADA", "áda"):
        found = User.objects.filter(username=typed).exists()
        client.post("/login/", {**GOOD, "username": typed, "password": "x"})
        counted = Failures.objects.filter(key="login ada").values_list("count", flat=True).first()
        # SQLite knows them as different names, MySQL as one.
        assert AuditEntry.objects.latest("pk").target == ("ada" if found else typed)
        assert not found or counted
