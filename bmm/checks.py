"""System checks of what the rows say about hardware: each power controller's driver must be there and content.

They read the database, so they run with `manage.py check --database default`. `manage.py migrate` runs them first, too:
while the tables are not yet what our models say they have nothing to tell.
"""

from collections.abc import Collection, Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from bmm.controllers import driver_of
from bmm.drivers.power import driver_class
from bmm.errors import Misconfigured
from devices.models import Device, PowerController
from mozpool_site.schema import missing_migrations

_HINT = "Correct it in the admin, or install the package that brings the driver."


@register(Tags.database)
def power_controllers(
    app_configs: Any = None, databases: Collection[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Give an error for each controller whose driver, address or settings can't be, and each outlet that can't."""
    return [error for alias in databases or () if not missing_migrations(alias) for error in _errors(alias)]


def _errors(alias: str) -> Iterator[CheckMessage]:
    sound: dict[int, PowerController] = {}
    for controller in PowerController.objects.using(alias).order_by("name"):
        try:
            driver_of(controller)
        except Misconfigured as error:
            yield Error(f"power controller {controller.name}: {error}", hint=_HINT, id="bmm.E001")
        else:
            sound[controller.pk] = controller
    wired = Device.objects.using(alias).filter(power_controller__in=sound.keys()).order_by("name")
    for name, controller_id, outlet in wired.values_list("name", "power_controller", "outlet").iterator():
        controller = sound[controller_id]
        try:
            driver_class(controller.driver).check_outlet(outlet)
        except Misconfigured as error:
            yield Error(f"device {name}, {controller.name}: {error}", hint=_HINT, id="bmm.E002")
