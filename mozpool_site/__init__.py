"""The project package: settings, Celery, and the base layer that knows no domain."""

from mozpool_site.celery import app as celery_app

__all__ = ["celery_app"]
