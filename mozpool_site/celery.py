"""The Celery application: carries doorbells between processes, never the truth (that is in the database)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mozpool_site.settings")

app: Celery = Celery("mozpool")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["devices", "bmm", "lifeguard", "requests_app"])
