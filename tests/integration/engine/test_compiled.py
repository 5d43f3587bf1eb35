"""Statements whose text is kept do what Django's own do, on both databases."""

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Journal
from mozpool_site import compiled
from mozpool_site.compiled import CompiledQuery, Parameter
from tests.factories.hardware import make_device

pytestmark = pytest.mark.django_db

_MOMENT = datetime(2026, 12, 1, 0, 30, 0, 123456, tzinfo=UTC)


def test_a_query_gives_the_same_models_as_its_query_set_for_each_value() -> None:
    first, second = make_device(tags=["gpu"]), make_device()
    by_name = CompiledQuery(
        lambda: Device.objects.select_related("rack").filter(
            name=Parameter("name", Device._meta.get_field("name"))
        )
    )
    for wanted in (first, second):
        (found,) = by_name(name=wanted.name)
        stored = Device.objects.get(pk=wanted.pk)
        columns = [field.attname for field in Device._meta.concrete_fields]
        assert [getattr(found, name) for name in columns] == [getattr(stored, name) for name in columns]
        with CaptureQueriesContext(connection) as asked:
            assert found.rack == stored.rack
        assert len(asked) == 1  # the stored one's; the other came with its rack
    assert list(by_name(name="nobody")) == []


def test_a_query_gives_the_same_tuples_as_its_query_set() -> None:
    device = make_device(tags=["gpu"], idle_since=_MOMENT)
    by_pk = CompiledQuery(
        lambda: Device.objects.filter(pk=Parameter("pk", Device._meta.pk)).values_list(
            "pk", "tags", "idle_since"
        )
    )
    assert list(by_pk(pk=device.pk)) == [(device.pk, ["gpu"], _MOMENT)]
    assert list(by_pk(pk=0)) == []


@pytest.mark.django_db(transaction=True)
def test_a_row_is_locked_in_a_transaction_only() -> None:
    device = make_device()
    locking = CompiledQuery(
        lambda: Device.objects.select_for_update().filter(pk=Parameter("pk", Device._meta.pk))
    )
    with transaction.atomic():
        assert list(locking(pk=device.pk)) == [device]
    with pytest.raises(TransactionManagementError, match="in a transaction only"):
        locking(pk=device.pk)


def test_rows_are_stored_as_save_stores_them() -> None:
    line = Journal(time=_MOMENT, message="100 % of it; ünïcode", source="machine", event="e")
    compiled.insert(line)
    assert not line._state.adding
    stored = Journal.objects.get(pk=line.pk)
    assert (stored.time, stored.message, stored.device_id) == (_MOMENT, "100 % of it; ünïcode", None)


def test_an_update_tells_how_many_rows_it_found_though_nothing_in_them_changed() -> None:
    device = make_device(state="ready")
    assert compiled.update(Device, {"state": "ready"}, id=device.pk, state_seq=device.state_seq) == 1
    assert compiled.update(Device, {"state": "ready"}, id=device.pk, state_seq=device.state_seq + 1) == 0
    assert compiled.update(Device, {"counters": {"tries": 3}, "held_by": None}, id=device.pk) == 1
    device.refresh_from_db()
    assert (device.counters, device.held_by) == ({"tries": 3}, None)
