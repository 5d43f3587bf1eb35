"""Paths of the pages of one device."""

from django.urls import path

from pages.device import views

urlpatterns = [
    path("devices/<str:name>/", views.device, name="device"),
    path("devices/<str:name>/now/", views.now, name="device_now"),
    path("devices/<str:name>/older/", views.older, name="device_older"),
    path("devices/<str:name>/comments/", views.comments, name="device_comments"),
    path("devices/<str:name>/quarantine/", views.quarantine, name="device_quarantine"),
]
