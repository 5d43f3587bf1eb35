"""Personal tokens for the API: made, found by what somebody sends, listed, revoked."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet

from mozpool_site import clock
from mozpool_site.access import audit
from mozpool_site.access.models import Token
from mozpool_site.access.roles import Role, highest, role_of
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

PREFIX = "mzp_"
DEFAULT_DAYS = 90
# Of one user, counting those that have not expired: whoever logs in for every job should keep a token instead.
MOST = 100
LONGEST_NAME = 64
_DAY = 24 * 3600
_RANDOM_BYTES = 24
_LENGTH = len(PREFIX) + 2 * _RANDOM_BYTES
_SHOWN = 8
# How exactly `last_used` is kept: a call costs a write no more often than this.
_USED_EVERY = timedelta(minutes=1)
# Expired tokens stay in the lists for a while, so that their owners see why their job fails.
_KEPT_AFTER_EXPIRY = timedelta(days=30)


@dataclass(frozen=True)
class Bearer:
    """Whoever sent a good token: its owner, and what it lets them do at most."""

    token_id: int
    token_name: str
    expires: datetime
    user_id: int
    user_name: str
    role: Role


def find(text: str) -> Bearer | None:
    """Find whom a token belongs to; None for one that is wrong, expired, or of a user who is locked out.

    One query, and once a minute a second one to note the use.
    """
    if len(text) != _LENGTH or not text.isascii() or not text.startswith(PREFIX):
        return None
    # A row for each group of the user: that spares a second query.
    rows = list(
        Token.objects.filter(digest=_digest(text), user__is_active=True, expires__gt=clock.DB_NOW)
        .annotate(now=clock.DB_NOW)
        .values_list(
            "pk", "name", "role", "expires", "last_used", "now",
            "user_id", "user__username", "user__is_superuser", "user__groups__name",
        )
    )  # fmt: skip
    if not rows:
        return None
    pk, name, cap, expires, last_used, told, user_id, user_name, is_superuser, _ = rows[0]
    now = clock.aware(told)
    if last_used is None or now - last_used > _USED_EVERY:
        Token.objects.filter(pk=pk).update(last_used=now)
    role = min(Role(cap), highest((row[-1] for row in rows), is_superuser=is_superuser))
    return Bearer(pk, name, expires, user_id, user_name, role)


def create(
    user: User, name: str, *, by: Actor, role: Role | None = None, seconds: int | None = None
) -> tuple[Token, str]:
    """Make a token; give its row, and its text, which is stored nowhere.

    `role` is the most that it may do (the user's own by default); `seconds` how long it lives (90 days by default).
    Raises InvalidInputError for a name, role or time that can't be, ConflictError for a user with too many.
    """
    name = name.strip()
    seconds, cap = check(user, name, role, seconds)
    text = PREFIX + secrets.token_hex(_RANDOM_BYTES)

    @retrying
    def transact() -> Token:
        # Locks the user's row, so that two at once don't both get the last one.
        User.objects.select_for_update().get(pk=user.pk)
        now = clock.now()
        _check_number(user, now)
        token = Token.objects.create(
            user=user,
            name=name,
            role=cap,
            digest=_digest(text),
            begins=text[:_SHOWN],
            created=now,
            expires=now + timedelta(seconds=seconds),
        )
        audit.record("create_token", "token", _target(token, user.get_username()), by=by, after=_told(token))
        return token

    return transact(), text


def check(user: User, name: str, role: Role | None, seconds: int | None) -> tuple[int, Role]:
    """Raise what `create` would; give the seconds and the role that a token would get."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInputError(f"name: 1 to {LONGEST_NAME} printable characters expected", field="name")
    seconds = _lifetime(seconds)
    cap = _cap(user, role)
    _check_number(user, clock.now())
    return seconds, cap


def revoke(token_id: int, *, by: Actor) -> Token:
    """Delete a token: it is worth nothing from now on. Raises UnknownNameError when there is none."""

    @retrying
    def transact() -> Token:
        token = Token.objects.select_for_update().filter(pk=token_id).first()
        if token is None:
            raise UnknownNameError(f"there is no token {token_id}", field="token")
        audit.record(
            "revoke_token", "token", _target(token, token.user.get_username()), by=by, before=_told(token)
        )
        Token.objects.filter(pk=token.pk).delete()
        return token

    return transact()


def listed(owner: str | None = None) -> QuerySet[Token]:
    """Give tokens with their users, the newest first; all of them, or those of one user."""
    tokens = Token.objects.select_related("user").order_by("-pk")
    return tokens if owner is None else tokens.filter(user__username=owner)


def forgotten(now: datetime) -> QuerySet[Token]:
    """Select tokens that expired a month ago."""
    return Token.objects.filter(expires__lt=now - _KEPT_AFTER_EXPIRY).order_by("expires")


def _check_number(user: User, now: datetime) -> None:
    if Token.objects.filter(user=user, expires__gt=now).count() >= MOST:
        raise ConflictError(
            f"{user.get_username()} has {MOST} tokens: revoke some that are not used", field="user"
        )


def _lifetime(seconds: int | None) -> int:
    longest = settings.MOZPOOL_MAX_TOKEN_DAYS * _DAY
    if seconds is None:
        return min(DEFAULT_DAYS * _DAY, longest)
    if not 1 <= seconds <= longest:
        raise InvalidInputError(
            f"expires_in: whole seconds from 1 to {longest} expected, got {seconds}", field="expires_in"
        )
    return seconds


def _cap(user: User, role: Role | None) -> Role:
    own = role_of(user)
    if own is Role.NOBODY:
        raise InvalidInputError(
            f"{user.get_username()} has no role: put them into the group viewer, requester, operator or admin",
            field="user",
        )
    if role is None:
        return own
    if not Role.VIEWER <= role <= own:
        raise InvalidInputError(
            f"role: {user.get_username()} is {own.word}, so a token can be {own.word} at most", field="role"
        )
    return role


def _digest(text: str) -> str:
    # A token is 192 random bits: nobody can try them all, so a fast digest is as good as a slow one.
    return hashlib.sha256(text.encode()).hexdigest()


def _target(token: Token, user_name: str) -> str:
    return f"{token.begins}... of {user_name}"


def _told(token: Token) -> dict[str, object]:
    return {"name": token.name, "role": Role(token.role).word, "expires": token.expires}
