"""Who may see a page: people with a session and a role. Each view says which with `@page`, and nothing is open else.

`@page(Role.VIEWER)` makes a page that is looked at (GET, HEAD). `@page(Role.VIEWER, post=Role.OPERATOR)` also takes
forms, `@page(post=Role.OPERATOR)` forms alone. The view is called with the request and its `Person`, a `Caller`.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import add_never_cache_headers, patch_vary_headers

from mozpool_site.access.backend import known_role
from mozpool_site.api.access import ANYBODY, LEGACY, Caller, Role, client_address, demand
from mozpool_site.api.errors import DATABASE_ERRORS, database_is_away
from mozpool_site.errors import MozpoolError, NotAllowedError
from mozpool_site.statemachine.runner import Actor
from pages.shell import answers

View = Callable[..., HttpResponseBase]


class Person(Caller):
    """Somebody who looks at our pages: a caller by session, whom the journal calls a user."""

    @property
    def actor(self) -> Actor:
        """The person as the journal and the audit trail name them."""
        return Actor(self.name, "user", str(self.address or ""))

    @property
    def is_requester(self) -> bool:
        """Whether they may file requests."""
        return self.may(Role.REQUESTER)

    @property
    def is_operator(self) -> bool:
        """Whether they may work on devices."""
        return self.may(Role.OPERATOR)

    @property
    def is_admin(self) -> bool:
        """Whether they may change what the pool is made of."""
        return self.may(Role.ADMIN)


STRANGER = Person(ANYBODY.name, ANYBODY.role, ANYBODY.address)


def person_of(request: HttpRequest) -> Person:
    """Say who looks, by their session; STRANGER without one. Asks the database three times, the first time only.

    Raises NotAllowedError for a name that would pass for an old client's.
    """
    known = getattr(request, "person", None)
    if isinstance(known, Person):
        return known
    user = getattr(request, "user", None)
    person = STRANGER
    if isinstance(user, User) and user.is_active:
        name = user.get_username()
        if name.startswith(LEGACY):
            raise NotAllowedError(f"a user name that begins with {LEGACY} would pass for an old client")
        person = Person(name, known_role(user), client_address(request), "session", user.pk)
    request.person = person  # type: ignore[attr-defined]
    return person


def page(least: Role | None = None, *, post: Role | None = None) -> Callable[[View], View]:
    """Make a page of a view: `least` may look at it, `post` may send forms to it; None: that method does not exist.

    Strangers go to the login page and come back from there. What services refuse becomes a page with their sentence
    and status; for a part of a page (htmx, live) it is the sentence alone. The roles are kept as `view.least`, by
    method.
    """
    roles = {
        **({"GET": least, "HEAD": least} if least is not None else {}),
        **({"POST": post} if post is not None else {}),
    }

    def decorate(view: View) -> View:
        @wraps(view)
        def served(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            role = roles.get(request.method or "")
            if role is None:
                return HttpResponseNotAllowed(sorted(roles))
            try:
                person = person_of(request)
                if not person.name:
                    return _to_login(request)
                demand(person, role)
                response: HttpResponseBase = view(request, person, *args, **kwargs)
            except MozpoolError as error:
                response = answers.refused(request, error)
            except DATABASE_ERRORS as error:
                if not database_is_away(error):
                    raise
                response = answers.database_away(request)
            return _private(response)

        served.least = roles  # type: ignore[attr-defined]
        return served

    return decorate


def roles_of(view: object) -> Mapping[str, Role]:
    """Give the least role for each method of a view that `@page` made; nothing for any other."""
    return getattr(view, "least", {})


def _to_login(request: HttpRequest) -> HttpResponse:
    """Send a stranger to the login page. A part of a page can't go there: its page is told to."""
    wanted = request.get_full_path() if request.method in ("GET", "HEAD") else reverse("home")
    if answers.is_part(request):
        return answers.session_over(request)
    return HttpResponseRedirect(f"{reverse('login')}?{urlencode({'next': wanted})}")


def _private(response: HttpResponseBase) -> HttpResponseBase:
    """Keep what one person may see out of caches that others use; live parts are compared by their ETag."""
    patch_vary_headers(response, ("Cookie",))
    if response.has_header("ETag"):
        response["Cache-Control"] = "private, no-cache"
    else:
        add_never_cache_headers(response)
    return response
