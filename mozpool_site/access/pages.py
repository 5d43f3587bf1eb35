"""The login page, for people; programs log in at /api/v2/login/."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.debug import sensitive_variables

from mozpool_site.access.login import check_password
from mozpool_site.api.access import client_address
from mozpool_site.errors import TooManyError


class LogInForm(AuthenticationForm):
    """Name and password. `retry_after` is set, in seconds, when it was not even looked at them."""

    retry_after: int | None = None

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Check them, at the pace that the throttle allows."""
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if name is None or not password or self.request is None:
            return self.cleaned_data
        try:
            user = check_password(self.request, name, password, client_address(self.request))
        except TooManyError as error:
            self.retry_after = error.retry_after
            raise ValidationError(
                f"Too many failed logins. Please wait {error.retry_after} s, then try again.",
                code="throttled",
            ) from error
        if user is None:
            raise self.get_invalid_login_error()
        self.user_cache = user
        return self.cleaned_data


class LogIn(LoginView):
    """Starts a session."""

    template_name = "access/login.html"
    authentication_form = LogInForm

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Show the form again; whoever has to wait is told so as programs understand it, too."""
        response = super().form_invalid(form)
        retry_after = getattr(form, "retry_after", None)
        if retry_after is not None:
            response.status_code = 429
            response["Retry-After"] = str(retry_after)
        return response


urlpatterns = [
    path("login/", LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
