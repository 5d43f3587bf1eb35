"""The app of the web pages; it has no models."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    """Pages for people."""

    name = "pages"
