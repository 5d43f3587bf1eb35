"""Tells Django about the `devices` app."""

from django.apps import AppConfig


class DevicesConfig(AppConfig):
    """The `devices` app: what exists: racks, hardware, images, power controllers, devices, and their journal."""

    name = "devices"
    default_auto_field = "django.db.models.BigAutoField"
