"""The path of the hardware page."""

from django.urls import path

from pages.bmm import views

urlpatterns = [path("bmm/", views.bmm, name="bmm")]
