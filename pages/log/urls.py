"""Paths of the logs."""

from django.urls import path

from pages.log import views

urlpatterns = [
    path("devices/<str:name>/log/", views.device_log, name="device_log"),
    path("devices/<str:name>/log/lines/", views.device_log_lines, name="device_log_lines"),
    path("requests/<int:number>/log/", views.request_log, name="request_log"),
    path("requests/<int:number>/log/lines/", views.request_log_lines, name="request_log_lines"),
]
