"""Reads what somebody asks for out of the body of a v2 request."""

import json
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from devices.api.v2.names import hardware_type_named
from devices.listing import device_named
from devices.models import HardwareType, Image
from devices.names import SLUG
from mozpool_site.api.access import Caller, Role
from mozpool_site.api.v2.fields import StrictSerializer, Text, Whole
from mozpool_site.api.values import build_value
from mozpool_site.errors import InvalidInputError, NotAllowedError, UnknownNameError
from requests_app.lease import USUAL_WAIT
from requests_app.matching import HIGHEST_PRIORITY, LOWEST_PRIORITY
from requests_app.planning.pool import ANY
from requests_app.services import Filing, Order, filing_for
from requests_app.webhooks.targets import LONGEST_URL, read_target

_HOUR = 3600
_LONGEST_NAME = 64
_LONGEST_DEVICE = 253
_LONGEST_ASSIGNEE = 100
_LONGEST_KEY = 255
_MOST_TAGS = 10
_MOST_SECONDS = 10**12  # the service knows the real maximum


class DurationSerializer(StrictSerializer):
    """For how long, in seconds from now; from `ready` on where that is still to come."""

    duration = Whole(min_value=1, max_value=_MOST_SECONDS)


class TargetSerializer(serializers.Serializer[Any]):
    """Where to tell of each change of the request's state."""

    # Its service knows what a URL is, and which hosts are listed: also such as have no dot in their names.
    url = Text(max_length=LONGEST_URL, help_text="On a host that MOZPOOL_WEBHOOK_HOSTS lists.")
    secret = Text(max_length=100, required=False, help_text="Signs what is sent, as Standard Webhooks do.")


class OrderSerializer(StrictSerializer):
    """What somebody wants: an image on a certain device, or on any that has what is named here."""

    image = Text(max_length=_LONGEST_NAME)
    device = Text(max_length=_LONGEST_DEVICE, required=False, help_text="This device and no other.")
    environment = Text(max_length=_LONGEST_NAME, required=False, default=ANY)
    hardware = Text(
        max_length=129, required=False, help_text="A type of hardware by its name, such as panda/es-b3."
    )
    tags = serializers.ListField(
        child=Text(max_length=_LONGEST_NAME), max_length=_MOST_TAGS, required=False, default=list
    )
    boot_config = serializers.DictField(
        required=False, default=dict, help_text="A value for each of the image's boot_config_keys."
    )
    duration = Whole(
        min_value=1,
        max_value=_MOST_SECONDS,
        required=False,
        default=_HOUR,
        help_text="Seconds that you have the device, from `ready` on.",
    )
    max_wait = Whole(
        min_value=0,
        max_value=_MOST_SECONDS,
        required=False,
        default=USUAL_WAIT,
        help_text="Seconds to wait for a free device until the request fails; 0: now or never. "
        "At most MOZPOOL_MAX_WAIT.",
    )
    assignee = Text(max_length=_LONGEST_ASSIGNEE, required=False, help_text="For whom; by default you.")
    priority = Whole(
        min_value=LOWEST_PRIORITY,
        max_value=HIGHEST_PRIORITY,
        required=False,
        default=0,
        help_text="A point counts like half a minute of waiting; above 0 for operators.",
    )
    webhook = TargetSerializer(required=False)


def read_order(body: Mapping[str, Any], caller: Caller) -> Order:
    """Check everything that can be checked without filing.

    Raises DRF's ValidationError, InvalidInputError, UnknownNameError, NotAllowedError.
    """
    serializer = OrderSerializer(data=body)
    serializer.is_valid(raise_exception=True)
    given = serializer.validated_data
    if given["priority"] > 0 and not caller.may(Role.OPERATOR):
        raise NotAllowedError("a priority above 0 is for operators", field="priority")
    image = _image(given["image"])
    device = device_named(given["device"], "hardware_type") if "device" in given else None
    return Order(
        image=image,
        assignee=given.get("assignee", caller.name[:_LONGEST_ASSIGNEE]),
        duration=given["duration"],
        max_wait=given["max_wait"],
        device=device,
        environment=_slug(given["environment"], "environment"),
        hardware=_hardware(given["hardware"]) if "hardware" in given else None,
        boot_config=_boot_config(given["boot_config"], image),
        tags=tuple(dict.fromkeys(_slug(tag, "tags") for tag in given["tags"])),
        priority=given["priority"],
        webhook=read_target(body["webhook"]) if "webhook" in body else None,
    )


def read_filing(header: str | None, body: Mapping[str, Any], caller: Caller) -> Filing:
    """Give the filing that a call is, by its Idempotency-Key if it has one. Raises InvalidInputError."""
    if header is None:
        return Filing(refuse_impossible=True)
    if not (1 <= len(header) <= _LONGEST_KEY and header.isascii() and header.isprintable()):
        raise InvalidInputError(
            f"Idempotency-Key: 1 to {_LONGEST_KEY} printable ASCII characters expected",
            field="Idempotency-Key",
        )
    return filing_for(header, json.dumps(body, sort_keys=True).encode(), by=caller.actor)


def _image(name: str) -> Image:
    image = Image.objects.filter(name=name).first() if SLUG.fullmatch(name) else None
    if image is None:
        raise UnknownNameError(f"there is no image {name!r}", field="image")
    return image


def _hardware(name: str) -> HardwareType:
    hardware = hardware_type_named(name)
    if hardware is None:
        raise UnknownNameError(f"there is no type of hardware {name!r}", field="hardware")
    return hardware


def _slug(name: str, field: str) -> str:
    if not SLUG.fullmatch(name):
        raise InvalidInputError(f"{field}: letters, digits, dots, hyphens and underscores", field=field)
    return name


def _boot_config(given: dict[str, Any], image: Image) -> dict[str, object]:
    """Check the values as the legacy API does; a key that the image does not have is a mistake."""
    unknown = sorted(given.keys() - set(image.boot_config_keys))
    if unknown:
        known = ", ".join(image.boot_config_keys) or "none"
        raise InvalidInputError(
            f"boot_config: image {image.name} has no key {unknown[0][:64]!r}; it has: {known}",
            field="boot_config",
        )
    try:
        return {key: build_value(given, key) for key in image.boot_config_keys}
    except InvalidInputError as error:
        raise InvalidInputError(f"boot_config.{error.detail}", field=f"boot_config.{error.field}") from error
