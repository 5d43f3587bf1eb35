"""The composition root of the web process: every route hangs here."""

from django.contrib import admin
from django.urls import include, path, re_path

import bmm.api.legacy
import bmm.api.v2
import devices.api.legacy
import devices.api.v2
import lifeguard.admin_inventory
import lifeguard.api.boot
import lifeguard.api.legacy
import mozpool_site.access.api
import mozpool_site.access.pages
import requests_app.api.devices
import requests_app.api.legacy
import requests_app.api.power
import requests_app.api.v2
import requests_app.api.v2_devices
import requests_app.webhooks.api
from mozpool_site.api import errors, legacy
from mozpool_site.api.health import health
from mozpool_site.api.v2 import documents, root
from pages.home.views import home
from pages.shell import answers

_LEGACY = [
    *legacy.urlpatterns,
    *requests_app.api.legacy.urlpatterns,
    *requests_app.api.devices.urlpatterns,
    *requests_app.api.power.urlpatterns,
    *devices.api.legacy.urlpatterns,
    *bmm.api.legacy.urlpatterns,
    *lifeguard.api.legacy.urlpatterns,
]
# The v2 API; an app's own paths come before the last, which answers whatever else is asked for there.
_V2 = [
    *root.urlpatterns,
    *documents.urlpatterns,
    *mozpool_site.access.api.urlpatterns,
    *devices.api.v2.urlpatterns,
    *bmm.api.v2.urlpatterns,
    *requests_app.api.v2_devices.urlpatterns,
    *requests_app.webhooks.api.urlpatterns,
    *requests_app.api.v2.urlpatterns,
    root.nowhere,
]

# Here, not in every process: see access/admin_config.py.
admin.autodiscover()

urlpatterns = [
    path("", home, name="home"),
    path("", include("pages.urls")),
    path("healthz", health),
    path("", include(mozpool_site.access.pages.urlpatterns)),
    path("api/v2/", include(_V2)),
    path("api/", include(_LEGACY)),
    path("boot/", include(lifeguard.api.boot.urlpatterns)),
    # Whatever else is asked for there gets JSON, not a page.
    re_path(r"^(?:api|boot)(?:/|\Z)", errors.not_found),
    path("admin/inventory/", lifeguard.admin_inventory.inventory_page, name="inventory"),
    path("admin/", admin.site.urls),
]
handler400 = answers.bad_request
handler403 = answers.forbidden
handler404 = answers.not_found
handler500 = answers.server_error
