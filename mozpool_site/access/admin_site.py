"""The administration's front door: for operators and admins, by the same login page as everything else."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

_FOUND = 302


class MozpoolAdminSite(admin.AdminSite):
    """Lets in whose role is operator or admin. The staff flag counts for nothing: roles decide, in one place."""

    site_header = site_title = "Mozpool"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the caller may enter."""
        from mozpool_site.access.backend import known_role  # noqa: PLC0415 - this loads before the models do
        from mozpool_site.access.roles import Role  # noqa: PLC0415 - the same

        user = request.user
        return isinstance(user, User) and user.is_active and known_role(user) >= Role.OPERATOR

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send people to the login page, and on from there to where they wanted to go."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        return HttpResponseRedirect(f"{reverse('login')}?{urlencode({REDIRECT_FIELD_NAME: wanted})}")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Let people change their own password, and keep a trail of that they did."""
        from mozpool_site.access import audit  # noqa: PLC0415 - this loads before the models do
        from mozpool_site.access.admin_audit import actor_of  # noqa: PLC0415 - the same

        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and response.status_code == _FOUND:
                by = actor_of(request)
                audit.record("change_password", "user", by.name, by=by)
        return response
