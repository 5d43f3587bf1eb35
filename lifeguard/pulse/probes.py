"""The loops of a pulse that ask by themselves: whether suspect controllers are well, and inventories left unread."""

from datetime import datetime, timedelta

from django.conf import settings

from bmm import services
from bmm.models import Kind, Operation, Status
from devices.models import PowerController
from devices.models.power_controller import suspect
from lifeguard import inventory_readings
from mozpool_site.pulse.loop import Loop
from mozpool_site.statemachine.runner import MACHINE

PROBE_EVERY = timedelta(seconds=30)


class SuspectControllers(Loop):
    """Has suspect power controllers tested: one that is well again gives its devices back to the pool at once."""

    name = "suspect controllers"
    every = timedelta(seconds=5)

    def __init__(self, racks: frozenset[int] | None) -> None:
        super().__init__()
        self._racks = racks

    def look(self, now: datetime) -> None:
        """Look once."""
        suspects = PowerController.objects.filter(suspect(now)).order_by("pk")
        if self._racks is not None:
            suspects = suspects.filter(rack_id__in=self._racks)
        if parked := self.parking.numbers(now):
            suspects = suspects.exclude(pk__in=parked)
        for pk in self.within_budget(list(suspects.values_list("pk", flat=True))):
            # All statuses are named, so that the moment is found along the index of the controller's operations.
            tests = Operation.objects.filter(
                controller=pk,
                kind=Kind.TEST_CONTROLLER,
                status__in=list(Status),
                not_before__gt=now - PROBE_EVERY,
            )
            if not tests.exists():
                with self.parking.apart(pk):
                    services.ask_controller(pk, Kind.TEST_CONTROLLER, by=MACHINE)


class Inventories(Loop):
    """Reads the inventories that somebody wants to look at and that no worker has come for."""

    name = "inventories"
    every = timedelta(seconds=3)

    def wanted(self) -> bool:
        """Whether any inventory is declared on this host."""
        return settings.MOZPOOL_INVENTORY is not None

    def look(self, now: datetime) -> None:
        """Look once."""
        for number in inventory_readings.unheard(now):
            inventory_readings.run(number)
