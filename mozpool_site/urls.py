"""The composition root of the web process: every route hangs here."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import TemplateView

import devices.api.legacy
import lifeguard.api.boot
import lifeguard.api.legacy
import requests_app.api.devices
import requests_app.api.legacy
from mozpool_site.api import errors
from mozpool_site.api.health import health

_LEGACY = [
    *requests_app.api.legacy.urlpatterns,
    *requests_app.api.devices.urlpatterns,
    *devices.api.legacy.urlpatterns,
    *lifeguard.api.legacy.urlpatterns,
]

urlpatterns = [
    path("", TemplateView.as_view(template_name="home.html"), name="home"),
    path("healthz", health),
    path("api/", include(_LEGACY)),
    path("boot/", include(lifeguard.api.boot.urlpatterns)),
    # Whatever else is asked for there gets JSON, not a page.
    re_path(r"^(?:api|boot)(?:/|\Z)", errors.not_found),
    path("admin/", admin.site.urls),
]
handler400 = errors.bad_request
handler404 = errors.not_found
handler500 = errors.server_error
