"""A type of hardware: what decides which boot config fits."""

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
