"""Makes the administration's site ours; named in INSTALLED_APPS instead of django.contrib.admin."""

from django.contrib.admin.apps import AdminConfig


class MozpoolAdminConfig(AdminConfig):
    """django.contrib.admin with our front door."""

    default_site = "mozpool_site.access.admin_site.MozpoolAdminSite"
