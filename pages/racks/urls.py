"""Where the rack maps are."""

from django.urls import path

from pages.racks import views

urlpatterns = [
    path("racks/", views.rack_list, name="rack_list"),
    path("racks/<str:name>/", views.rack, name="rack"),
    path("racks/<str:name>/outlets/<str:controller>/", views.outlets, name="rack_outlets"),
]
