"""Where the home page's news and those of all devices are; the page itself is the site's root."""

from django.urls import path

from pages.home import views
from pages.shell.devices import changed_devices

urlpatterns = [
    path("live/home/", views.home_live, name="home_live"),
    path("live/devices/", changed_devices, name="live_devices"),
]
