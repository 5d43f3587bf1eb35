"""Users with a role, their tokens, and clients that send them."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client

from mozpool_site.access import tokens
from mozpool_site.access.models import Token
from mozpool_site.access.roles import Role
from mozpool_site.statemachine.runner import Actor

ROOT = Actor("root", "user")
LIST = "/api/device/list/"


def somebody(name: str = "ada", role: str | None = "operator", **columns: Any) -> User:
    """Make a user, in the group of a role; without a password, for hashing one takes longer than a test."""
    user = User.objects.create(username=name, **columns)
    if role:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user


def token_of(user: User, *, role: Role | None = None, seconds: int | None = None) -> str:
    """Make a token, and give its text."""
    return tokens.create(user, "for a test", by=ROOT, role=role, seconds=seconds)[1]


def sending(text: str, scheme: str = "Bearer", *, enforce_csrf_checks: bool = False) -> Client:
    """Give a client that sends a token with each call, from an address that nobody trusts."""
    return Client(
        enforce_csrf_checks=enforce_csrf_checks,
        REMOTE_ADDR="192.0.2.5",
        headers={"Authorization": f"{scheme} {text}"},
    )


def age(token: Token, **ago: float) -> None:
    """Make a token older, its expiry and its last use with it."""
    by = timedelta(**ago)
    moved = {"created": token.created - by, "expires": token.expires - by}
    if token.last_used is not None:
        moved["last_used"] = token.last_used - by
    Token.objects.filter(pk=token.pk).update(**moved)
