"""What the tables of devices and of hardware have in common: filters, order, a page of rows, and what they point at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import HttpRequest

from devices.models import Device, PowerController
from pages.devices.filters import EVERYTHING, Filters, Known
from pages.tables import Page, page_of, sorting

# The last column makes each order a total one, so that no row is on two pages.
SORTS: Mapping[str, Sequence[str]] = {
    "name": ("name",),
    "state": ("state", "name"),
    "since": ("-state_since", "name"),
    "environment": ("environment", "name"),
    "rack": ("rack__name", "name"),
    "image": ("image__name", "name"),
    "health": ("health", "name"),
    "failures": ("-failures", "name"),
    "controller": ("power_controller__name", "outlet"),
    "mac": ("mac",),
}


@dataclass(frozen=True)
class Row:
    """A device with the names of what it points at, which were read for all rows at once."""

    device: Device
    rack: str
    hardware: str
    image: str
    next_image: str
    controller: PowerController | None

    @property
    def mac(self) -> str:
        """The MAC address as people read it."""
        mac = self.device.mac
        return ":".join(mac[first : first + 2] for first in range(0, len(mac), 2))


@dataclass(frozen=True)
class Table:
    """One page of devices, and how it came about."""

    filters: Filters
    page: Page[Device]
    rows: Sequence[Row]
    sort: str

    @property
    def matching(self) -> str:
        """The filters as bulk actions take them, for all that match."""
        return self.filters.query or EVERYTHING

    @property
    def more_than_shown(self) -> int:
        """How many match, where that is more than the page has; else 0."""
        return self.page.count if self.page.count > len(self.rows) else 0


def table_of(request: HttpRequest) -> Table:
    """Read the page that a query string asks for. Seven queries, whatever the pool's size."""
    known = Known.read()
    filters = Filters.of(request.GET, known)
    sort, columns = sorting(request, SORTS, "name")
    devices: QuerySet[Device, Device] = filters.apply(Device.objects.all()).order_by(*columns)
    found = page_of(request, devices)
    controllers = PowerController.objects.in_bulk(
        {row.power_controller_id for row in found.rows if row.power_controller_id is not None}
    )
    return Table(filters, found, [_row(device, known, controllers) for device in found.rows], sort)


def _row(device: Device, known: Known, controllers: Mapping[int, PowerController]) -> Row:
    return Row(
        device,
        known.racks.get(device.rack_id, ""),
        known.hardware.get(device.hardware_type_id, ""),
        known.images.get(device.image_id or 0, ""),
        known.images.get(device.next_image_id or 0, ""),
        controllers.get(device.power_controller_id or 0),
    )
