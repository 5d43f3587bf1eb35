"""The project package: settings, Celery, and the base layer that knows no domain."""
