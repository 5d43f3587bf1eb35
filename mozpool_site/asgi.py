"""What every web process serves: one ASGI application for pages, API and waiting.

Most calls are short and wait for the database only: they run in a few threads, which keep their connections to it.
Calls that wait (a long poll, a stream of events, old clients' questions to hardware) are async views: hundreds of them
share one thread.
"""

import gc
import os
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mozpool_site.settings")

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.wsgi import get_wsgi_application
from django.http.response import HttpResponseBase
from django.template.loader import get_template
from django.urls import reverse

from mozpool_site.api.v2 import problems
from mozpool_site.bridge import Bridge, Receive, Scope, Send
from mozpool_site.stopping import watch_for_the_end

_STREAM = re.compile(r"/api/v2/(?:.*/)?events/?")
_ASKS_HARDWARE = re.compile(r"/api/(?:device/[^/]+/ping|relay/[^/]+/test)/?")
_LONG_POLL = re.compile(r"/api/v2/requests/[^/]+/?")
_CLOSE = (b"connection", b"close")
_WAITING_ROUTES = "mozpool_site.urls_waiting"


def waits(scope: Scope) -> bool:
    """Whether a call may take long because it waits for news, or for an answer of hardware."""
    path = scope["path"]
    if scope["method"] not in ("GET", "HEAD"):
        return False
    if _ASKS_HARDWARE.fullmatch(path):
        return True
    if not path.startswith("/api/v2/"):
        return False
    if _STREAM.fullmatch(path):
        return True
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return bool(_LONG_POLL.fullmatch(path)) and any(name == "wait" for name, _ in query)


def brings_body(scope: Scope) -> bool:
    """Whether a call has a body."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0")
        for name, value in scope["headers"]
    )


async def _refuse_body(send: Send) -> None:
    """Refuse a call that waits and has a body: Django would take in one of any length, to the disk."""
    refused = problems.answer("invalid", "a call that waits takes no body", field="body")
    headers = [(name.lower().encode(), value.encode()) for name, value in refused.items()]
    await send({"type": "http.response.start", "status": refused.status_code, "headers": [*headers, _CLOSE]})
    await send({"type": "http.response.body", "body": refused.content})


class WaitingHandler(ASGIHandler):
    """Serves calls that wait by their own routes: async views, where the same paths have short ones else."""

    def create_request(
        self, scope: Mapping[str, Any], body_file: IO[bytes]
    ) -> tuple[ASGIRequest, None] | tuple[None, HttpResponseBase]:
        """Make the request, or the answer that refuses it, and name the routes."""
        made = super().create_request(scope, body_file)
        if made[0] is not None:
            made[0].urlconf = _WAITING_ROUTES
        return made


class Application:
    """Sends each call to the side where it belongs."""

    def __init__(self) -> None:
        self._short = Bridge(get_wsgi_application(), settings.MOZPOOL_WEB_THREADS)
        self._waiting = WaitingHandler()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call, or the server's own start and end."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif waits(scope) and brings_body(scope):
            await _refuse_body(send)
        elif waits(scope):
            # Not through the handler's own __call__: it would give each call a thread, and with it a connection
            # to the database, for as long as the call waits.
            await self._waiting.handle(scope, receive, send)
        else:
            await self._short(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    """Go through the life of this process with the server."""
    await receive()
    watch_for_the_end()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _settle() -> None:
    """Load what the first call would, and spare the collector all that stays: looking it through took 80 ms a time.

    That call may be somebody's look at a page: routes and templates, read then, made half a second of it.
    """
    for routes in (settings.ROOT_URLCONF, _WAITING_ROUTES):
        import_module(routes)
    # To find one address by its name, Django puts all routes in order, and those of a namespace once more.
    reverse("admin:index")
    for folder in map(Path, settings.TEMPLATES[0]["DIRS"]):
        for template in folder.rglob("*.html"):
            get_template(template.relative_to(folder).as_posix())
    gc.collect()
    gc.freeze()


application = Application()
_settle()
