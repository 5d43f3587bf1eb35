"""What can be done to a device's hardware by hand, past Lifeguard: part of the view of devices."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from bmm import services
from bmm.api.v2.operations import FollowSerializer, NothingSerializer, following
from bmm.models import Kind
from devices.api.v2.values import values_of
from devices.listing import device_named
from devices.models import BootConfig, Device
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import AnySerializer, Named, StrictSerializer
from mozpool_site.api.v2.views import ApiViewSet
from mozpool_site.errors import InvalidInputError


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "into the network",
            request_only=True,
            value={"netboot": "panda-b2g", "boot_config": {"b2gbase": "http://images.example.com/b2g/42/"}},
        ),
        OpenApiExample("into what is on it", request_only=True, value={}),
    ]
)
class PowerCycleSerializer(StrictSerializer):
    """How to boot: from the network with the boot config `netboot`, else from the device's own storage."""

    netboot = Named(BootConfig, required=False, allow_null=True)
    boot_config = serializers.DictField(
        required=False, help_text="With `netboot`: what the booting device is told of its image."
    )


class ClearedSerializer(AnySerializer):
    """Whether there was anything to clear."""

    cleared = serializers.BooleanField()


class HardwareActions(ApiViewSet, ABC, abstract=True):
    """Power and ping, by hand. What takes time answers 202 with an operation to follow."""

    least_for_hardware = {
        "power_cycle": Role.REQUESTER,
        "power_off": Role.OPERATOR,
        "ping": Role.OPERATOR,
        "clear_netboot": Role.OPERATOR,
    }

    @abstractmethod
    def demand_power_cycle(self, device: Device) -> int | None:
        """Raise NotAllowedError unless the caller may cycle this device's power.

        Gives the request that must still have the device then; None where it does not matter who has it.
        """

    @abstractmethod
    def demand_netboot(
        self, held_by: int | None, device: Device, netboot: BootConfig, keys: Iterable[str]
    ) -> None:
        """Raise an error unless the caller, who may as this request's owner, may boot it from the network with this."""

    @extend_schema(request=PowerCycleSerializer, responses={202: FollowSerializer})
    @action(detail=True, methods=["post"], url_path="power-cycle")
    def power_cycle(self, request: Request, name: str) -> HttpResponse:
        """Cycle the power; for operators, and for whoever holds the device."""
        device = device_named(name)
        held_by = self.demand_power_cycle(device)
        body = self._body(PowerCycleSerializer)
        netboot, values = body.get("netboot"), body.get("boot_config", {})
        if values and netboot is None:
            raise InvalidInputError(
                "boot_config: nobody would ask for it without netboot", field="boot_config"
            )
        if netboot is not None:
            self.demand_netboot(held_by, device, netboot, values)
        return following(
            self,
            services.power_cycle(
                device.pk,
                by=self.caller.actor,
                boot_config=netboot,
                boot_config_values=json.dumps(values_of(values, values), sort_keys=True),
                held_by=held_by,
            ),
        )

    @extend_schema(request=NothingSerializer, responses={202: FollowSerializer})
    @action(detail=True, methods=["post"], url_path="power-off")
    def power_off(self, request: Request, name: str) -> HttpResponse:
        """Take the power away."""
        self._body(NothingSerializer)
        return following(self, services.power_off(device_named(name).pk, by=self.caller.actor))

    @extend_schema(request=NothingSerializer, responses={202: FollowSerializer})
    @action(detail=True, methods=["post"])
    def ping(self, request: Request, name: str) -> HttpResponse:
        """Ask the device, from its rack, whether it answers ping."""
        self._body(NothingSerializer)
        device, by = device_named(name), self.caller.actor
        services.demand_few_open(by, (Kind.PING,))
        return following(self, services.ping(device.pk, by=by).operation)

    @extend_schema(request=NothingSerializer, responses=ClearedSerializer)
    @action(detail=True, methods=["post"], url_path="clear-netboot")
    def clear_netboot(self, request: Request, name: str) -> HttpResponse:
        """Let the device boot from its own storage next."""
        self._body(NothingSerializer)
        cleared = services.clear_netboot(device_named(name).pk, by=self.caller.actor)
        return self.reply({"cleared": cleared})

    def _body(self, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)
