"""The application without the calls that wait, for servers that know WSGI only; asgi.py is what ours serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mozpool_site.settings")

application = get_wsgi_application()
