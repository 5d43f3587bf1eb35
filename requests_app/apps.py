"""Tells Django about the `requests_app` app."""

from django.apps import AppConfig


class RequestsAppConfig(AppConfig):
    """The `requests_app` app: who gets which device, and for how long."""

    name = "requests_app"
    default_auto_field = "django.db.models.BigAutoField"
