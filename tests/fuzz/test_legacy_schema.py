"""docs/legacy-openapi.yaml, written by hand, has every path and method that the legacy API serves, and no other."""

import re
from collections.abc import Iterator
from typing import Any

import django
import pytest
import yaml
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from tests.fuzz.runs import ROOT

SCHEMA: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "legacy-openapi.yaml").read_text(encoding="utf-8"))
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(autouse=True)
def set_up() -> None:
    django.setup()


def views(patterns: list[URLPattern | URLResolver], route: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, here)
        elif re.fullmatch(r"api/(?!v2/).+/", here):
            yield "/" + re.sub(r"<\w+:\w+>", "{}", here), pattern.callback


def test_the_schema_has_every_path_that_is_served() -> None:
    served = {route.removeprefix("/api") for route, _ in views(get_resolver().url_patterns)}
    described = {re.sub(r"\{\w+\}", "{}", path) for path in SCHEMA["paths"]}
    assert len(served) > 20
    assert described == served


def test_the_schema_has_the_methods_that_each_path_takes() -> None:
    for route, view in views(get_resolver().url_patterns):
        path = next(
            one for one in SCHEMA["paths"] if re.sub(r"\{\w+\}", "{}", one) == route.removeprefix("/api")
        )
        # A method that no path knows is answered, with those that it does, before anybody is asked who they are.
        answer = view(RequestFactory().generic("BREW", route))
        taken = {method.strip().lower() for method in answer["Allow"].split(",")} - {"head"}
        assert taken == SCHEMA["paths"][path].keys() & set(METHODS), path


def test_every_operation_has_a_name_of_its_own_and_says_what_can_go_wrong() -> None:
    operations = [
        operation
        for parts in SCHEMA["paths"].values()
        for method, operation in parts.items()
        if method in METHODS
    ]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 30
    for operation in operations:
        assert {"400", "401", "403"} < operation["responses"].keys(), operation["operationId"]
