"""A type of hardware: what decides which boot config fits."""

from django.core.exceptions import ValidationError
from django.db import models


class HardwareType(models.Model):
    """A kind of device (`panda`) and its model (`es-b3`)."""

    kind = models.CharField(max_length=64)
    model = models.CharField(max_length=64)

    class Meta:
        ordering = ("kind", "model")
        constraints = (models.UniqueConstraint(fields=("kind", "model"), name="hardware_type_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.model}"

    def clean(self) -> None:
        """Refuse what differs from another type but by case: no database may tell them apart."""
        alike = HardwareType.objects.filter(kind__iexact=self.kind, model__iexact=self.model)
        for other in alike.exclude(pk=self.pk):
            if str(other) != str(self):
                raise ValidationError(f"{other} is there already, but for its case.")
