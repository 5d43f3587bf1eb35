"""Tells Django about the `bmm` app."""

from django.apps import AppConfig


class BmmConfig(AppConfig):
    """The `bmm` app: Black Mobile Magic: the layer that touches hardware."""

    name = "bmm"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from bmm import checks  # noqa: F401, PLC0415 - needs the models, which load first
