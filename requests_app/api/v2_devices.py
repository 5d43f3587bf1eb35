"""The v2 API's devices, whole: what exists, what can be done to it, and what is whose while a request holds it."""

from collections.abc import Iterable, Mapping

from django.urls import URLPattern

from bmm.api.v2.actions import HardwareActions
from bmm.api.v2.devices import DeviceWriting
from devices.models import BootConfig, Device
from lifeguard.api.v2 import LifeguardActions
from mozpool_site.api.access import Role
from mozpool_site.api.v2.routes import resource
from requests_app.api.ownership import demand_holder, demand_own_netboot, own_boot_configs


class DeviceViewSet(HardwareActions, LifeguardActions, DeviceWriting):
    """The devices, what they are up to, and what can be done to them."""

    least = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "journal": Role.VIEWER,
        "create": Role.ADMIN,
        "partial_update": Role.OPERATOR,
        "destroy": Role.ADMIN,
        **HardwareActions.least_for_hardware,
        **LifeguardActions.least_for_lifeguard,
    }

    def own_boot_configs(self) -> Mapping[int, str]:
        """Give the boot configs of the caller's requests, by their numbers."""
        return own_boot_configs(self.caller)

    def demand_power_cycle(self, device: Device) -> int | None:
        """Let operators, and whoever holds the device. Raises NotAllowedError."""
        return demand_holder(self.caller, device)

    def demand_netboot(
        self, held_by: int | None, device: Device, netboot: BootConfig, keys: Iterable[str]
    ) -> None:
        """Let holders boot what they have asked for. Raises NotAllowedError, InvalidInputError."""
        demand_own_netboot(held_by, device, netboot, keys)


urlpatterns: list[URLPattern] = resource("devices", DeviceViewSet)
