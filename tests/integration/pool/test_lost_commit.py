"""A commit whose answer is lost is tried again, and files nothing twice."""

import pytest
from django.db import OperationalError, transaction

from requests_app.models import Request
from tests.factories import file_order, make_devices, make_image

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_request_whose_commit_was_not_confirmed_is_filed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    image = make_image()
    make_devices(3, state="ready")
    committed = transaction.Atomic.__exit__
    lost: list[int] = []

    def lose_the_answer(self: transaction.Atomic, *error: object) -> None:
        committed(self, *error)  # type: ignore[arg-type]
        if self.durable and not lost and Request.objects.exists():  # type: ignore[attr-defined]
            lost.append(1)
            raise OperationalError(2013, "Lost connection to server during query")

    monkeypatch.setattr(transaction.Atomic, "__exit__", lose_the_answer)
    request = file_order(image)
    assert lost == [1]
    assert list(Request.objects.values_list("pk", "state")) == [(request.pk, "pending")]
