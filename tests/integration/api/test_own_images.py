"""Lifeguard's own images are no images to request."""

import pytest
from django.test import Client

from devices.models import Image
from requests_app.models import Request
from tests.integration.api import pool

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["self-test", "maintenance"])
def test_an_image_of_lifeguards_own_is_refused(operator: Client, name: str) -> None:
    Image.objects.get_or_create(name=name)
    before = Request.objects.count()
    answer = pool.post(
        operator, "/api/device/any/request/", {"assignee": "me", "duration": 60, "image": name}
    )
    assert (answer.status_code, answer.json()["field"]) == (400, "image")
    assert Request.objects.count() == before


def test_every_answer_tells_browsers_to_run_nothing_foreign(client: Client) -> None:
    assert client.get("/", headers={"host": "localhost"})["Content-Security-Policy"].startswith(
        "default-src 'self';"
    )
