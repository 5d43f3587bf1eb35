"""What follows when somebody's password is set, by whichever door: Django tells its password validators."""

from django.contrib.auth.models import User
from django.db import transaction

from mozpool_site.access import tokens
from mozpool_site.access.models import Token
from mozpool_site.statemachine.runner import MACHINE


class TokensEnd:
    """Revokes a user's tokens, as Django ends their sessions: who knew the old password may have made some."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Accept every password."""

    def get_help_text(self) -> str:
        """Return what the forms say."""
        return "A new password ends your sessions elsewhere, and revokes your tokens."

    def password_changed(self, password: str, user: User | None = None) -> None:
        """Revoke them."""
        if user is None:
            return
        with transaction.atomic():
            for number in Token.objects.filter(user=user).values_list("pk", flat=True):
                tokens.revoke(number, by=MACHINE)
