"""Loads what the device table may ask, and only what it does ask."""

import hashlib
from dataclasses import fields
from datetime import datetime
from functools import cached_property

from devices.models import Device, Image, ImageBootConfig
from devices.models.image import OWN_IMAGES, SELF_TEST
from lifeguard.models import Install
from lifeguard.states import DEVICE, EVIDENCE_FOR, DeviceFacts

# A device that fails so many tasks in a row passes self-tests that tell nothing; a human must look.
HOPELESS_FAILURES = 3
_OF_THE_IMAGE = frozenset(fact.name for fact in fields(DeviceFacts)) & {
    field.name for field in Image._meta.get_fields()
}


def config_digest(boot_config: str) -> str:
    """Tell builds of one image apart: SHA-256 of the boot config as stored, hex."""
    return hashlib.sha256(boot_config.encode()).hexdigest()


class StoredFacts:
    """The fields of DeviceFacts for a locked row. Each is loaded when the table first asks: most steps ask nothing."""

    def __init__(self, device: Device, now: datetime) -> None:
        self._device = device
        self._now = now

    @property
    def held(self) -> bool:
        """Whether a request has the device."""
        return self._device.held_by is not None

    @cached_property
    def self_test_available(self) -> bool:
        """Whether there is a self-test for this hardware."""
        matrix = ImageBootConfig.objects.filter(image__name=SELF_TEST, boot_config__active=True)
        return matrix.filter(hardware_type=self._device.hardware_type_id).exists()

    @property
    def self_test_may_help(self) -> bool:
        """Whether a self-test has not been tried in vain."""
        return self._device.failures + 1 < HOPELESS_FAILURES and self.self_test_available

    @cached_property
    def image_suspect(self) -> bool:
        """Whether the image, not the device, is to blame."""
        return image_is_suspect(self._device, self._now)

    @cached_property
    def _image(self) -> Image | DeviceFacts:
        """The image in play; a device without one is given the defaults."""
        in_play = self._device.next_image_id or self._device.image_id
        return Image.objects.get(pk=in_play) if in_play else DeviceFacts()

    def __getattr__(self, name: str) -> object:
        """Give what depends on the image: its columns have the names of the facts."""
        if name not in _OF_THE_IMAGE:
            raise AttributeError(name)
        return getattr(self._image, name)


def load(device: Device, now: datetime) -> StoredFacts:
    """Give the facts about a device as its locked row says."""
    return StoredFacts(device, now)


def image_is_suspect(device: Device, now: datetime) -> bool:
    """Whether the image being installed lately failed on another healthy device, and succeeded on none since."""
    if "installing" not in DEVICE[device.state].tags:
        return False
    if device.next_image is None or device.next_image.name in OWN_IMAGES:
        return False
    digest = config_digest(device.next_boot_config)
    evidence = Install.objects.filter(
        image=device.next_image_id, config_digest=digest, finished__gte=now - EVIDENCE_FOR
    )
    last = evidence.exclude(device=device.pk).order_by("-finished", "-pk")
    newest_success = (
        evidence.filter(succeeded=True).order_by("-finished").values_list("finished", flat=True).first()
    )
    failure = last.filter(succeeded=False, healthy_before=True).values_list("finished", flat=True).first()
    return failure is not None and (newest_success is None or failure > newest_success)
