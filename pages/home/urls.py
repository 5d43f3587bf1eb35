"""Where the home page and what keeps pages live are."""

from django.urls import path

from pages.home import views
from pages.shell.devices import changed_devices

urlpatterns = [
    path("live/home/", views.home_part, name="home_part"),
    path("live/devices/", changed_devices, name="live_devices"),
]
