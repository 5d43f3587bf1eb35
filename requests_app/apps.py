"""Tells Django about the `requests_app` app."""

from django.apps import AppConfig


class RequestsAppConfig(AppConfig):
    """The `requests_app` app: who gets which device, and for how long."""

    name = "requests_app"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Start listening to what happens to devices."""
        from requests_app import receivers  # noqa: F401, PLC0415 - needs the models, which load first
