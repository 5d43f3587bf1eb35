"""What a board reads when it boots from the network."""

from django.core.validators import ProhibitNullCharactersValidator
from django.db import models

from devices.models.hardware import HardwareType
from devices.models.image import Image
from devices.names import validate_slug

_PLACEHOLDERS = "%IPADDRESS%, %TOKEN%, %DEVICE% and %BASEURL% are filled in for each device."


class BootConfig(models.Model):
    """A PXELINUX file and the second-stage script that the live image then fetches."""

    name = models.CharField(max_length=64, unique=True, validators=[validate_slug])
    description = models.CharField(max_length=200, blank=True)
    contents = models.TextField(
        validators=[ProhibitNullCharactersValidator()], help_text=f"PXELINUX text. {_PLACEHOLDERS}"
    )
    second_stage = models.TextField(
        blank=True,
        validators=[ProhibitNullCharactersValidator()],
        help_text=f"Shell script that the live image fetches and runs. {_PLACEHOLDERS}",
    )
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ImageBootConfig(models.Model):
    """Which boot config installs an image on a type of hardware."""

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="boot_configs")
    hardware_type = models.ForeignKey(HardwareType, on_delete=models.CASCADE, related_name="boot_configs")
    boot_config = models.ForeignKey(BootConfig, on_delete=models.PROTECT, related_name="uses")

    class Meta:
        ordering = ("image", "hardware_type")
        constraints = (models.UniqueConstraint(fields=("image", "hardware_type"), name="one_boot_config"),)

    def __str__(self) -> str:
        return f"{self.image} on {self.hardware_type}"
