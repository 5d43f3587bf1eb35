"""Tells Django about the `bmm` app."""

from django.apps import AppConfig
from django.conf import settings


class BmmConfig(AppConfig):
    """The `bmm` app: Black Mobile Magic: the layer that touches hardware."""

    name = "bmm"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and tell the drivers what this installation allows."""
        from bmm import checks  # noqa: F401, PLC0415 - needs the models, which load first
        from bmm.drivers.power import command  # noqa: PLC0415

        command.allow(settings.MOZPOOL_POWER_COMMANDS)
