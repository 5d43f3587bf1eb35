"""How the tests use an admin page: load it, change some of its fields, send it."""

from typing import Any

from django.http import HttpResponse
from django.test import Client


def load(client: Client, path: str) -> dict[str, Any]:
    """Give what a browser would send if nothing were changed on the page."""
    response = client.get(path)
    assert response.status_code == 200, response.content
    form = response.context["adminform"].form
    forms = [form, *(f for fs in response.context["inline_admin_formsets"] for f in fs.formset.forms)]
    forms += [fs.formset.management_form for fs in response.context["inline_admin_formsets"]]
    sent = {}
    for one in forms:
        for field in one:
            value = field.value()
            if field.field.show_hidden_initial:
                sent[field.html_initial_name] = value or ""
            if value is None or value is False:
                continue
            sent[field.html_name] = "on" if value is True else value
    return sent


def send(client: Client, path: str, sent: dict[str, Any]) -> HttpResponse:
    """Send a page."""
    return client.post(path, sent)  # type: ignore[return-value]


def errors(response: Any) -> dict[str, list[str]]:
    """Give the errors that a page shows beside its fields."""
    assert response.status_code == 200, f"saved: {response.status_code}"
    return dict(response.context["adminform"].form.errors)
