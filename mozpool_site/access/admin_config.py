"""Makes the administration's site ours; named in INSTALLED_APPS instead of django.contrib.admin.

Its pages are loaded with the routes (mozpool_site/urls.py), not with every process: commands, workers and pulses have
no use for them, and start in half the time.
"""

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class MozpoolAdminConfig(SimpleAdminConfig):
    """django.contrib.admin with our front door."""

    default_site = "mozpool_site.access.admin_site.MozpoolAdminSite"

    def ready(self) -> None:
        """Register Django's checks; not its own `ready`, whose check would find nothing loaded yet."""
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check_all, checks.Tags.admin)


def _check_all(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    admin.autodiscover()
    return list(check_admin_app(app_configs, **options))
