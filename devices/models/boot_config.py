"""What a board reads when it boots from the network."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models

from devices.models.hardware import HardwareType
from devices.models.image import Image
from devices.names import check_case, validate_slug
from devices.pxelinux import differences, tidy

# As bmm/netboot.py fills them in; it stands above this layer, so a test holds the two together.
PLACEHOLDERS = ("IPADDRESS", "TOKEN", "DEVICE", "BASEURL")
_PLACEHOLDERS = "%IPADDRESS%, %TOKEN%, %DEVICE% and %BASEURL% are filled in for each device."
# Three letters at least, for `date +%Y%m%d` in a script is no placeholder.
_LIKE_ONE = re.compile(r"%([A-Z]{3,})%", re.IGNORECASE)

# Of what is wrong with a text.
_MOST_TOLD = 5


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

    def clean(self) -> None:
        """Refuse a placeholder that nobody fills in, and a text that boot loaders would take otherwise.

        One that is stored, and stays, keeps nobody from changing the rest.
        """
        check_case(self)
        wrong: dict[str, str | list[str]] = {}
        stored = BootConfig.objects.filter(pk=self.pk).values_list("contents", flat=True).first()
        if tidy(self.contents) != tidy(stored or "") and (found := differences(self.contents)):
            wrong["contents"] = [f"{one[:1].upper()}{one[1:]}." for one in found[:_MOST_TOLD]]
        for field in ("contents", "second_stage"):
            for word in _LIKE_ONE.findall(getattr(self, field)):
                if word not in PLACEHOLDERS:
                    wrong[field] = f"%{word}% is no placeholder. {_PLACEHOLDERS}"
        if wrong:
            raise ValidationError(wrong)


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
