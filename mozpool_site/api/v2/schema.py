"""What drf-spectacular can't see for itself: problems, credentials, and that every path is served twice."""

import re
from collections.abc import Iterable
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from mozpool_site.api.v2.problems import CONTENT_TYPE, KINDS

_METHODS = ("get", "post", "patch", "delete")
_FIRST_PROBLEM = 400
# Where an answer names one of a collection: what was made, and the first of a list.
_SOURCES = (("post", "201", "$response.body#/"), ("get", "200", "$response.body#/results/0/"))
_MAYBE_MANY = {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}}


def _condition(name: str, description: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "description": description, "schema": {"type": "string"}}


_ETAG_CHANGES = _condition("If-Match", "An ETag: 412 where the thing is no longer what you read.")
_CONDITIONS = {
    "get": _condition("If-None-Match", "The ETag that you have: 304 where nothing changed."),
    "patch": _ETAG_CHANGES,
    "delete": _ETAG_CHANGES,
}
COMPONENTS: dict[str, Any] = {
    "Fault": {
        "type": "object",
        "required": ["field", "detail"],
        "properties": {"field": {"type": ["string", "null"]}, "detail": {"type": "string"}},
    },
    "Problem": {
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "examples": ["/api/v2/problems/not_found"]},
            "title": {"type": "string", "examples": ["Not found"]},
            "status": {"type": "integer", "examples": [404]},
            "detail": {"type": "string", "examples": ["there is no device 'panda-9999'"]},
            "code": {"type": "string", "enum": sorted(KINDS)},
            "field": {"type": "string", "description": "The bad input, where there is one."},
            "errors": {**_MAYBE_MANY, "description": "Every fault of the input."},
        },
    },
}


class Schema(AutoSchema):
    """Describes our views; the tag of an operation is the first part of its path."""

    def get_tags(self) -> list[str]:
        """Give the one tag."""
        parts = self.path.removeprefix("/api/v2/").split("/")
        return [parts[0] or "api"]


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes how callers say who they are."""

    target_class = "mozpool_site.api.v2.auth.CallerAuthentication"
    name = ["token", "session"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """Give tokens and sessions; a trusted network needs nothing."""
        return [
            {"type": "http", "scheme": "bearer", "description": "A personal token: `Bearer mzp_...`."},
            {
                "type": "apiKey",
                "in": "cookie",
                "name": "sessionid",
                "description": "A login; what changes something needs `X-CSRFToken`, too.",
            },
        ]


def one_path_each(endpoints: Iterable[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Leave out the paths without the slash at the end, which do the same, and whatever is not of v2."""
    return [
        endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v2/") and endpoint[0].endswith("/")
    ]


def with_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add to each operation the problems that it may answer with."""
    result["components"].setdefault("schemas", {}).update(COMPONENTS)
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if method in _METHODS:
                for status in _statuses(path, method, operation):
                    operation["responses"].setdefault(str(status), _problem(status))
                _fill_in(operation["responses"])
                if condition := _CONDITIONS.get(method):
                    operation.setdefault("parameters", []).append(condition)
    return result


def with_links(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Tell how to go on from a list, or from what was just made, to whatever can be done with one of them."""
    paths = result["paths"]
    for path, operations in paths.items():
        below = re.fullmatch(r"(.+/)\{(\w+)\}/.*", path)
        collection = paths.get(below[1], {}) if below else {}
        for source, status, expression in _SOURCES:
            response = collection.get(source, {}).get("responses", {}).get(status)
            if below and response is not None:
                links = response.setdefault("links", {})
                for method in [method for method in _METHODS if method in operations]:
                    links[operations[method]["operationId"]] = {
                        "operationId": operations[method]["operationId"],
                        "parameters": {below[2]: f"{expression}{below[2]}"},
                    }
    return result


def _fill_in(responses: dict[str, Any]) -> None:
    """Say that what a view described in words alone is a problem, too."""
    for status, response in responses.items():
        if status.isdigit() and int(status) >= _FIRST_PROBLEM and "content" not in response:
            response["content"] = _problem(int(status))["content"]


def _statuses(path: str, method: str, operation: dict[str, Any]) -> list[int]:
    statuses = [400, 401, 403, 429, 503]
    if "{" in path:
        statuses.append(404)
    if "requestBody" in operation or method in ("post", "patch"):
        statuses += [409, 411, 413, 415]
    if method == "patch":
        statuses.append(412)
    if method == "delete":
        statuses += [409, 412]
    if method == "get":
        operation["responses"].setdefault("304", {"description": "If-None-Match names the present state."})
    return statuses


def _problem(status: int) -> dict[str, Any]:
    titles = " / ".join(kind.title for kind in KINDS.values() if kind.status == status)
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": titles, "content": {CONTENT_TYPE: {"schema": schema}}}
