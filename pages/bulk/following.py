"""A batch under way: what it is, how far it has come, and what became of each device; live until it has ended."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from bmm.models import Operation, Status
from lifeguard.bulk import progress, services
from lifeguard.bulk.models import UNSETTLED, UNSUCCESSFUL, Batch, BatchItem, Progress
from lifeguard.bulk.verbs import VERBS
from mozpool_site.api.access import Role
from mozpool_site.api.values import LARGEST_ID
from mozpool_site.errors import ConflictError, NotAllowedError, UnknownNameError
from pages.access import Person, page
from pages.live import live
from pages.tables import Page, page_of

# Each look of somebody's pushes the batch on for so long.
_LOOK_SECONDS = 0.3
_LISTED = 25
_MASK = "***"
# What is said of a device whose operation waits for its worker, or is being carried out.
_OF_OPERATION: dict[str, str] = {Status.QUEUED.value: "asked", Status.RUNNING.value: "running"}
# What the page can be narrowed down to, and the items that this shows.
SHOWN: dict[str, tuple[str, tuple[Progress, ...]]] = {
    "": ("All", tuple(Progress)),
    "waiting": ("Waiting", (Progress.WAITING,)),
    "asked": ("Under way", (Progress.ASKED,)),
    "done": ("Done", (Progress.DONE,)),
    "failed": ("Failed", UNSUCCESSFUL),
}


@dataclass(frozen=True)
class Tab:
    """A part of the batch's devices: how many, and whether it is the one shown."""

    name: str
    label: str
    number: int
    current: bool


@dataclass(frozen=True)
class Counts:
    """How many devices of a batch are how far; `seq` changes whenever one of them moves."""

    by_progress: dict[str, int]
    seq: int

    @classmethod
    def of(cls, batch_id: int) -> "Counts":
        """Count, in one query."""
        items = BatchItem.objects.filter(batch=batch_id).order_by().values("progress")
        rows = list(items.annotate(n=Count("pk"), seq=Sum("device__state_seq")))
        return cls({row["progress"]: row["n"] for row in rows}, sum(row["seq"] for row in rows))

    def of_these(self, wanted: tuple[Progress, ...]) -> int:
        """Add some of them up."""
        return sum(self.by_progress.get(one, 0) for one in wanted)

    @property
    def total(self) -> int:
        """All devices; those that were deleted since are not there any more."""
        return sum(self.by_progress.values())

    @property
    def failed(self) -> int:
        """Those that are over without success."""
        return self.of_these(UNSUCCESSFUL)

    @property
    def ended(self) -> int:
        """Those that are over."""
        return self.total - self.of_these(UNSETTLED)


@page(Role.VIEWER)
def bulk(request: HttpRequest, person: Person, number: int) -> HttpResponse:
    """Show a batch."""
    batch = _pushed(number)
    return render(request, "pages/bulk/batch.html", _context(request, person, batch, Counts.of(number)))


def _version(request: HttpRequest, person: Person, number: int) -> str:
    """Push the batch on, and give a word that changes with what the page shows of it."""
    batch, counts = _pushed(number), Counts.of(number)
    # The view is asked for what this has just read, unless the page has it already.
    request.looked_at = (batch, counts)  # type: ignore[attr-defined]
    asked = BatchItem.objects.filter(batch=number, progress=Progress.ASKED).values("operation")
    running = Operation.objects.filter(pk__in=asked, status=Status.RUNNING)
    begun = running.aggregate(n=Count("pk"), last=Sum("pk"))
    return f"{sorted(counts.by_progress.items())} {counts.seq} {begun} {batch.finished} {batch.stopped_at}"


@page(Role.VIEWER)
@live(_version)
def bulk_part(request: HttpRequest, person: Person, number: int) -> HttpResponse:
    """Give what changes of a batch's page; it is not asked for again once the batch has ended."""
    batch, counts = request.looked_at  # type: ignore[attr-defined]
    response = render(request, "pages/bulk/_batch.html", _context(request, person, batch, counts))
    if batch.finished is not None:
        response["X-Live-Over"] = "1"
    return response


@page(Role.VIEWER)
def bulks(request: HttpRequest, person: Person) -> HttpResponse:
    """List the batches, the newest first."""
    found = page_of(request, Batch.objects.order_by("-pk"), per_page=_LISTED)
    counted = BatchItem.objects.filter(batch__in=[batch.pk for batch in found.rows]).order_by()
    numbers: dict[int, dict[str, int]] = {}
    for row in counted.values("batch_id", "progress").annotate(n=Count("pk")):
        numbers.setdefault(row["batch_id"], {})[row["progress"]] = row["n"]
    batches = [
        {
            "row": batch,
            "label": VERBS[batch.verb].label if batch.verb in VERBS else batch.verb,
            "counts": Counts(numbers.get(batch.pk, {}), 0),
        }
        for batch in found.rows
    ]
    return render(request, "pages/bulk/list.html", {"page": found, "batches": batches})


@page(post=Role.REQUESTER)
def bulk_stop(request: HttpRequest, person: Person, number: int) -> HttpResponse:
    """Call off what has not begun; for operators, and for whoever started it."""
    batch = _batch(number)
    if not person.may(Role.OPERATOR) and batch.actor != person.name:
        raise NotAllowedError(
            "stopping a bulk action is for whoever started it and for operators", field="bulk"
        )
    try:
        left = services.stop(number, by=person.actor)
        messages.success(request, f"Stopped: {left} device{'s were' if left != 1 else ' was'} left alone.")
    except ConflictError as error:
        messages.warning(request, f"Too late: {error.detail}.")
    progress.advance(number, budget_seconds=0)
    return HttpResponseRedirect(reverse("pages:bulk", args=[number]))


def _batch(number: int) -> Batch:
    batch = Batch.objects.filter(pk=number).first() if number <= LARGEST_ID else None
    if batch is None:
        raise UnknownNameError(f"there is no bulk action {number}", field="bulk")
    return batch


def _pushed(number: int) -> Batch:
    """Give a batch once this look has pushed it on."""
    batch = _batch(number)
    if batch.finished is None and not progress.advance(number, budget_seconds=_LOOK_SECONDS):
        batch.refresh_from_db()
    return batch


def _context(request: HttpRequest, person: Person, batch: Batch, counts: Counts) -> dict[str, Any]:
    shown = request.GET.get("show", "")
    shown = shown if shown in SHOWN else ""
    items = BatchItem.objects.filter(batch=batch, progress__in=SHOWN[shown][1]).select_related("device")
    found = page_of(request, items.order_by("pk"))
    verb = VERBS.get(batch.verb)
    waiting = counts.by_progress.get(Progress.WAITING, 0)
    mine = person.may(Role.OPERATOR) or batch.actor == person.name
    return {
        "batch": batch,
        "verb": verb,
        "label": verb.label if verb else batch.verb,
        "counts": counts,
        "waiting": waiting,
        "arguments": _arguments(batch, person),
        "tabs": [
            Tab(name, label, counts.of_these(which), name == shown) for name, (label, which) in SHOWN.items()
        ],
        "shown": shown,
        "page": found,
        "rows": _rows(found),
        "may_stop": mine and waiting > 0,
        "may_try_again": mine and batch.finished is not None and counts.failed > 0,
        "part": f"{reverse('pages:bulk_part', args=[batch.pk])}?{request.GET.urlencode()}",
    }


def _rows(found: Page[BatchItem]) -> list[dict[str, Any]]:
    """Add to a page's items what their operations are up to: one query."""
    numbers = [item.operation for item in found.rows if item.operation and item.progress == Progress.ASKED]
    operations: QuerySet[Operation, Any] = Operation.objects.filter(pk__in=numbers)
    up_to = {
        pk: (status, message) for pk, status, message in operations.values_list("pk", "status", "message")
    }
    return [_row(item, *up_to.get(item.operation or 0, ("", ""))) for item in found.rows]


def _row(item: BatchItem, status: str, message: str) -> dict[str, Any]:
    word = _OF_OPERATION.get(status, str(Progress(item.progress).label))
    took = None
    if item.ended and item.asked and item.progress in (Progress.DONE, Progress.FAILED):
        took = (item.ended - item.asked).total_seconds()
    return {
        "item": item,
        "device": item.device,
        "word": word,
        "message": item.message or message,
        "took": took,
    }


def _arguments(batch: Batch, person: Person) -> list[tuple[str, str]]:
    """Give what the verb was given, for people; values of images may hold secrets, and are the operators'."""
    told: list[tuple[str, str]] = []
    for name, value in batch.arguments.items():
        if name == "from":
            continue
        if not isinstance(value, dict):
            told.append((name, str(value)))
        elif value and not person.may(Role.OPERATOR):
            told.append((name, _MASK))
        else:
            told += [(key, str(one)) for key, one in value.items()]
    return told
