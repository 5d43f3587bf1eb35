"""The routes of calls that wait for news: async views, which asgi.py serves; the other routes are in mozpool_site."""

from django.urls import include, path

from mozpool_site.api import errors
from mozpool_site.api.v2 import root
from requests_app.api.v2.events import waiting_urlpatterns

urlpatterns = [path("api/v2/", include([*waiting_urlpatterns, root.nowhere]))]
handler400 = errors.bad_request
handler404 = errors.not_found
handler500 = errors.server_error
