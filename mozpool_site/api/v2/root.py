"""The front door of the v2 API: what there is, what each kind of problem means, and what else is not there."""

from django.conf import settings
from django.http import HttpResponse
from django.urls import URLPattern, re_path
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from mozpool_site.api.access import Role
from mozpool_site.api.v2 import problems
from mozpool_site.api.v2.routes import single
from mozpool_site.api.v2.views import ApiView
from mozpool_site.errors import UnknownNameError

VERSION = "2.0"
_LINKS = (
    "requests", "devices", "images", "boot-configs", "hardware-types", "racks", "power-controllers", "environments",
    "operations", "journal", "webhooks", "events", "tokens", "login", "whoami",
)  # fmt: skip


class Root(ApiView):
    """What there is."""

    least = {"get": Role.NOBODY}

    @extend_schema(
        operation_id="root",
        auth=[],
        responses=inline_serializer(
            "Root",
            {
                "version": serializers.CharField(),
                "links": serializers.DictField(child=serializers.URLField()),
                "documentation": serializers.URLField(),
            },
        ),
    )
    def get(self, request: Request) -> HttpResponse:
        """Name the version, the collections, and where all is described."""
        base = f"{settings.MOZPOOL_BASE_URL}{problems.PREFIX}"
        return self.reply(
            {
                "version": VERSION,
                "links": {name.replace("-", "_"): f"{base}{name}/" for name in _LINKS},
                "documentation": f"{base}docs/",
            }
        )


class ProblemType(ApiView):
    """What a kind of problem means."""

    least = {"get": Role.NOBODY}

    @extend_schema(
        operation_id="problems_retrieve",
        auth=[],
        responses=inline_serializer(
            "ProblemType",
            {
                "code": serializers.CharField(),
                "status": serializers.IntegerField(),
                "title": serializers.CharField(),
                "advice": serializers.CharField(),
            },
        ),
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        """Say what a problem's code means and what to do."""
        kind = problems.KINDS.get(code)
        if kind is None:
            raise UnknownNameError(f"there is no problem {code[:60]!r}", field="code")
        return self.reply({"code": code, "status": kind.status, "title": kind.title, "advice": kind.advice})


urlpatterns: list[URLPattern] = [
    *single("", Root),
    *single("problems/<str:code>", ProblemType),
]
# Comes last: whatever else is asked for below /api/v2.
nowhere = re_path(r"", problems.no_such_path)
