"""Answers that come once hardware has been asked: views that wait in no thread, and the same for servers that can't."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps

from django.http import HttpRequest, HttpResponse

from bmm import asking
from bmm.services import Asked
from mozpool_site.api import errors
from mozpool_site.api.endpoint import View
from mozpool_site.api.errors import DATABASE_ERRORS, JSON_TYPE
from mozpool_site.api.legacy import answer
from mozpool_site.errors import MozpoolError
from mozpool_site.waiting import in_thread

# A question is stored under its device's lock, which somebody may keep: who waits for news must not wait for that.
_threads = ThreadPoolExecutor(2, thread_name_prefix="asking")
# The event loop itself keeps no task alive.
_under_way: set[asyncio.Future[HttpResponse]] = set()

AsyncView = Callable[..., Awaitable[HttpResponse]]


class Pending(HttpResponse):
    """An answer that is still to come: `settle` fills it in, once the question has its answer or the time is up."""

    def __init__(self, asked: Asked, success: Callable[[Asked], bool]) -> None:
        super().__init__(content_type=JSON_TYPE)
        self.asked = asked
        self._success = success

    def settle(self) -> None:
        """Answer with what was found. Asks the database."""
        try:
            found: HttpResponse = answer({"success": self._success(self.asked)})
        except MozpoolError as error:
            found = errors.answer(error)
        except DATABASE_ERRORS as error:
            if not errors.database_is_away(error):
                raise
            found = errors.unavailable()
        self.status_code, self.content = found.status_code, found.content
        for name, value in found.items():
            self[name] = value


def in_a_thread(view: View) -> View:
    """Make a view of one that may give a Pending; it waits in the call's thread."""

    @wraps(view)
    def waiting(request: HttpRequest, **parts: str) -> HttpResponse:
        response = view(request, **parts)
        if isinstance(response, Pending):
            asking.wait(response.asked.operation.pk)
            response.settle()
        return response

    return waiting


def in_no_thread(view: View) -> AsyncView:
    """Make an async view of one that may give a Pending: hundreds wait in one thread."""

    @wraps(view)
    async def waiting(request: HttpRequest, **parts: str) -> HttpResponse:
        answering = asyncio.ensure_future(_answer(partial(view, request, **parts)))
        _under_way.add(answering)
        answering.add_done_callback(_under_way.discard)
        # Who goes away meanwhile ends the call, and not what is to be tidied up behind it.
        return await asyncio.shield(answering)

    return waiting


async def _answer(view: Callable[[], HttpResponse]) -> HttpResponse:
    response = await in_thread(view, _threads)
    if isinstance(response, Pending):
        await asking.looker().ended(response.asked.operation.pk, asking.SECONDS)
        await in_thread(response.settle, _threads)
    return response
