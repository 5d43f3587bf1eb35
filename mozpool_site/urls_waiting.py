"""The routes of calls that wait for something: async views, which asgi.py serves; all other routes are in urls.py."""

from django.urls import include, path

import bmm.api.legacy
from mozpool_site.api import errors
from mozpool_site.api.v2 import root
from requests_app.api.v2.events import waiting_urlpatterns

urlpatterns = [
    path("api/v2/", include([*waiting_urlpatterns, root.nowhere])),
    path("api/", include(bmm.api.legacy.waiting_urlpatterns)),
]
handler400 = errors.bad_request
handler404 = errors.not_found
handler500 = errors.server_error
