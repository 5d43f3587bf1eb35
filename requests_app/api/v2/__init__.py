"""The v2 API of requests: who wants which device with what on it, and the news of them."""

from django.urls import URLPattern

from requests_app.api.v2.events import urlpatterns as of_events
from requests_app.api.v2.requests import urlpatterns as of_requests

urlpatterns: list[URLPattern] = [*of_requests, *of_events]
