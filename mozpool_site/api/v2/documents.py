"""The v2 API's own documents: its OpenAPI schema, and a page that shows it. Neither tells anything of the pool."""

from functools import cache

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from mozpool_site.api.access import Role
from mozpool_site.api.v2 import wire
from mozpool_site.api.v2.problems import PREFIX
from mozpool_site.api.v2.routes import single
from mozpool_site.api.v2.views import ApiView, etag_of

# Seconds that the schema may be kept: it changes with the installed version only.
_SCHEMA_AGE = 300


@extend_schema(exclude=True)
class SchemaView(ApiView):
    """The schema, as JSON; docs/openapi.yaml is the same."""

    least = {"get": Role.NOBODY}

    def get(self, request: Request) -> HttpResponse:
        """Give it."""
        body, etag = _schema()
        if request.headers.get("If-None-Match") == etag:
            response = HttpResponse(status=304)
        else:
            response = HttpResponse(body, content_type="application/vnd.oai.openapi+json;version=3.1")
        response["ETag"] = etag
        response["Cache-Control"] = f"public, max-age={_SCHEMA_AGE}"
        return response


@extend_schema(exclude=True)
class DocsView(ApiView):
    """The page. Its scripts are our own files: the content security policy lets nothing else run."""

    least = {"get": Role.NOBODY}

    def get(self, request: Request) -> HttpResponse:
        """Give it."""
        inner = request._request  # noqa: SLF001 - templates take Django's requests
        return HttpResponse(render_to_string("api/docs.html", {"schema": f"{PREFIX}schema/"}, inner))


@cache
def _schema() -> tuple[bytes, str]:
    """Describe the API, once in a process: it takes a second."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    body = wire.encode(generator.get_schema(request=None, public=True))  # type: ignore[no-untyped-call]
    return body, etag_of(body)


urlpatterns: list[URLPattern] = [*single("schema", SchemaView), *single("docs", DocsView)]
