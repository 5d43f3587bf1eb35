"""Paths of the pages of requests."""

from django.urls import path

from pages.requests import acting, filing, views

urlpatterns = [
    path("requests/", views.requests, name="requests"),
    path("requests/table/", views.table, name="requests_table"),
    path("requests/several/", acting.several, name="requests_several"),
    path("requests/new/", filing.new, name="request_new"),
    path("requests/new/keys/", filing.keys, name="request_new_keys"),
    path("requests/new/outlook/", filing.outlook_of, name="request_new_outlook"),
    path("requests/new/devices/", filing.devices, name="request_new_devices"),
    path("requests/<int:number>/", views.request_page, name="request"),
    path("requests/<int:number>/now/", views.now, name="request_now"),
    path("requests/<int:number>/renew/", acting.renew, name="request_renew"),
    path("requests/<int:number>/return/", acting.give_back, name="request_return"),
]
