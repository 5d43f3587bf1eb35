"""Who calls, and may they: the same callers and roles as the legacy API's, as DRF wants to be told."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from mozpool_site.api.access import Caller, demand, identify


class CallerAuthentication(BaseAuthentication):
    """Finds the Caller by token, session or network; `request.auth` is it, ANYBODY for a stranger."""

    def authenticate(self, request: Request) -> tuple[Any, Caller]:
        """Give nobody as the user, whom nothing here asks about, and the caller. Raises as `identify` does."""
        return AnonymousUser(), identify(request._request)  # noqa: SLF001 - it knows Django's requests

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme for WWW-Authenticate, which makes DRF answer 401 and not 403."""
        return 'Bearer realm="mozpool"'


class LeastRole(BasePermission):
    """Lets in who has at least the role that the view's `least` declares for the action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Give True, or raise NotAuthenticatedError, NotAllowedError saying which role it takes."""
        caller: Any = request.auth
        action: str | None = view.declared_action
        # A method that the path does not have is answered with 405 whoever asks; nothing runs.
        if action is not None:
            demand(caller, view.least[action])
        return True
