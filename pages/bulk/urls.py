"""Paths of bulk actions."""

from django.urls import path

from pages.bulk import confirming, following

urlpatterns = [
    path("bulk/", following.bulks, name="bulks"),
    path("bulk/confirm/", confirming.confirm, name="bulk_confirm"),
    path("bulk/start/", confirming.start, name="bulk_start"),
    path("bulk/<int:number>/", following.bulk, name="bulk"),
    path("bulk/<int:number>/part/", following.bulk_part, name="bulk_part"),
    path("bulk/<int:number>/stop/", following.bulk_stop, name="bulk_stop"),
]
