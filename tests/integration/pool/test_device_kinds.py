"""The kinds of devices: each device has the one that follows from it, and those that no device has any more go."""

import pytest

from devices.models import Device, DeviceKind
from devices.models.device_kind import prune_kinds
from mozpool_site import clock
from requests_app.invariant_queries import of_another_kind
from requests_app.pulse import Retention
from tests.factories import make_device
from tests.integration.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
_TIMES = 40


def kinds() -> set[tuple[str, tuple[str, ...]]]:
    return {(kind.environment, tuple(kind.tags)) for kind in DeviceKind.objects.all()}


def test_a_kind_goes_with_its_last_device_when_the_pulse_forgets_what_is_old() -> None:
    moved, stays = make_device(environment="old"), make_device(environment="old", tags=["hdmi"])
    moved.environment = "new"
    moved.save()
    assert kinds() == {("old", ()), ("new", ()), ("old", ("hdmi",))}
    Retention().look(clock.now())
    assert kinds() == {("new", ()), ("old", ("hdmi",))}
    stays.delete()
    assert (prune_kinds(), prune_kinds()) == (1, 0)
    assert kinds() == {("new", ())}


def test_what_two_change_of_one_device_gives_the_kind_of_both() -> None:
    device = make_device(environment="production")
    one, other = Device.objects.get(pk=device.pk), Device.objects.get(pk=device.pk)
    one.environment = "staging"
    one.save(update_fields=["environment"])
    other.tags = ["usb", "hdmi"]
    other.save(update_fields=["tags"])
    stored = Device.objects.select_related("kind").get(pk=device.pk)
    assert (stored.environment, stored.tags) == ("staging", ["hdmi", "usb"])
    assert (stored.kind.environment, stored.kind.tags) == ("staging", ["hdmi", "usb"])
    assert (other.environment, one.tags) == ("staging", [])


def test_a_kind_that_is_pruned_while_a_device_of_it_is_stored_is_made_anew() -> None:
    device = make_device(environment="first")

    def play(index: int) -> int:
        if index == 0:
            return sum(prune_kinds() for _ in range(_TIMES))
        for number in range(_TIMES):
            mine = Device.objects.get(pk=device.pk)
            mine.environment = f"env-{number % 2}"
            mine.save(update_fields=["environment"])
        return 0

    in_threads(2, play)
    assert not of_another_kind(clock.now()).exists()
    prune_kinds()
    assert kinds() == {(f"env-{(_TIMES - 1) % 2}", ())}
