"""Tells Django about the `access` app."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """The `access` app: roles, personal tokens, throttles and the audit trail. It knows no device."""

    name = "mozpool_site.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"
