"""All pages that there are, by the URL resolver: one that is added is looked at, or its test asks what it is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from pages.access import roles_of

# Below these there are no pages of ours, but calls of programs, and Swagger UI.
_FOR_PROGRAMS = ("api/", "boot/", "healthz")
# Django leads from these to pages that have names, or says that there is none.
_NAMELESS = re.compile(r"\(\?:api\|boot\).*|admin/({url}|.*/{object_id}/)")
# Parts of pages, which the pages fetch themselves, and files.
PARTS = frozenset(
    {
        "attention_part", "bulk_part", "device_now", "device_older", "home_live", "live_devices", "device_log_lines",
        "request_log_lines", "requests_table", "request_new_keys", "request_new_outlook", "request_new_devices",
        "request_now",
    }
)  # fmt: skip
# What the admin has besides pages: data, a file, a form's target, and what only leads to pages.
_NO_PAGES = frozenset(
    {
        "devices_powercontroller_test",
        "autocomplete",
        "jsi18n",
        "view_on_site",
        "logout",
        "devices_device_export",
    }
)
# Django's pages of a row's past and of its deletion are the same for all models: those of two stand for all.
_ALIKE = re.compile(r"(?!devices_device_|devices_rack_)[a-z]+_[a-z]+_(history|delete)")
_ARGUMENT = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")


@dataclass(frozen=True)
class Route:
    """An address with places for arguments, `devices/{name}/`, and the name of its view."""

    name: str
    template: str

    def path(self, world: Mapping[str, Any]) -> str:
        """Fill in what there is of that in the pool. Raises KeyError for an argument that nobody has thought of."""
        return f"/{self.template.format_map(_arguments(self, world))}{_QUERIES.get(self.name, '')}"

    @property
    def is_plain(self) -> bool:
        """Whether it is one of Django's own kinds of pages, with our colours; those of devices are more than that."""
        return self.template.startswith("admin/") and bool(_PLAIN.fullmatch(self.name))


_PLAIN = re.compile(r"(?!devices_device_).*_(changelist|change|add|history|delete)")
_QUERIES = {
    "bulk_confirm": "?device=panda-0001&device=panda-0002&verb=force_state",
    "devices_bootconfig_preview": "?preview_of=1&preview_device=panda-0001",
    "devices_device_act": "?device=panda-0001&device=panda-0002",
}
_OF_MODEL = re.compile(
    r"(?P<app>access|auth|bmm|devices|lifeguard|pulse|requests_app)_(?P<model>[a-z]+)_[a-z_]+"
)


def _arguments(route: Route, world: Mapping[str, Any]) -> dict[str, Any]:
    model = _OF_MODEL.fullmatch(route.name)
    key = world["first"].get(f"{model['app']}.{model['model']}") if model else None
    number = world["batch"] if route.name.startswith("bulk") else world["request"]
    return {
        "name": "p1" if route.name.startswith("rack") else "panda-0004",
        "number": number,
        "controller": "relay-1-1",
        "object_id": key,
        "id": key,
        "verb": "please_image",
        "app_label": "devices",
    }


def routes() -> list[Route]:
    """Give everything that a browser may be led to by a link; what is for programs and forms alone is left out."""
    return [
        Route(name, path)
        for name, path in _walk(get_resolver().url_patterns, "")
        if _is_looked_at(name, path)
    ]


def _is_looked_at(name: str, path: str) -> bool:
    if path.startswith(_FOR_PROGRAMS) or name in _NO_PAGES or _ALIKE.fullmatch(name):
        return False
    assert name or _NAMELESS.match(path), f"{path}: a page needs a name"
    return bool(name)


def _walk(patterns: list[Any], before: str) -> Iterator[tuple[str, str]]:
    for one in patterns:
        pattern = str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _walk(one.url_patterns, before + pattern)
            continue
        assert isinstance(one, URLPattern)
        roles = roles_of(one.callback)
        if not roles or "GET" in roles:
            yield one.name or "", before + _template(pattern)


def _template(pattern: str) -> str:
    """Turn a route into something that `format` fills; the admin has one that is a regular expression."""
    pattern = re.sub(r"\(\?P<([a-z_]+)>[^)]*\)", r"<\1>", pattern).removeprefix("^").removesuffix("$")
    return _ARGUMENT.sub(r"{\1}", pattern)
