"""The v2 API's webhooks of the pool. The one of a single request is named when the request is filed."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from mozpool_site.api.access import Role
from mozpool_site.api.v2 import keyset
from mozpool_site.api.v2.fields import AnySerializer, Flag, StrictSerializer, Text
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.views import Resource
from mozpool_site.api.values import row_id
from mozpool_site.errors import UnknownNameError
from mozpool_site.transactions import retrying
from requests_app.webhooks import services
from requests_app.webhooks.events import MOST_PATTERNS
from requests_app.webhooks.models import Attempt, Delivery, Status, Webhook
from requests_app.webhooks.targets import LONGEST_URL

_COLUMNS = (
    "url", "events", "active", "owner", "created", "failures", "paused_until", "dead_since", "dead_reason",
)  # fmt: skip
_DELIVERY = (
    "message_id", "event", "subject", "status", "attempts", "created", "not_before", "finished",
)  # fmt: skip
_ATTEMPT = ("time", "status", "milliseconds", "answer", "error")


class WebhookSerializer(StrictSerializer):
    """A webhook of the pool. `link` is its own address, `url` where it sends to."""

    id = serializers.IntegerField(read_only=True)
    link = serializers.URLField(read_only=True)
    url = Text(max_length=LONGEST_URL, help_text="On a host that MOZPOOL_WEBHOOK_HOSTS lists.")
    events = serializers.ListField(
        child=Text(max_length=64),
        min_length=1,
        max_length=MOST_PATTERNS,
        help_text="Patterns, such as request.* or device.failed.",
    )
    secret = Text(
        max_length=100,
        write_only=True,
        required=False,
        help_text="whsec_ and 24 to 64 bytes in base64; without one we make it.",
    )
    active = Flag(required=False, help_text="true also revives one that was given up.")
    owner = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    failures = serializers.IntegerField(read_only=True, help_text="Tries in a row that failed.")
    paused_until = serializers.DateTimeField(read_only=True, allow_null=True)
    dead_since = serializers.DateTimeField(read_only=True, allow_null=True, help_text="When it was given up.")
    dead_reason = serializers.CharField(read_only=True)


class NewWebhookSerializer(WebhookSerializer):
    """A webhook that was just added."""

    secret = Text(
        read_only=True,
        allow_null=True,
        help_text="The one that we made: shown this once; null where you gave one.",
    )


class AttemptSerializer(AnySerializer):
    """One try."""

    time = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="Null when no answer came.")
    milliseconds = serializers.IntegerField()
    answer = serializers.CharField(help_text="How its body began.")
    error = serializers.CharField()


class DeliverySerializer(AnySerializer):
    """One event for one webhook, and how each try went."""

    id = serializers.IntegerField()
    message_id = serializers.CharField(help_text="What the receiver sees as webhook-id, in every try.")
    event = serializers.CharField()
    subject = serializers.CharField(help_text="Such as request:12; of one subject the order is kept.")
    status = serializers.ChoiceField(choices=Status.choices)
    attempts = serializers.IntegerField()
    created = serializers.DateTimeField()
    next_try = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)
    log = AttemptSerializer(many=True)


class WebhookViewSet(Resource):
    """Webhooks of the pool, by number."""

    queryset = Webhook.objects.filter(request=None)
    serializer_class = WebhookSerializer
    columns = _COLUMNS
    orderings = ("id",)
    lookup_field = "id"
    word = "webhook"
    least = {
        "list": Role.ADMIN,
        "create": Role.ADMIN,
        "retrieve": Role.ADMIN,
        "partial_update": Role.ADMIN,
        "destroy": Role.ADMIN,
        "deliveries": Role.ADMIN,
        "ping": Role.ADMIN,
    }
    parameters = {"deliveries": keyset.PARAMETERS}

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write webhooks, without their secrets."""
        return [
            {"id": row["pk"], "link": link("webhooks", row["pk"]), **{name: row[name] for name in _COLUMNS}}
            for row in rows
        ]

    def one(self, key: str) -> QuerySet[Webhook]:
        """Select a webhook by its number."""
        number = row_id(key)
        return self.queryset.none() if number is None else self.queryset.filter(pk=number)

    @extend_schema(request=WebhookSerializer, responses={201: NewWebhookSerializer})
    def create(self, request: Request, **parts: str) -> HttpResponse:
        """Add one. A secret that we made is in this answer, and never in another."""
        given = self._read(request, partial=False)
        webhook = services.subscribe(**given, by=self.caller.actor)
        made = None if "secret" in given else webhook.secret
        entry = {**self.entry(str(webhook.pk)), "secret": made}
        return self.reply(entry, 201, {"Location": link("webhooks", webhook.pk)})

    def partial_update(self, request: Request, **parts: str) -> HttpResponse:
        """Change what the body names, and nothing else; with If-Match only if nobody else did meanwhile."""
        number = self._number(parts)
        changes = self._read(request, partial=True)

        @retrying
        def change() -> None:
            services.find(number, lock=True)
            self.demand_unchanged(self.entry(str(number)))
            services.change(number, changes, by=self.caller.actor)

        change()
        return self.reply(self.entry(str(number)))

    def destroy(self, request: Request, **parts: str) -> HttpResponse:
        """Delete one, with what it was still to be told; with If-Match only if nobody has changed it meanwhile."""
        number = self._number(parts)

        @retrying
        def remove() -> None:
            services.find(number, lock=True)
            self.demand_unchanged(self.entry(str(number)))
            services.remove(number, by=self.caller.actor)

        remove()
        response = HttpResponse(status=204)
        del response["Content-Type"]
        return response

    @extend_schema(
        operation_id="webhooks_deliveries_list",
        responses=inline_serializer(
            "DeliveryPage",
            {
                "next": serializers.URLField(allow_null=True),
                "previous": serializers.URLField(allow_null=True),
                "results": DeliverySerializer(many=True),
            },
        ),
    )
    @action(detail=True, methods=["get"])
    def deliveries(self, request: Request, **parts: str) -> HttpResponse:
        """Give what it was told in the last seven days, the newest first, with the log of each try."""
        number = self._number(parts)
        told = Delivery.objects.filter(webhook=services.find(number))
        inner = request._request  # noqa: SLF001 - the page needs no more than Django's request
        page = keyset.take(told, inner, ("-id",), _DELIVERY)
        return self.reply(
            {"next": page.following, "previous": page.preceding, "results": _deliveries(page.rows)}
        )

    @extend_schema(
        operation_id="webhooks_ping_create",
        request=None,
        responses={202: inline_serializer("Ping", {"delivery": DeliverySerializer()})},
    )
    @action(detail=True, methods=["post"])
    def ping(self, request: Request, **parts: str) -> HttpResponse:
        """Send it the event `ping`; what became of it is told by its deliveries."""
        sent = services.ping(self._number(parts), by=self.caller.actor)
        row = Delivery.objects.filter(pk=sent.pk).values("pk", *_DELIVERY)
        return self.reply({"delivery": _deliveries(list(row))[0]}, 202)

    def _read(self, request: Request, *, partial: bool) -> dict[str, Any]:
        serializer = WebhookSerializer(data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _number(self, parts: dict[str, str]) -> int:
        number = row_id(parts["id"])
        if number is None:
            raise UnknownNameError(f"there is no webhook {parts['id'][:63]!r}", field="id")
        return number


def _deliveries(rows: list[Row]) -> list[dict[str, Any]]:
    """Write deliveries as callers see them; one query for the log of all."""
    logs: dict[int, list[dict[str, Any]]] = {row["pk"]: [] for row in rows}
    tries = Attempt.objects.filter(delivery__in=logs).order_by("pk")
    for attempt in tries.values("delivery_id", *_ATTEMPT):
        logs[attempt.pop("delivery_id")].append(dict(attempt))
    return [
        {
            "id": row["pk"],
            **{
                name: row[name]
                for name in ("message_id", "event", "subject", "status", "attempts", "created")
            },
            "next_try": row["not_before"] if row["status"] == Status.WAITING else None,
            "finished": row["finished"],
            "log": logs[row["pk"]],
        }
        for row in rows
    ]


urlpatterns = resource("webhooks", WebhookViewSet)
