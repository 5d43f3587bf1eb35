"""Finds the rows that a command's words name, all of them before anything is done."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from django.db.models import Model, QuerySet

from devices.models import BootConfig, Device, HardwareType, Image
from mozpool_site.errors import InvalidInputError, UnknownNameError

RowT = TypeVar("RowT", bound=Model)

# More at a time would hold their rows' locks for seconds.
MOST_DEVICES = 200


def find_devices(names: Iterable[str]) -> list[Device]:
    """Give the named devices in the order in which they were named, each once.

    Raises UnknownNameError that lists every name that nothing has, InvalidInputError for more than 200.
    """
    wanted = list(dict.fromkeys(names))
    if len(wanted) > MOST_DEVICES:
        raise InvalidInputError(
            f"{len(wanted)} devices named, at most {MOST_DEVICES} at a time", field="device"
        )
    rows = Device.objects.select_related("rack", "hardware_type", "image", "next_image", "power_controller")
    found = {device.name: device for device in rows.filter(name__in=wanted)}
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise UnknownNameError(f"there is no device {_listed(unknown)}", field="device")
    return [found[name] for name in wanted]


def find_image(name: str) -> Image:
    """Give the image; UnknownNameError says which there are."""
    return _one(Image.objects.all(), "image", name)


def find_boot_config(name: str) -> BootConfig:
    """Give the boot config; UnknownNameError says which there are."""
    return _one(BootConfig.objects.all(), "boot config", name)


def find_hardware(text: str) -> HardwareType:
    """Give the hardware type written as `kind/model`; UnknownNameError says which there are."""
    kind, _, model = text.partition("/")
    found = HardwareType.objects.filter(kind=kind, model=model).first()
    if found is None:
        there_are = [f"{hardware.kind}/{hardware.model}" for hardware in HardwareType.objects.all()]
        raise UnknownNameError(
            f"there is no hardware {text!r}; there are: {_listed(there_are)}", field="hardware"
        )
    return found


def _one(rows: QuerySet[RowT], what: str, name: str) -> RowT:
    found = rows.filter(name=name).first()
    if found is None:
        there_are = rows.order_by("name").values_list("name", flat=True)
        raise UnknownNameError(
            f"there is no {what} {name!r}; there are: {_listed(list(there_are))}", field=what
        )
    return found


def _listed(names: Sequence[str], most: int = 20) -> str:
    more = len(names) - most
    text = ", ".join(names[:most]) or "none"
    return f"{text} and {more} more" if more > 0 else text
