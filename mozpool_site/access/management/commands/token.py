"""`manage.py token`: personal tokens for the API."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from mozpool_site import clock
from mozpool_site.access import tokens
from mozpool_site.access.models import Token
from mozpool_site.access.roles import BY_WORD, Role
from mozpool_site.commands import MozpoolCommand, moment, operator
from mozpool_site.errors import UnknownNameError

_DAY = 24 * 3600


class Command(MozpoolCommand):
    """Makes, lists and revokes tokens."""

    help = "Make a personal token for the API, list tokens, or revoke them. A token is shown once, when it is made."
    examples = (
        "  manage.py token create --user ci --name 'nightly tests' --role requester --days 30\n"
        "  manage.py token list --user ci\n"
        "  manage.py token revoke 12"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one of three verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
        creating = verbs.add_parser("create", help="a new one; its text goes to standard output")
        creating.add_argument(
            "--user", required=True, help="whose it is; `createsuperuser` or the admin makes users"
        )
        creating.add_argument("--name", required=True, help="what it is for")
        creating.add_argument(
            "--role", choices=sorted(BY_WORD), help="the most it may do (default: all its user may)"
        )
        creating.add_argument(
            "--days", type=_days, metavar="N",
            help=f"it ends after so many days (default: {tokens.DEFAULT_DAYS}; most: MOZPOOL_MAX_TOKEN_DAYS)",
        )  # fmt: skip
        creating.add_argument("--json", action="store_true", help="print JSON")
        listing = verbs.add_parser("list", help="whose they are, for what, until when")
        listing.add_argument("--user", help="only those of this user")
        listing.add_argument("--json", action="store_true", help="print JSON")
        revoking = verbs.add_parser("revoke", help="end them now; their numbers are in the list")
        revoking.add_argument("ids", nargs="+", type=_number, metavar="NUMBER", help="a token's number")

    def handle(self, *, verb: str, **options: Any) -> None:
        """Do it."""
        {"create": self._create, "list": self._list, "revoke": self._revoke}[verb](options)

    def _create(self, options: dict[str, Any]) -> None:
        user = _user(options["user"])
        role = BY_WORD[options["role"]] if options["role"] else None
        seconds = options["days"] * _DAY if options["days"] else None
        token, text = tokens.create(user, options["name"], by=operator(), role=role, seconds=seconds)
        if options["json"]:
            self.show_json({**_described(token), "token": text})
            return
        self.say(text)
        until = f"{Role(token.role).word} until {moment(token.expires)}"
        self.console(to_stderr=True).print(
            f"token {token.pk} of {user.get_username()}: {until}; it is not shown again", soft_wrap=True
        )

    def _list(self, options: dict[str, Any]) -> None:
        owner = options["user"] and _user(options["user"]).get_username()
        rows = list(tokens.listed(owner))
        if options["json"]:
            self.show_json([_described(row) for row in rows])
            return
        now = clock.now()
        self.show_table(
            ("NUMBER", "BEGINS", "USER", "NAME", "ROLE", "LAST USED", "EXPIRES"),
            [
                (
                    row.pk, row.begins, row.user.get_username(), row.name, Role(row.role).word,
                    moment(row.last_used), "expired" if row.expires <= now else moment(row.expires),
                )
                for row in rows
            ],
        )  # fmt: skip

    def _revoke(self, options: dict[str, Any]) -> None:
        ids = list(dict.fromkeys(options["ids"]))
        there = set(Token.objects.filter(pk__in=ids).values_list("pk", flat=True))
        missing = [str(pk) for pk in ids if pk not in there]
        if missing:
            raise UnknownNameError(f"there is no token {', '.join(missing)}; none was revoked", field="token")
        for pk in ids:
            token = tokens.revoke(pk, by=operator())
            self.say(f"revoked token {pk} ({token.name})")


def _user(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise UnknownNameError(f"there is no user {name!r}", field="user")
    return user


def _days(text: str) -> int:
    longest = settings.MOZPOOL_MAX_TOKEN_DAYS
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= longest):  # noqa: PLR2004 - digits
        raise ArgumentTypeError(f"whole days from 1 to {longest} expected, got {text!r}")
    return int(text)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 - fits a 64-bit integer
        raise ArgumentTypeError(f"a token's number expected, got {text!r}")
    return int(text)


def _described(token: Token) -> dict[str, object]:
    return {
        "id": token.pk, "begins": token.begins, "user": token.user.get_username(), "name": token.name,
        "role": Role(token.role).word, "created": token.created, "last_used": token.last_used,
        "expires": token.expires,
    }  # fmt: skip
