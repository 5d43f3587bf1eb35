"""Admin pages of webhooks: subscriptions of the pool, and what was sent. Secrets go in and never come out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from devices.admin_base import CarefulAdmin, ChoicesByRow, HistoryAdmin, machine_columns
from mozpool_site.api.values import row_id
from mozpool_site.by_row import by_row
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.runner import Actor
from requests_app.webhooks import outbox, services
from requests_app.webhooks.events import EVENTS, check_patterns
from requests_app.webhooks.models import Attempt, Delivery, Webhook
from requests_app.webhooks.targets import check_secret, check_url

if TYPE_CHECKING:
    # Generic in the stubs only; the classes themselves cannot be subscripted.
    ModelForm = forms.ModelForm[Webhook]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelForm = forms.ModelForm
    TabularInline = admin.TabularInline

_SHOWN = machine_columns(Webhook)


class WebhookForm(ModelForm):
    """A webhook as people fill it in; the rules are those of the API."""

    secret = forms.CharField(
        required=False,
        max_length=100,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="whsec_ and what openssl rand -base64 32 prints. Never shown again; empty: it stays as it is.",
    )

    class Meta:
        model = Webhook
        fields = ("url", "secret", "events", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # An empty field is no change of it.
        self.initial["secret"] = ""
        if "events" in self.fields:
            self.fields[
                "events"
            ].help_text = f"A JSON list of patterns; * stands for anything. {', '.join(EVENTS)}"

    def clean_url(self) -> Any:
        """Check the URL as the API does."""
        return _checked(check_url, self.cleaned_data["url"])

    def clean_events(self) -> Any:
        """Check the patterns as the API does."""
        return _checked(check_patterns, self.cleaned_data["events"])

    def clean_secret(self) -> Any:
        """Check the secret as the API does; a new webhook must have one."""
        secret = self.cleaned_data["secret"]
        if not secret and self.instance.pk is None:
            raise ValidationError("A webhook of the pool needs a secret.")
        return _checked(check_secret, secret) if secret else self.instance.secret


@admin.register(Webhook)
class WebhookAdmin(CarefulAdmin):
    """Webhooks: those of the pool are edited here, those of single requests looked at."""

    form = WebhookForm
    list_display = (
        "id", "url", "request_id", "events", "active", "owner", "failures", "paused_until", "dead_since", "dead_reason",
    )  # fmt: skip
    list_filter = (
        "active",
        ("request", admin.EmptyFieldListFilter),
        ("dead_since", admin.EmptyFieldListFilter),
    )
    search_fields = ("url", "request__id__exact")
    readonly_fields = _SHOWN
    fields = ("url", "secret", "events", "active", *_SHOWN)
    actions = ("ping", "revive")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Leave a request's own webhook to whoever filed the request."""
        own = obj is not None and obj.request_id is not None
        return not own and super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Offer a field for the secret only to who may fill it in."""
        may = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return self.fields if may else tuple(name for name in self.fields or () if name != "secret")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store what was filled in."""
        if not change:
            obj.owner = request.user.get_username()[:100]
        super().save_model(request, obj, form, change)
        outbox.forget()

    @admin.action(description="Send a ping", permissions=["change"])
    def ping(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        """Send a trial to each."""
        by = Actor(request.user.get_username(), "user")
        for webhook in queryset:
            try:
                services.ping(webhook.pk, by=by)
            except (ConflictError, UnknownNameError) as error:
                self.message_user(request, error.detail, messages.ERROR)
            else:
                self.message_user(request, f"A ping to {webhook} is on its way; see its deliveries.")

    @admin.action(description="Start again what was given up", permissions=["change"])
    def revive(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        """Forget the failures of each."""
        revived = services.revive(queryset.values_list("pk", flat=True))
        self.message_user(request, f"{revived} started again. What they missed can be sent again by hand.")


class AttemptsOfDelivery(TabularInline):
    """The tries, on a delivery's page."""

    model = Attempt
    fields = readonly_fields = ("time", "status", "milliseconds", "answer", "error")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin):
    """What webhooks were told, newest first."""

    list_display = (
        "id",
        "webhook_id",
        "event",
        "subject",
        "status",
        "attempts",
        "created",
        "not_before",
        "finished",
    )
    list_filter = (("status", ChoicesByRow),)
    search_fields = ("message_id",)
    search_help_text = "A webhook's number, a subject such as request:12, or a message's id."
    # A deleted webhook's deliveries are still there to be looked at.
    exclude = ("webhook",)
    inlines = (AttemptsOfDelivery,)
    actions = ("send_again",)  # type: ignore[assignment]  # its base has none

    def conditions(self, term: str) -> Iterator[Any]:
        """Yield also the subject, whose index begins with the webhook, and the webhook: it may have very many."""
        yield from super().conditions(term)
        told = Webhook.objects.filter(Q(request=None) | Q(request=row_id(term.removeprefix("request:"))))
        yield Q(subject=term, webhook__in=list(told.values_list("pk", flat=True)))
        if (number := row_id(term)) is not None:
            yield self.are_newest() & by_row(Q(webhook=number))

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Whoever may change webhooks may."""
        return request.user.has_perm("requests_app.change_webhook")

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Send what was chosen once more, as it was."""
        sent = services.send_again(queryset.values_list("pk", flat=True))
        self.message_user(request, f"{sent} will be sent again, with the same message ids.")


@admin.register(Attempt)
class AttemptAdmin(HistoryAdmin):
    """Tries to deliver, newest first."""

    list_display = ("id", "delivery_id", "time", "status", "milliseconds", "answer", "error")
    search_fields = ("delivery",)


def _checked(check: Any, value: object) -> Any:
    """Check as the API does, and say it as a form does."""
    try:
        return check(value)
    except InvalidInputError as error:
        raise ValidationError(error.detail.partition(": ")[2] or error.detail) from None
