"""Paths of the page of images."""

from django.urls import path

from pages.images.views import images

urlpatterns = [path("images/", images, name="images")]
