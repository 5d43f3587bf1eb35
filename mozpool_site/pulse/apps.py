"""Tells Django about the `pulse` app."""

from django.apps import AppConfig


class PulseConfig(AppConfig):
    """The `pulse` app: loops, and the rows that they pass over. It knows no device."""

    name = "mozpool_site.pulse"
    label = "pulse"
    default_auto_field = "django.db.models.BigAutoField"
