"""What Lifeguard can be asked to do with a device: part of the view of devices."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from bmm.api.v2.operations import NothingSerializer, OperationSerializer, operation
from bmm.models import OPEN, Operation
from devices.api.v2.devices import DeviceSerializer
from devices.api.v2.values import boot_config_for_image
from devices.listing import device_named
from devices.models import Device, Image
from lifeguard import services
from lifeguard.states import DEVICE
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import AnySerializer, Named, StrictSerializer, Text
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.views import Resource


class ImagePleaseSerializer(StrictSerializer):
    """What to install, and the values that the image takes."""

    image = Named(Image)
    boot_config = serializers.DictField(required=False, help_text="A value for each of the image's keys.")


class AskedSerializer(AnySerializer):
    """The device as it is then, and the operation that its machine began; null where it needed none."""

    device = DeviceSerializer()
    operation = OperationSerializer(allow_null=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "out of the pool",
            request_only=True,
            value={"from": "ready", "to": "locked_out", "reason": "its screen is broken, bug 4711"},
        )
    ]
)
class ForceSerializer(StrictSerializer):
    """From the state that you saw to the one that you want; the reason goes to the journal and the audit trail."""

    # `from` is a word of Python.
    def get_fields(self) -> dict[str, Any]:
        """Name the three fields."""
        return {
            "from": Text(max_length=64),
            "to": serializers.ChoiceField(choices=DEVICE.stored()),
            "reason": Text(max_length=300),
        }


class LifeguardActions(Resource, abstract=True):
    """Asks Lifeguard; 409 where the device's state does not allow it."""

    least_for_lifeguard = {
        "please_image": Role.OPERATOR,
        "please_self_test": Role.OPERATOR,
        "please_maintenance": Role.OPERATOR,
        "please_power_cycle": Role.OPERATOR,
        "force_state": Role.OPERATOR,
    }

    @extend_schema(request=ImagePleaseSerializer, responses={202: AskedSerializer})
    @action(detail=True, methods=["post"], url_path="please/image")
    def please_image(self, request: Request, name: str) -> HttpResponse:
        """Install an image, and wait until it is up."""
        device = device_named(name)
        body = self._valid(ImagePleaseSerializer)
        image: Image = body["image"]
        boot_config = boot_config_for_image(image, body.get("boot_config", {}))
        return self._ask(device, "image", image=image, boot_config=boot_config)

    @extend_schema(request=NothingSerializer, responses={202: AskedSerializer})
    @action(detail=True, methods=["post"], url_path="please/self-test")
    def please_self_test(self, request: Request, name: str) -> HttpResponse:
        """Have the device test itself; it is ready when it passes."""
        return self._ask_plainly(name, "self_test")

    @extend_schema(request=NothingSerializer, responses={202: AskedSerializer})
    @action(detail=True, methods=["post"], url_path="please/maintenance")
    def please_maintenance(self, request: Request, name: str) -> HttpResponse:
        """Boot the live image and wait there for an administrator."""
        return self._ask_plainly(name, "start_maintenance")

    @extend_schema(request=NothingSerializer, responses={202: AskedSerializer})
    @action(detail=True, methods=["post"], url_path="please/power-cycle")
    def please_power_cycle(self, request: Request, name: str) -> HttpResponse:
        """Boot what is on the device, and check that it is up."""
        return self._ask_plainly(name, "power_cycle")

    @extend_schema(request=ForceSerializer, responses=DeviceSerializer)
    @action(detail=True, methods=["post"], url_path="state")
    def force_state(self, request: Request, name: str) -> HttpResponse:
        """Put the device into a state whatever its table says, provided that it is in `from`."""
        device = device_named(name)
        body = self._valid(ForceSerializer)
        services.force_state(device.pk, body["from"], body["to"], by=self.caller.actor, reason=body["reason"])
        return self.reply(self.entry(device.name))

    def _ask_plainly(self, name: str, verb: str) -> HttpResponse:
        device = device_named(name)
        self._valid(NothingSerializer)
        return self._ask(device, verb)

    def _ask(
        self, device: Device, verb: str, *, image: Image | None = None, boot_config: str = "{}"
    ) -> HttpResponse:
        moved = services.please(device.pk, verb, by=self.caller.actor, image=image, boot_config=boot_config)
        work = Operation.objects.filter(device=moved.pk, state_seq=moved.state_seq, status__in=OPEN)
        number = work.order_by("-pk").values_list("pk", flat=True).first()
        answer = {
            "device": self.entry(moved.name),
            "operation": None if number is None else operation(number),
        }
        return self.reply(answer, 202, {"Location": link("operations", number)} if number else None)

    def _valid(self, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)
