"""Paths of the table of devices."""

from django.urls import path

from pages.devices import views

urlpatterns = [
    path("devices/", views.devices, name="devices"),
    path("devices/<str:name>/comment/", views.device_comment, name="device_comment"),
]
