"""Tells Django about the `lifeguard` app."""

from django.apps import AppConfig


class LifeguardConfig(AppConfig):
    """The `lifeguard` app: what state a device is in, and what comes next."""

    name = "lifeguard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and listen to what devices' logs tell."""
        from lifeguard import checks, log_alarms  # noqa: F401, PLC0415 - need the models, which load first
