"""Rows and queries agree about which controllers and racks are silent or suspect, at the very moments between."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from django.test import Client

from devices.models import PowerController, Rack
from devices.models.power_controller import SILENT, ControllerHealth, suspect
from devices.models.rack import SILENT_AFTER, pulse_is_silent, pulse_silent
from mozpool_site import clock
from pages import attention
from pages.attention.reading import attention as findings
from pages.home.glance import at_a_glance, forget
from tests.factories import make_controller, make_rack

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
MOMENTS = (None, NOON - MOMENT, NOON, NOON + MOMENT)


def test_controllers_are_judged_alike_by_their_columns_and_by_the_database() -> None:
    rack = make_rack("p1")
    PowerController.objects.bulk_create(
        PowerController(
            name=f"board-{number}", rack=rack, suspect_until=until, last_contact=contact, last_error_at=error
        )
        for number, (until, contact, error) in enumerate(product(MOMENTS, MOMENTS, MOMENTS))
    )
    told = {one.name: one.health(NOON) for one in PowerController.objects.all()}
    asked = {
        ControllerHealth.SUSPECT: PowerController.objects.filter(suspect(NOON)),
        ControllerHealth.SILENT: PowerController.objects.filter(SILENT).exclude(suspect(NOON)),
    }
    for health, rows in asked.items():
        assert {row.name for row in rows} == {name for name, one in told.items() if one is health}
    assert set(told.values()) == set(ControllerHealth)


@pytest.mark.parametrize(
    ("contact", "error", "expected"),
    [
        (None, None, ControllerHealth.UNASKED),
        (None, NOON, ControllerHealth.SILENT),
        (NOON - MOMENT, NOON, ControllerHealth.SILENT),
        (NOON, NOON, ControllerHealth.FAULTY),
        (NOON + MOMENT, NOON, ControllerHealth.WELL),
        (NOON, None, ControllerHealth.WELL),
    ],
)
def test_who_answered_with_an_error_was_heard(
    contact: datetime | None, error: datetime | None, expected: ControllerHealth
) -> None:
    one = make_controller(last_contact=contact, last_error_at=error, suspect_until=NOON)
    assert one.health(NOON) is expected
    assert one.health(NOON - MOMENT) is ControllerHealth.SUSPECT


def test_racks_are_judged_alike_by_their_column_and_by_the_database() -> None:
    for number, late in enumerate((None, -MOMENT, timedelta(0), MOMENT)):
        make_rack(f"p{number}", pulse_seen=None if late is None else NOON - SILENT_AFTER - late)
    told = {rack.name for rack in Rack.objects.all() if pulse_is_silent(rack.pulse_seen, NOON)}
    assert told == {rack.name for rack in Rack.objects.filter(pulse_silent(NOON))} == {"p3"}


def test_home_and_attention_name_the_same_controllers(client: Client) -> None:
    now = clock.now()
    make_controller(last_contact=now, last_error="relay 3 stays on", last_error_at=now)
    forget()
    attention.forget()
    assert (at_a_glance().hardware.silent, findings.get(now).groups) == (0, ())
    gone = make_controller(last_contact=now - MOMENT, last_error="no route", last_error_at=now)
    forget()
    attention.forget()
    assert at_a_glance().hardware.silent == 1
    assert [one.subject for group in findings.get(now).groups for one in group.findings] == [gone.name]
