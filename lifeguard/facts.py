"""Loads what the device table may ask, and only what it does ask."""

from dataclasses import fields
from datetime import datetime
from functools import cached_property

from bmm.controller_traits import traits_of
from devices.models import Device, Image, ImageBootConfig
from devices.models.image import SELF_TEST
from lifeguard.blame import image_is_suspect
from lifeguard.bounds import OF_THE_IMAGE, Power, power_of
from lifeguard.states import DeviceFacts

# A device that fails so many tasks in a row passes self-tests that tell nothing; a human must look.
HOPELESS_FAILURES = 3
_OF_THE_POWER = frozenset(field.name for field in fields(Power))


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
    def _power(self) -> Power:
        return power_of(traits_of(self._device.power_controller_id))

    @cached_property
    def _image(self) -> Image | DeviceFacts:
        """The image in play; a device without one is given the defaults."""
        in_play = self._device.next_image_id or self._device.image_id
        return Image.numbered(in_play) if in_play else DeviceFacts()

    def __getattr__(self, name: str) -> object:
        """Give what depends on the image or the power controller, which have columns and fields of the facts' names."""
        if name in _OF_THE_POWER:
            return getattr(self._power, name)
        if name not in OF_THE_IMAGE:
            raise AttributeError(name)
        return getattr(self._image, name)


def load(device: Device, now: datetime) -> StoredFacts:
    """Give the facts about a device as its locked row says."""
    return StoredFacts(device, now)
