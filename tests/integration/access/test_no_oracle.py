"""No list tells a secret letter by letter, by what it shows for a guess: not the administration's, not the API's."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import autodiscover
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from devices.lab import LabPlan, seed
from devices.models import PowerController
from mozpool_site.access.audit import SECRET
from requests_app.webhooks.models import Webhook
from tests.integration.access.people import sending, somebody, token_of

pytestmark = pytest.mark.django_db

GUESSES = (
    "",
    "__startswith",
    "__regex",
    "__gt",
    "__icontains",
    "__password__startswith",
    "__exact",
    "__contains",
)


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(somebody("olga"))
    return client


def secrets_of(model: type[Model], depth: int = 2) -> Iterator[str]:
    """Name the secret columns of a model, and those that its relations lead to."""
    for field in model._meta.get_fields():
        if field.is_relation:
            if depth and isinstance(field.related_model, type):
                yield from (f"{field.name}__{name}" for name in secrets_of(field.related_model, depth - 1))
        elif field.name in SECRET:
            yield field.name


def test_an_operator_reads_no_password_of_a_power_controller_by_guessing_its_first_letters(
    operator: Client,
) -> None:
    seed(LabPlan(racks=1, devices=1, network=IPv4Network("127.64.0.0/16")))
    PowerController.objects.update(settings={"password": "hunter2"})
    for guess in ("h", "x"):
        answer = operator.get(
            reverse("admin:devices_powercontroller_changelist"), {"settings__password__startswith": guess}
        )
        assert answer.status_code == 400


def test_an_operator_reads_no_secret_of_a_webhook_by_guessing_its_first_letters(operator: Client) -> None:
    Webhook.objects.create(url="https://192.0.2.7/", secret="whsec_abc", events=["*"])
    answers = [
        operator.get(
            reverse("admin:requests_app_webhook_changelist"), {"secret__startswith": guess}
        ).status_code
        for guess in ("whsec_a", "whsec_b")
    ]
    assert answers == [400, 400]


def test_no_list_of_the_administration_is_narrowed_searched_or_sorted_by_a_secret_column(rf: Any) -> None:
    autodiscover()
    call = rf.get("/")
    call.user = somebody("root", None, is_superuser=True)
    for model, page in admin.site._registry.items():
        guesses = [f"{name}{guess}" for name in secrets_of(model) for guess in GUESSES]
        assert [one for one in guesses if page.lookup_allowed(one, "h", call)] == [], model
        named = [*page.get_search_fields(call), *(str(one).lstrip("-") for one in page.get_ordering(call))]
        assert not {name for name in named if name in secrets_of(model)}, model


def test_every_model_of_the_administration_has_a_page_that_takes_its_declared_filters_alone() -> None:
    autodiscover()
    assert {
        model._meta.label
        for model, page in admin.site._registry.items()
        if "AuditedAdmin" not in {base.__name__ for base in type(page).__mro__}
    } == set()


def lists_of_the_api() -> list[str]:
    found = []

    def walk(patterns: Any, prefix: str) -> None:
        for one in patterns:
            path = prefix + str(one.pattern)
            if isinstance(one, URLPattern):
                if path.startswith("api/v2/") and "<" not in path and path.endswith("/"):
                    found.append("/" + path)
            else:
                walk(one.url_patterns, path)

    walk(get_resolver().url_patterns, "")
    return sorted(set(found))


def test_no_list_of_the_api_is_narrowed_or_ordered_by_a_secret_column() -> None:
    caller = sending(token_of(somebody("olga")))
    columns = sorted(
        {field.name for model in apps.get_models() for field in model._meta.get_fields()} & SECRET
    )
    answers = {path: caller.get(path) for path in lists_of_the_api()}
    listed = {
        path: answer.content
        for path, answer in answers.items()
        if answer.status_code == 200 and not answer.streaming
    }
    assert len(listed) >= 8
    for path, whole in listed.items():
        for name in columns:
            for query in (
                {f"{name}__startswith": "h"},
                {name: "h"},
                {"ordering": name},
                {"ordering": f"-{name}"},
            ):
                answer = caller.get(path, query)
                assert answer.status_code == 400 or answer.content == whole, (path, query)
