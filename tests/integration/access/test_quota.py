"""Nobody takes the whole pool: open requests are counted by owner."""

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from mozpool_site.access.models import Limits
from mozpool_site.errors import TooManyError
from requests_app import quota
from requests_app.models import Request
from requests_app.services import return_request
from tests.factories import file_order, make_image
from tests.factories.requests import CLIENT
from tests.integration.access.people import somebody

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_one_more_than_the_quota_is_refused_and_leaves_nothing(settings: Settings) -> None:
    settings.MOZPOOL_MAX_OPEN_REQUESTS = 2
    image = make_image()
    first = file_order(image)
    file_order(image)
    with pytest.raises(
        TooManyError, match="tester has 2 open requests, and may have 2: return some"
    ) as caught:
        file_order(image)
    assert caught.value.retry_after == 60
    assert Request.objects.count() == 2
    return_request(first.pk, by=CLIENT)
    file_order(image)


def test_a_user_may_have_a_limit_of_their_own_and_zero_is_none(settings: Settings) -> None:
    settings.MOZPOOL_MAX_OPEN_REQUESTS = 2
    image = make_image()
    own = Limits.objects.create(user=somebody("tester", None), max_open_requests=3)
    for _ in range(3):
        file_order(image)
    with pytest.raises(TooManyError, match="tester has 3 open requests, and may have 3"):
        file_order(image)
    Limits.objects.filter(pk=own.pk).update(max_open_requests=0)
    file_order(image)
    Limits.objects.filter(pk=own.pk).update(max_open_requests=None)
    with pytest.raises(TooManyError, match="may have 2"):
        file_order(image)
    settings.MOZPOOL_MAX_OPEN_REQUESTS = 0
    file_order(image)


def test_the_requests_of_others_count_for_nothing(settings: Settings) -> None:
    settings.MOZPOOL_MAX_OPEN_REQUESTS = 1
    Request.objects.filter(pk=file_order(make_image()).pk).update(owner="somebody else")
    file_order(Request.objects.get().image)


def test_it_costs_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        quota.check("tester")
