"""Admin pages of users and their limits, groups, tokens, and failed logins."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from mozpool_site.access import audit, tokens
from mozpool_site.access.admin_audit import AuditedAdmin, actor_of
from mozpool_site.access.models import Failures, Limits, RoleCap, Token
from mozpool_site.access.roles import Role
from mozpool_site.api.access import LEGACY
from mozpool_site.errors import MozpoolError

if TYPE_CHECKING:
    StackedInline = admin.StackedInline[Any, Any]
    DjangoUserAdmin = UserAdmin[User]
    TokenModelForm = forms.ModelForm[Token]
else:
    StackedInline = admin.StackedInline
    DjangoUserAdmin = UserAdmin
    TokenModelForm = forms.ModelForm

_DAY = 24 * 3600


class LimitsOfUser(StackedInline):
    """What a user may have more or less of, on the user's page."""

    model = Limits


class PeopleAdmin(AuditedAdmin, DjangoUserAdmin):
    """Users. What they may do follows from their groups alone, so nothing else is offered."""

    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    filter_horizontal = ("groups",)
    inlines = (LimitsOfUser,)
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Who", {"fields": ("first_name", "last_name", "email")}),
        (
            "Role",
            {
                "fields": ("is_active", "groups", "is_superuser"),
                "description": "The highest of viewer, requester, operator and admin counts; a superuser is admin.",
            },
        ),
        ("When", {"fields": ("last_login", "date_joined")}),
    )

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]  # as UserAdmin's
        """Refuse the names that old clients have."""
        form = super().get_form(request, obj, **kwargs)
        if "username" in form.base_fields:
            form.base_fields["username"].validators.append(_no_legacy_name)
        return form

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Offer limits once the user is there: the page that adds one asks for name and password only."""
        return self.inlines if obj else ()

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002 - Django's
        """Set somebody's password and the trail's entry together."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Tell the trail of a password that was set, which no form of rows saves."""
        if request.resolver_match and request.resolver_match.url_name == "auth_user_password_change":
            audit.record("set_password", "user", str(obj), by=actor_of(request))
        return super().log_change(request, obj, message)


class RolesAdmin(AuditedAdmin, GroupAdmin):
    """Groups: four of them are the roles, others are for your own order. Permissions are not theirs to give."""

    fields = ("name",)
    filter_horizontal = ()


class TokenForm(TokenModelForm):
    """What a new token is for, and how long."""

    role = forms.TypedChoiceField(
        choices=RoleCap.choices, coerce=int, help_text=Token._meta.get_field("role").help_text
    )
    days = forms.IntegerField(
        min_value=1, initial=tokens.DEFAULT_DAYS, help_text="After so many days it ends."
    )

    class Meta:
        model = Token
        fields = ("user", "name", "role")

    def clean(self) -> dict[str, Any]:
        """Refuse what the service would refuse, beside the field."""
        cleaned = super().clean() or self.cleaned_data
        if {"user", "name", "role", "days"} <= cleaned.keys():
            try:
                tokens.check(cleaned["user"], cleaned["name"], Role(cleaned["role"]), cleaned["days"] * _DAY)
            except MozpoolError as error:
                field = {"expires_in": "days"}.get(error.field or "", error.field)
                self.add_error(field if field in self.fields else None, error.detail)
        return cleaned


@admin.register(Token)
class TokenAdmin(AuditedAdmin):
    """Tokens: made here for anybody, shown once, revoked by deleting them; never changed."""

    form = TokenForm
    list_display = ("begins", "user", "name", "role", "created", "last_used", "expires")
    list_select_related = ("user",)
    list_filter = ("role", "expires")
    search_fields = ("user__username", "name", "begins")
    autocomplete_fields = ("user",)
    fields = ("user", "name", "role", "days")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show what is stored of one that is there."""
        return ("user", "name", "role", "begins", "created", "last_used", "expires") if obj else self.fields

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may: revoke it and make another."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make it; the page that follows is the only one that shows it."""
        made, text = tokens.create(
            obj.user,
            obj.name,
            by=actor_of(request),
            role=Role(obj.role),
            seconds=form.cleaned_data["days"] * _DAY,
        )
        for column in Token._meta.concrete_fields:
            setattr(obj, column.attname, getattr(made, column.attname))
        request.made_token = text  # type: ignore[attr-defined]  # for response_add, in the same call

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save nothing more; the service has told the audit trail."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """Show the token, this once."""
        text = request.made_token  # type: ignore[attr-defined]
        context = {**self.admin_site.each_context(request), "title": "Token made", "token": text, "row": obj}
        return TemplateResponse(request, "access/token_made.html", {**context, "opts": self.opts})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Say what came up between the form's check and its saving, instead of failing."""
        try:
            return super().add_view(request, form_url, extra_context)
        except MozpoolError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Leave the audit trail to the service; Django's own log gets its lines."""
        return super(AuditedAdmin, self).log_deletions(request, queryset)

    def delete_model(self, request: HttpRequest, obj: Token) -> None:
        """Revoke it."""
        tokens.revoke(obj.pk, by=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """Revoke them."""
        for pk in queryset.values_list("pk", flat=True):
            tokens.revoke(pk, by=actor_of(request))


@admin.register(Failures)
class FailuresAdmin(AuditedAdmin):
    """Who has failed to log in lately. Deleting a row lets them try again at once."""

    list_display = ("key", "count", "last", "until")
    search_fields = ("key",)
    ordering = ("-last",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False


def _no_legacy_name(name: str) -> None:
    if name.startswith(LEGACY):
        raise ValidationError(f"A name that begins with {LEGACY} would pass for an old client.")


admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.register(User, PeopleAdmin)
admin.site.register(Group, RolesAdmin)
