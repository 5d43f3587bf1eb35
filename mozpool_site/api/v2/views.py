"""The base of every view of the v2 API: closed unless declared, JSON only, problems for errors, ETags on what is read.

A view whose author forgot to say who may use it can't be made: its class is a TypeError at import.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ViewSetMixin

from mozpool_site.api import bodies
from mozpool_site.api.access import Caller, Role, listed_origin
from mozpool_site.api.endpoint import is_preflight, preflight
from mozpool_site.api.v2 import handler, keyset, wire
from mozpool_site.api.v2.auth import CallerAuthentication, LeastRole
from mozpool_site.api.v2.filters import Backend
from mozpool_site.api.v2.schema import Schema
from mozpool_site.errors import InvalidInputError, MozpoolError, UnknownNameError

# What scripts may send, and what they may read of an answer, besides what browsers always let them.
_SENT_BY_SCRIPTS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID"
_READ_BY_SCRIPTS = "ETag, Idempotent-Replayed, Location, Retry-After"
_METHODS = ("get", "post", "patch", "delete")
_ACTIONS = ("list", "create", "retrieve", "partial_update", "destroy")


class PreconditionFailedError(MozpoolError):
    """The thing changed since the caller read it: read it again."""

    code = "precondition_failed"
    http_status = 412


class ApiView(APIView):
    """A view by methods. `least` says who may: {"get": Role.VIEWER}; `parameters` which queries it knows."""

    least: ClassVar[Mapping[str, Role]] = {}
    # Names of query parameters by action, besides those of a list's filters and pages.
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {}
    authentication_classes = (CallerAuthentication,)
    permission_classes = (LeastRole,)
    renderer_classes = (wire.JSONRenderer,)
    parser_classes = (wire.JSONParser,)
    content_negotiation_class = wire.AlwaysJSON
    throttle_classes = ()
    metadata_class = None
    http_method_names = ["get", "head", "post", "patch", "delete"]
    schema = Schema()

    def __init_subclass__(cls, *, abstract: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        if abstract:
            return
        undeclared = [action for action in _actions_of(cls) if action not in cls.least]
        if undeclared:
            raise TypeError(f"{cls.__name__} does not say in `least` who may {', '.join(undeclared)}")

    @property
    def caller(self) -> Caller:
        """Who calls."""
        caller: Any = self.request.auth  # the stubs know DRF's own tokens only
        return caller  # type: ignore[no-any-return]

    @property
    def declared_action(self) -> str | None:
        """The name under which `least` knows what is called; None for a method that the path does not have."""
        method = (self.request.method or "").lower().replace("head", "get")
        return method if method in _METHODS and hasattr(self, method) else None

    def known_parameters(self) -> frozenset[str]:
        """Name the query parameters that the action knows."""
        return self.parameters.get(self.declared_action or "", frozenset())

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the caller, then the query parameters, then that the body can be read."""
        super().initial(request, *args, **kwargs)
        if self.declared_action is None:
            return
        unknown = sorted(request.query_params.keys() - self.known_parameters())
        if unknown:
            known = ", ".join(sorted(self.known_parameters())) or "none"
            raise InvalidInputError(
                f"unknown query parameter {unknown[0][:60]!r}; there are: {known}", field=unknown[0][:60]
            )
        if "HTTP_TRANSFER_ENCODING" in request.META:
            bodies.read(request._request)  # noqa: SLF001 - DRF takes a body without a length for none at all

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Serve a call, and a browser's question whether a script of a listed origin may make it."""
        if request.method == "OPTIONS" and is_preflight(request):
            return _addressed(request, preflight(self.allowed_methods, _SENT_BY_SCRIPTS))
        return super().dispatch(request, *args, **kwargs)

    def get_exception_handler(self) -> Callable[..., HttpResponse | None]:
        """Give the one that writes problems."""
        return handler.handle

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Let nobody keep what was meant for one caller, and let listed origins' scripts read it."""
        response = super().finalize_response(request, response, *args, **kwargs)
        return _addressed(getattr(request, "_request", request), response)

    def reply(
        self, data: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> HttpResponse:
        """Answer with JSON; what is read gets an ETag, and 304 when the caller has it already."""
        body = wire.encode(data)
        if self.request.method not in ("GET", "HEAD"):
            return HttpResponse(body, status=status, content_type=wire.CONTENT_TYPE, headers=headers)
        etag = etag_of(body)
        known = parse_etags(self.request.headers.get("If-None-Match", ""))
        fresh = "*" in known or etag in (one.removeprefix("W/") for one in known)
        response = (
            HttpResponse(status=304)
            if fresh
            else HttpResponse(body, status=status, content_type=wire.CONTENT_TYPE)
        )
        if fresh:
            del response["Content-Type"]
        response["ETag"] = etag
        # To be kept, but asked about each time.
        response["Cache-Control"] = "private, no-cache"
        return response

    def demand_unchanged(self, data: object) -> None:
        """Raise PreconditionFailedError when If-Match names another state of the thing than `data`."""
        wanted = parse_etags(self.request.headers.get("If-Match", ""))
        if wanted and "*" not in wanted and etag_of(wire.encode(data)) not in wanted:
            raise PreconditionFailedError("it has changed since you read it: read it again, then change it")


class ApiViewSet(ViewSetMixin, ApiView, abstract=True):
    """A view by actions: `least = {"list": Role.VIEWER, "power_cycle": Role.OPERATOR}`; routes.py makes its paths."""

    @property
    def declared_action(self) -> str | None:
        """The action; None for a method that the path does not have."""
        return self.action if self.action != "metadata" else None


class Collection(ApiViewSet, GenericViewSet[Any], ABC, abstract=True):
    """Rows of a table, a list by pages, read as plain values.

    `columns` are what a row is read with; `entries` makes of rows what callers see, all at once, so that no
    row costs a query. `orderings` are columns with an index that are never null; the first is the default.
    """

    columns: ClassVar[Sequence[str]] = ()
    orderings: ClassVar[Sequence[str]] = ("name",)
    filter_backends = (Backend,)
    pagination_class = keyset.KeysetPagination
    filterset_class: Any = None

    @abstractmethod
    def entries(self, rows: list[keyset.Row]) -> list[dict[str, Any]]:
        """Write rows as callers see them."""

    def known_parameters(self) -> frozenset[str]:
        """Name those of the list's filters and pages, or those declared."""
        if self.declared_action != "list":
            return super().known_parameters()
        filters = self.filterset_class.base_filters if self.filterset_class else {}
        return keyset.PARAMETERS | frozenset(filters) | super().known_parameters()

    def page(self, queryset: QuerySet[Any]) -> keyset.Page:
        """Read the page of `queryset` that is asked for."""
        inner = self.request._request  # noqa: SLF001 - the page needs no more than Django's request
        return keyset.take(queryset, inner, self.orderings, self.columns)

    def list(self, request: Request, **parts: str) -> HttpResponse:
        """Give a page of them."""
        page = self.page(self.filter_queryset(self.get_queryset()))
        return self.reply(
            {"next": page.following, "previous": page.preceding, "results": self.entries(page.rows)}
        )


class Resource(Collection, abstract=True):
    """Rows of a table that can also be read one by one, by name or number."""

    # What one of these is called in messages.
    word: ClassVar[str] = "row"
    lookup_field = "name"

    def retrieve(self, request: Request, **parts: str) -> HttpResponse:
        """Give one."""
        return self.reply(self.entry(parts[self.lookup_field]))

    def entry(self, key: str) -> dict[str, Any]:
        """Give one as callers see it, by its name or number. Raises UnknownNameError."""
        rows = list(self.one(key).values("pk", *self.columns)[:1])
        if not rows:
            raise UnknownNameError(f"there is no {self.word} {key[:63]!r}", field=self.lookup_field)
        return self.entries(rows)[0]

    @abstractmethod
    def one(self, key: str) -> QuerySet[Any]:
        """Select the row of a name or number from a path; nothing for what can't be one."""


def _addressed(request: HttpRequest, response: Any) -> Any:
    """Say for whom an answer is, and that scripts of a listed origin may read it."""
    response.setdefault("Cache-Control", "no-store")
    patch_vary_headers(response, ("Authorization", "Cookie", "Origin"))
    if origin := listed_origin(request):
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = _READ_BY_SCRIPTS
    return response


def etag_of(body: bytes) -> str:
    """Give the strong ETag of an answer's bytes."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def _actions_of(view: type[ApiView]) -> list[str]:
    if not issubclass(view, ViewSetMixin):
        return [method for method in _METHODS if hasattr(view, method)]
    extra = [action.__name__ for action in view.get_extra_actions()]
    return [action for action in _ACTIONS if hasattr(view, action)] + extra
