"""What can be requested: each image with its hardware, how often it could be installed lately, and how long that took.

The past is read in four queries, most of it as it is kept by day, and remembered for a minute by each process.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from statistics import median
from typing import Any

from django.db.models import Count, Max, Q

from devices.api.v2.names import hardware_name
from devices.models import Image, ImageBootConfig
from devices.models.image import OWN_IMAGES
from lifeguard.models import Install
from mozpool_site.api.access import Caller, Role
from requests_app.daily import kept_since
from requests_app.memory import Memory
from requests_app.models import Request
from requests_app.planning.availability import Reason
from requests_app.snapshot import stock

DAYS = 30
# Times and examples are taken from so many of the newest installs and requests: enough for a median, and bounded.
SAMPLE = 2000
_SHOWN = 5


@dataclass(frozen=True)
class Try:
    """One installation: on which device, when it ended, and in what state it gave up (empty: it succeeded)."""

    device: str
    finished: datetime
    failed_in: str


@dataclass(frozen=True)
class Record:
    """What became of an image in the last DAYS days; `seconds` is the median from a device until `ready`, or None."""

    tries: int = 0
    succeeded: int = 0
    last: datetime | None = None
    seconds: float | None = None
    latest: Sequence[Try] = ()

    @property
    def percent(self) -> int | None:
        """How many of a hundred succeeded, rounded down: 100 only where all did."""
        return self.succeeded * 100 // self.tries if self.tries else None


@dataclass(frozen=True)
class Past:
    """What became of all images: tries, failures and the last one by name, as days keep them; the rest by number."""

    counted: Mapping[str, tuple[int, int, datetime]]
    seconds: Mapping[int, float]
    latest: Mapping[int, Sequence[Try]]

    def of(self, image: Image) -> Record:
        """Return the record of one."""
        if image.name not in self.counted:
            return Record()
        tries, failed, last = self.counted[image.name]
        return Record(tries, tries - failed, last, self.seconds.get(image.pk), self.latest.get(image.pk, ()))


@dataclass(frozen=True)
class Hardware:
    """A type of hardware that an image can be put on, and how many devices of it there are, and free."""

    name: str
    devices: int
    free: int


@dataclass(frozen=True)
class Offer:
    """An image as the catalogue shows it."""

    image: Image
    hardware: Sequence[Hardware]
    record: Record

    @property
    def free(self) -> int:
        """How many devices are free that it can be put on."""
        return sum(one.free for one in self.hardware)


def offers(caller: Caller, now: datetime, *, also: str = "") -> list[Offer]:
    """Give what a caller may see, by name: hidden images for operators only, and the one named `also` for everybody."""
    images = Image.objects.exclude(name__in=OWN_IMAGES).order_by("name")
    if not caller.may(Role.OPERATOR):
        images = images.filter(Q(hidden=False) | Q(name=also))
    there, past = _hardware(now), records.get(now)
    return [Offer(image, there.get(image.pk, ()), past.of(image)) for image in images]


def _hardware(now: datetime) -> dict[int, list[Hardware]]:
    devices: defaultdict[int, int] = defaultdict(int)
    free: defaultdict[int, int] = defaultdict(int)
    for kind, counted in stock.get(now).items():
        devices[kind.hardware_type_id] += counted.total()
        free[kind.hardware_type_id] += counted[Reason.FREE]
    found: defaultdict[int, list[Hardware]] = defaultdict(list)
    matrix = ImageBootConfig.objects.filter(boot_config__active=True)
    columns = ("image_id", "hardware_type_id", "hardware_type__kind", "hardware_type__model")
    order = ("hardware_type__kind", "hardware_type__model")
    for image, pk, kind_name, model in matrix.order_by(*order).values_list(*columns):
        found[image].append(Hardware(hardware_name(kind_name, model), devices[pk], free[pk]))
    return found


def _read(now: datetime) -> Past:
    since = datetime.combine((now - timedelta(days=DAYS)).date(), time.min, UTC)
    recent = Install.objects.filter(finished__gte=since)
    counted = _counted(since)
    columns = ("image_id", "device_id", "device__name", "finished", "succeeded", "failed_in")
    newest = list(recent.order_by("-finished").values(*columns)[:SAMPLE])
    ready = Request.objects.filter(ready_at__gte=since, matched_at__isnull=False).order_by("-ready_at")
    prepared = ready.values_list("image_id", "last_device_id", "matched_at", "ready_at")[:SAMPLE]
    seconds, latest = medians(newest, prepared), _latest(newest)
    return Past(counted, seconds, latest)


def _counted(since: datetime) -> dict[str, tuple[int, int, datetime]]:
    """Return how often each image was tried and failed, and when last; days that are added up are not counted anew."""
    tried: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    last: dict[str, datetime] = {}
    begin = since
    for day, figures in kept_since(since.date()):
        begin = datetime.combine(day, time.min, UTC) + timedelta(days=1)
        for row in figures.images:
            tried[row.name] += row.total
            failed[row.name] += row.failed
            last[row.name] = begin
    rows = Install.objects.filter(finished__gte=begin).order_by().values_list("image__name")
    for name, total, bad, newest in rows.annotate(
        total=Count("pk"), bad=Count("pk", filter=Q(succeeded=False)), newest=Max("finished")
    ):
        tried[name] += total
        failed[name] += bad
        last[name] = newest
    return {name: (tried[name], failed[name], last[name]) for name in tried}


def medians(installs: Iterable[Mapping[str, Any]], prepared: Iterable[Sequence[Any]]) -> dict[int, float]:
    """Give the median seconds from a device until `ready` by image, of requests whose image was really installed.

    `prepared` are (image, device, matched, ready) of requests: one counts where an installation of its image succeeded
    on its device between the two. Others found the image there, and only had the power cycled.
    """
    ends: defaultdict[tuple[int, int], list[datetime]] = defaultdict(list)
    for row in installs:
        if row["succeeded"]:
            ends[row["image_id"], row["device_id"]].append(row["finished"])
    for times in ends.values():
        times.sort()
    taken: defaultdict[int, list[float]] = defaultdict(list)
    for image, device, matched, ready in prepared:
        times = ends.get((image, device), [])
        place = bisect_left(times, matched)
        if place < len(times) and times[place] <= ready:
            taken[image].append((ready - matched).total_seconds())
    return {image: median(times) for image, times in taken.items()}


def _latest(installs: Iterable[Mapping[str, Any]]) -> dict[int, list[Try]]:
    found: defaultdict[int, list[Try]] = defaultdict(list)
    for row in installs:
        if len(found[row["image_id"]]) < _SHOWN:
            failed_in = "" if row["succeeded"] else row["failed_in"] or "unknown"
            found[row["image_id"]].append(Try(row["device__name"], row["finished"], failed_in))
    return found


# What became of each image lately, a minute old at most as a rule.
records: Memory[Past] = Memory(_read, 60.0)
