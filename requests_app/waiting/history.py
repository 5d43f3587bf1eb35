"""How long things took lately: what estimates are made of. Two queries, remembered for half a minute."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from requests_app.memory import Memory
from requests_app.models import Request

# Lately: within a day, and of those the last so many.
_LATELY = timedelta(days=1)
_MOST = 2000


@dataclass(frozen=True)
class History:
    """Medians in seconds: from a device to `ready` by image, and for how long a request has a device (or None)."""

    preparation: Mapping[int, float]
    use: float | None


def _read(now: datetime) -> History:
    since = now - _LATELY
    matched = Request.objects.filter(matched_at__isnull=False)
    prepared = matched.filter(ready_at__gte=since).order_by("-ready_at")
    taken: defaultdict[int, list[float]] = defaultdict(list)
    for image, begin, end in prepared.values_list("image_id", "matched_at", "ready_at")[:_MOST]:
        # Where a second device was needed after `ready`, the first one's time is not known any more.
        if begin and end and end >= begin:
            taken[image].append((end - begin).total_seconds())
    used = matched.filter(ended__gte=since).order_by("-ended").values_list("matched_at", "ended")[:_MOST]
    times = [(end - begin).total_seconds() for begin, end in used if begin and end]
    return History(
        {image: median(seconds) for image, seconds in taken.items()}, median(times) if times else None
    )


# The medians, half a minute old at most as a rule.
history: Memory[History] = Memory(_read, 30.0)
