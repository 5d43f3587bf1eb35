"""Logging in by name and password: one door for the page, the admin and the API, with its throttle and its trail."""

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from mozpool_site.access import audit, throttle
from mozpool_site.access.throttle import Address
from mozpool_site.statemachine.runner import Actor


@sensitive_variables("password")
def check_password(request: HttpRequest, name: str, password: str, address: Address | None) -> User | None:
    """Give the user whose name and password these are; None when they are nobody's.

    Raises TooManyError while failures from the address or at the name ask for a pause; then nothing is checked.
    """
    # MySQL finds a user also by a name with other accents; failures and the trail are those of the user who is found.
    name = User.objects.filter(username=name).values_list("username", flat=True).first() or name
    throttle.login_attempt(name, address)
    user = authenticate(request, username=name, password=password)
    by = Actor(name if user else "", "api", str(address or ""))
    with transaction.atomic():
        audit.record("login" if user else "failed_login", "user", name, by=by)
    if user is None:
        return None
    throttle.login_succeeded(name, address)
    if not isinstance(user, User):
        raise TypeError(f"users are django.contrib.auth's, got {type(user).__name__}")
    return user
