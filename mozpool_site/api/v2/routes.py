"""The paths of a viewset, each with and without its slash at the end: a redirect would lose a POST's body."""

from typing import Any

from django.urls import URLPattern, path

from mozpool_site.api.endpoint import with_and_without_slash
from mozpool_site.api.v2.views import ApiView, ApiViewSet

_MANY = {"get": "list", "post": "create"}
_ONE = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}


def resource(prefix: str, viewset: type[ApiViewSet]) -> list[URLPattern]:
    """Give the paths of what a viewset has: its list, single ones by its `lookup_field`, and its extra actions."""
    one = f"{prefix}/<str:{getattr(viewset, 'lookup_field', 'name')}>"
    patterns: list[URLPattern] = []
    for route, methods, detail in ((prefix, _MANY, False), (one, _ONE, True)):
        there: Any = {method: action for method, action in methods.items() if hasattr(viewset, action)}
        if there:
            patterns += with_and_without_slash(route, viewset.as_view(there, detail=detail))
    extra: list[Any] = viewset.get_extra_actions()
    for action in extra:
        route = f"{one if action.detail else prefix}/{action.url_path}"
        options: dict[str, Any] = {**action.kwargs, "detail": action.detail}
        view = viewset.as_view(dict(action.mapping), **options)
        # Before the single ones: `devices/please` must not be looked for as a device.
        patterns[:0] = with_and_without_slash(route, view)
    return patterns


def single(route: str, view: type[ApiView]) -> list[URLPattern]:
    """Give the paths of a view that is no viewset."""
    if not route:
        return [path("", view.as_view())]
    return with_and_without_slash(route, view.as_view())
