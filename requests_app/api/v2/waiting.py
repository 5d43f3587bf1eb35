"""The calls that wait: a long poll of one request. An async view, so that hundreds wait in one thread.

Where the web server can't wait (Django's own), the same path is served by requests.py and answers at once.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from mozpool_site.api.access import Caller, Role, demand, identify, listed_origin, role_of
from mozpool_site.api.endpoint import with_and_without_slash
from mozpool_site.api.v2 import handler
from mozpool_site.api.values import LARGEST_ID, row_id
from mozpool_site.errors import InvalidInputError, MozpoolError, TooManyError, UnknownNameError
from mozpool_site.transactions import UNAVAILABLE
from mozpool_site.waiting import OnePerLoop, in_thread
from requests_app.api.v2 import rendering
from requests_app.api.v2.rendering import Entry
from requests_app.models import Request
from requests_app.waiting.watcher import watcher

LONGEST_WAIT = 60
# Who asks at the same moment is answered together.
_GATHER_SECONDS = 0.01
_FULL_SECONDS = 15

AsyncView = Callable[..., Awaitable[HttpResponseBase]]


def problems_told(view: AsyncView) -> AsyncView:
    """Answer with a problem for what a view raises, and let nobody keep what was meant for one caller."""

    @csrf_exempt
    @wraps(view)
    async def told(request: HttpRequest, **parts: str) -> HttpResponseBase:
        try:
            response = await view(request, **parts)
        except Exception as error:
            problem = handler.handle(error, {})
            if problem is None:
                raise
            response = problem
        response.headers.setdefault("Cache-Control", "no-store")
        patch_vary_headers(response, ("Authorization", "Cookie", "Origin"))
        if origin := listed_origin(request):
            response.headers["Access-Control-Allow-Origin"] = origin
        return response

    return told


async def caller_of(request: HttpRequest, known: Iterable[str]) -> Caller:
    """Find out who calls, and check that they may look and send only query parameters that are known."""

    def identified() -> Caller:
        caller = identify(request)
        demand(caller, Role.VIEWER)
        return caller

    caller = await in_thread(identified)
    for name in request.GET:
        if name not in known:
            there = ", ".join(sorted(known))
            raise InvalidInputError(
                f"unknown query parameter {name[:60]!r}; there are: {there}", field=name[:60]
            )
    return caller


class Places:
    """How many calls of each caller wait in this process: nobody's may fill it."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def demand(self, caller: Caller) -> None:
        """Raise TooManyError where the caller has as many as anybody may."""
        if self._taken[caller.name] >= settings.MOZPOOL_MAX_WAITING:
            raise TooManyError(
                f"{caller.name} has {settings.MOZPOOL_MAX_WAITING} streams and long polls open here already",
                retry_after=_FULL_SECONDS,
            )

    @contextmanager
    def taken(self, caller: Caller) -> Iterator[None]:
        """Take a place for a while. Raise TooManyError where there is none."""
        self.demand(caller)
        self._taken[caller.name] += 1
        try:
            yield
        finally:
            self._taken[caller.name] -= 1
            # Names come and go for years.
            self._taken += Counter()


places = OnePerLoop(Places)


def still_welcome(request: HttpRequest, caller: Caller) -> bool:
    """Whether the credentials of who has been listening for a while are still what they were. Asks the database.

    While that is away they are taken to be.
    """
    try:
        if caller.by == "session":
            # What the first look found is kept with the request.
            request.session = type(request.session)(request.session.session_key)
            user = get_user(request)
            return isinstance(user, User) and role_of(user) == caller.role
        return identify(request) == caller
    except UNAVAILABLE:
        return True
    except MozpoolError:
        return False


def whole_number(query: Mapping[str, str], name: str, most: int) -> int | None:
    """Give a whole number from 0 out of the query string. Raises InvalidInputError."""
    text = query.get(name)
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else most + 1
    if number > most:
        raise InvalidInputError(f"{name}: a whole number from 0 to {most} expected", field=name)
    return number


def read_waiting(query: Mapping[str, str]) -> tuple[int, int | None]:
    """Give the seconds to wait, and the `state_seq` that the caller knows. Raises InvalidInputError."""
    seconds = whole_number(query, "wait", LONGEST_WAIT) or 0
    return seconds, whole_number(query, "state_seq", LARGEST_ID)


def number_in(path: str) -> int:
    """Give the number of a request out of a path. Raises UnknownNameError."""
    number = row_id(path)
    if number is None:
        raise UnknownNameError(f"there is no request {path[:63]!r}", field="id")
    return number


class Loader:
    """Renders requests for many who ask at the same moment, in one go."""

    def __init__(self) -> None:
        self._asked: dict[int, list[asyncio.Future[Entry | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def load(self, number: int, caller: Caller) -> Entry:
        """Give a request as a caller sees it. Raises UnknownNameError."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Entry | None] = loop.create_future()
        self._asked.setdefault(number, []).append(answer)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        entry = await answer
        if entry is None:
            raise UnknownNameError(f"there is no request {number}", field="id")
        return rendering.seen(entry, caller)

    async def _run(self) -> None:
        while self._asked:
            await asyncio.sleep(_GATHER_SECONDS)
            asked, self._asked = self._asked, {}
            # Who has gone away meanwhile has cancelled theirs.
            there = [(number, one) for number, answers in asked.items() for one in answers]
            try:
                found = await in_thread(partial(_render, tuple(asked)))
            except Exception as error:  # noqa: BLE001 - each of those who asked gets it, and tells it
                for _, answer in there:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for number, answer in there:
                if not answer.done():
                    answer.set_result(found.get(number))


def _render(numbers: Iterable[int]) -> dict[int, Entry]:
    rows = Request.objects.filter(pk__in=numbers).values(*rendering.COLUMNS)
    return {entry["id"]: entry for entry in rendering.whole_entries(rows)}


_loader = OnePerLoop(Loader)


async def load(number: int, caller: Caller) -> Entry:
    """Give a request as a caller sees it. Raises UnknownNameError."""
    return await _loader().load(number, caller)


@problems_told
async def long_poll(request: HttpRequest, id: str) -> HttpResponseBase:  # noqa: A002 - as the schema calls it
    """Give a request when its `state_seq` is no longer the one that the caller knows, or the time is up."""
    caller = await caller_of(request, ("wait", "state_seq"))
    number = number_in(id)
    seconds, known = read_waiting(request.GET)
    with places().taken(caller), watcher().watch(number) as watch:
        entry = await load(number, caller)
        if known is None:
            known = entry["state_seq"]
        # What has ended does not change any more.
        if seconds and entry["state_seq"] == known and entry["ended"] is None:
            await watch.differs(known, seconds)
            entry = await load(number, caller)
    return rendering.answer(entry, request)


urlpatterns: list[URLPattern] = with_and_without_slash("requests/<str:id>", long_poll)
