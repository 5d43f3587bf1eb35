"""Reads the log of a device or a request: its lines of the journal, a page at a time, and what has come since."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from devices.models import Device, Journal
from devices.models.journal import Source
from mozpool_site.errors import InvalidInputError
from pages.device.marks import Mark, search_bound
from pages.live import LOOK_BACK
from pages.tables import chosen

PAGE = 300
# Of a log that grows faster than this while nobody could fetch it, lines are left out.
MOST_NEW = 500
MOST_DOWNLOADED = 20_000
_LONGEST_WORDS = 100
SOURCES = dict(Source.choices)
_COLUMNS = ("pk", "time", "device_id", "source", "actor", "event", "message")

Line = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """Whose log it is: a device's, or a request's with what its devices did for it. `name` is what people call it."""

    name: str
    device: int | None = None
    request: int | None = None

    def lines(self) -> QuerySet[Journal]:
        """Select its lines."""
        lines = Journal.objects.order_by("-time", "-pk")
        if self.device is not None:
            return lines.filter(device_id=self.device)
        return lines.filter(request_id=self.request)


@dataclass(frozen=True)
class Filters:
    """What lines are shown: of one source (empty: all), with these words in their message or by this actor."""

    source: str = ""
    words: str = ""

    @property
    def chosen(self) -> bool:
        """Whether any line is left out."""
        return bool(self.source or self.words)

    def condition(self) -> Q:
        """Select the lines."""
        found = Q(source=self.source) if self.source else Q()
        if self.words:
            found &= Q(message__icontains=self.words) | Q(actor__iexact=self.words)
        return found


@dataclass(frozen=True)
class Part:
    """Lines, the oldest first. `older` is where the part before it begins; `newest` its last line, None without any.

    `searched_to`: the search went back so far and no further; `gap`: more is new than was fetched.
    """

    lines: tuple[Line, ...]
    older: Mark | None = None
    newest: Mark | None = None
    searched_to: datetime | None = None
    gap: bool = False


def filters_of(request: HttpRequest) -> Filters:
    """Read the filters out of an address. Raises InvalidInputError for words that no line could have."""
    words = request.GET.get("q", "").strip()
    if len(words) > _LONGEST_WORDS or "\0" in words:
        raise InvalidInputError(f"q: at most {_LONGEST_WORDS} characters to look for", field="q")
    return Filters(chosen(request, "source", SOURCES), words)


def part(subject: Subject, filters: Filters, before: Mark | None = None) -> Part:
    """Read the newest lines, or those before one. Three queries where some are left out, else two."""
    lines = subject.lines()
    if before is not None:
        lines = lines.filter(before.before())
    bound = search_bound(lines) if filters.chosen else None
    if bound is not None:
        lines = lines.filter(bound.after() | Q(pk=bound.number))
    found = list(lines.filter(filters.condition()).values(*_COLUMNS)[: PAGE + 1])
    page, more = found[:PAGE], len(found) > PAGE
    newest = _mark(page[0]) if page else None
    older = _mark(page[-1]) if more else bound
    return Part(_named(page[::-1]), older, newest, bound.time if bound and not more else None)


def since(subject: Subject, filters: Filters, after: Mark | None) -> Part:
    """Read what came after a line, and the seconds before it again: slow transactions' lines turn up there late."""
    lines = subject.lines().filter(filters.condition())
    if after is not None:
        lines = lines.filter(time__gte=after.time - LOOK_BACK)
    found = list(lines.values(*_COLUMNS)[: MOST_NEW + 1])
    page = found[:MOST_NEW]
    return Part(_named(page[::-1]), newest=_mark(page[0]) if page else after, gap=len(found) > MOST_NEW)


def download(subject: Subject, filters: Filters) -> tuple[tuple[Line, ...], bool]:
    """Read the newest 20,000 lines, and whether there are more."""
    found = list(subject.lines().filter(filters.condition()).values(*_COLUMNS)[: MOST_DOWNLOADED + 1])
    return _named(found[:MOST_DOWNLOADED][::-1]), len(found) > MOST_DOWNLOADED


def _mark(line: Line) -> Mark:
    return Mark(line["time"], 0, line["pk"])


def _named(lines: list[Line]) -> tuple[Line, ...]:
    """Add the names of the lines' devices, in one query; a device that is gone has its number."""
    numbers = {line["device_id"] for line in lines} - {None}
    names = dict(Device.objects.filter(pk__in=numbers).order_by().values_list("pk", "name"))
    return tuple(
        {**line, "device": names.get(line["device_id"], ""), "mark": str(_mark(line))} for line in lines
    )
