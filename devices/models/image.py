"""An image: what can be put on a device, and how to tell that it is up."""

from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.functional import cached_property

from devices.models.device_kind import DeviceKind
from devices.names import check_case, is_list_of_names, validate_slug
from mozpool_site.compiled import CompiledQuery, Parameter

SELF_TEST = "self-test"
MAINTENANCE = "maintenance"
# What Lifeguard boots a device into for its own ends; nobody can request it.
OWN_IMAGES = frozenset({SELF_TEST, MAINTENANCE})
AGENT_PORT = 20701  # SUTAgent's own


class Verification(models.TextChoices):
    """How an image shows that it is up."""

    AGENT = "agent", "agent (SUTAgent, with a storage check)"
    TCP = "tcp", "a TCP port accepts"
    PING = "ping", "answers ping, after a settling time"
    NONE = "none", "nothing: trusted after the settling time"


_SECONDS = (MinValueValidator(1), MaxValueValidator(24 * 3600))
_LIMIT = (MinValueValidator(0), MaxValueValidator(1000))


class KindOfImage(NamedTuple):
    """A kind of devices, and the active boot config that puts an image on them."""

    pk: int
    environment: str
    hardware_type_id: int
    tags: list[str]
    boot_config_id: int


class Image(models.Model):
    """What can be requested. Times in seconds; a limit counts the failures that are still retried."""

    name = models.CharField(max_length=64, unique=True, validators=[validate_slug])
    boot_config_keys = models.JSONField(
        default=list, blank=True, help_text='Values that a request must give, such as ["b2gbase"].'
    )
    reusable = models.BooleanField(
        default=False, help_text="A device that has it already is only power-cycled for the next request."
    )
    hidden = models.BooleanField(default=False, help_text="Left out of lists of what can be requested.")
    verification = models.CharField(
        max_length=8,
        choices=Verification.choices,
        default=Verification.PING,
        help_text="How it shows it is up.",
    )
    verify_port = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(65535)],
        help_text="The TCP port to try; an agent's is 20701 unless given.",
    )
    download_timeout = models.PositiveIntegerField(default=180, validators=_SECONDS)
    download_limit = models.PositiveIntegerField(default=3, validators=_LIMIT)
    install_timeout = models.PositiveIntegerField(
        default=300, validators=_SECONDS, help_text="Of writing the image to the storage."
    )
    install_limit = models.PositiveIntegerField(default=3, validators=_LIMIT)
    verify_timeout = models.PositiveIntegerField(
        default=45, validators=_SECONDS, help_text="One window of asking whether the image is up."
    )
    verify_limit = models.PositiveIntegerField(
        default=30, validators=_LIMIT, help_text="Windows; every tenth begins with a power cycle."
    )
    settle_seconds = models.PositiveIntegerField(
        default=120,
        validators=[MaxValueValidator(3600)],
        help_text="For ping and nothing only: how long the boot loader may answer in the image's place.",
    )
    version_notes = models.TextField(blank=True, help_text="What is in it; shown to everybody.")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def numbered(cls, pk: int) -> "Image":
        """Return the image with a primary key. Raise DoesNotExist."""
        image = next(_numbered(pk=pk), None)
        if image is None:
            raise cls.DoesNotExist(f"there is no image {pk}")
        return image

    @cached_property
    def kinds(self) -> list["KindOfImage"]:
        """The kinds of devices that it can be put on; read once, for an object serves one call."""
        return [KindOfImage(*row) for row in _kinds_of_image(image=self.pk)]

    @property
    def installers(self) -> dict[int, int]:
        """The active boot config that installs it, by type of hardware, of those that devices have."""
        return {kind.hardware_type_id: kind.boot_config_id for kind in self.kinds}

    def clean(self) -> None:
        """Refuse what fits its columns and still can't be; the message stands beside the field."""
        check_case(self)
        wrong = {}
        if self.verification == Verification.TCP and self.verify_port is None:
            wrong["verify_port"] = "Verification by a TCP port needs the port."
        if not is_list_of_names(self.boot_config_keys):
            wrong["boot_config_keys"] = 'A list of plain names, each once, please, such as ["b2gbase"].'
        if wrong:
            raise ValidationError(wrong)


def _kinds_by_matrix() -> models.QuerySet[Any, Any]:
    cell = "hardware_type__boot_configs__"
    image = {f"{cell}image": Parameter("image", Image._meta.pk), f"{cell}boot_config__active": True}
    columns = ("pk", "environment", "hardware_type_id", "tags", f"{cell}boot_config_id")
    return DeviceKind.objects.filter(**image).order_by().values_list(*columns)


_kinds_of_image = CompiledQuery(_kinds_by_matrix)
_numbered: CompiledQuery[Image] = CompiledQuery(
    lambda: Image.objects.filter(pk=Parameter("pk", Image._meta.pk)).order_by()
)
