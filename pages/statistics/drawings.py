"""Makes the page's charts and figures of a report: pure, from numbers to drawings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.urls import reverse

from pages.charts import Bar, Chart, HeatRow, Series, areas, bands, bars, columns, heat
from pages.charts.percentiles import Spread
from pages.charts.scale import count_text, duration_text, share_text
from pages.statistics.queries import Failures
from pages.statistics.report import Report

# Environments with a colour of their own; the rest share one.
_COLOURS = 5
# Rows of the sheet of racks: the busiest, where there are more.
_MOST_RACKS = 40

Places = Mapping[tuple[int, str, str], int]


@dataclass(frozen=True)
class Figure:
    """One number that sums up the period."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Section:
    """Charts that belong together; `note` says what the numbers mean."""

    title: str
    note: str
    charts: tuple[Chart, ...]


def figures(report: Report, places: Places) -> list[Figure]:
    """Sum the period up."""
    served, left, failed = (sum(slot[part] for slot in report.outcomes) for part in range(3))
    ended = served + left + failed
    share = _share(
        sum(map(sum, report.use.values())),
        sum(places.values()) * sum(_passed(report)),
    )
    return [
        Figure("Served", f"{served:,}", f"of {ended:,} requests that ended"),
        Figure("Failed", f"{failed:,}", share_text(failed / ended) if ended else "none ended"),
        Figure("Half waited at most", _worst_half(report.times.waiting), "on the worst day or hour"),
        Figure("In use", "-" if share is None else share_text(share), f"of {sum(places.values()):,} devices"),
    ]


def sections(report: Report, places: Places) -> list[Section]:
    """Draw everything."""
    slots = report.period.slots()
    return [
        Section(
            "How long requests take",
            "Waiting: from filing to the device, by when it was filed. Preparing: from the device to ready. "
            f"In use: from ready to returned or expired, by when it ended.{_sampled(report.times.step)}",
            (
                bands("waiting", "Waiting", "requests", slots, report.times.waiting),
                bands("preparing", "Preparing", "requests", slots, report.times.preparing),
                bands("using", "In use", "requests", slots, report.times.using),
            ),
        ),
        Section(
            "How much the pool is used",
            "A device is in use while a request holds it, from its preparation on. Shares are of the devices that "
            "there are today.",
            (_outcomes(report), _environments(report, places), _racks(report, places)),
        ),
        Section(
            "What fails",
            "Installations that failed, by device and by image; and operations that power controllers failed.",
            (
                _installs("devices", "Devices", "Device", report.devices, linked=True),
                _installs("images", "Images", "Image", report.images),
                _controllers(report.controllers),
            ),
        ),
    ]


def _sampled(step: int) -> str:
    return "" if step == 1 else f" Times are of one request in {step}."


def _outcomes(report: Report) -> Chart:
    served, left, failed = ([slot[part] for slot in report.outcomes] for part in range(3))
    return columns(
        "outcomes", "Requests that ended", report.period.slots(),
        [
            Series("served", "chart-fill-ok", served),
            Series("given up before ready", "chart-fill-quiet", left),
            Series("failed", "chart-fill-danger", failed),
        ],
    )  # fmt: skip


def _environments(report: Report, places: Places) -> Chart:
    """Draw how many devices were in use on average, the largest environment at the foot."""
    sizes: dict[str, int] = {}
    for (_, _, environment), number in places.items():
        sizes[environment] = sizes.get(environment, 0) + number
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    own, rest = names[:_COLOURS], names[_COLOURS:]
    series = [
        Series(name, f"chart-fill-{place + 1}", _average(report, {name})) for place, name in enumerate(own)
    ]
    if rest:
        series.append(Series("others", "chart-fill-quiet", _average(report, set(rest))))
    return areas(
        "environments", "Devices in use by environment", report.period.slots(), series, sum(sizes.values())
    )


def _average(report: Report, environments: set[str]) -> list[float]:
    mine = [seconds for (_, environment), seconds in report.use.items() if environment in environments]
    return [
        sum(seconds[place] for seconds in mine) / passed if passed else 0.0
        for place, passed in enumerate(_passed(report))
    ]


def _racks(report: Report, places: Places) -> Chart:
    sizes: dict[tuple[int, str], int] = {}
    for (rack, name, _), number in places.items():
        sizes[rack, name] = sizes.get((rack, name), 0) + number
    rows = [
        HeatRow(name, _shares(report, rack, number))
        for (rack, name), number in sorted(sizes.items(), key=lambda item: _natural(item[0][1]))
    ]
    title = "Share of each rack in use"
    if len(rows) > _MOST_RACKS:
        title = f"Share in use of the {_MOST_RACKS} busiest of {len(rows)} racks"
        rows = sorted(rows, key=lambda row: -sum(share or 0 for share in row.shares))[:_MOST_RACKS]
    return heat("racks", title, report.period.slots(), rows)


def _natural(name: str) -> tuple[str, int, str]:
    """Sort p2 before p10."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return (stem, int(digits or 0), name)


def _shares(report: Report, rack: int, number: int) -> list[float | None]:
    mine = [seconds for (where, _), seconds in report.use.items() if where == rack]
    return [
        _share(sum(seconds[place] for seconds in mine), number * passed)
        for place, passed in enumerate(_passed(report))
    ]


def _passed(report: Report) -> list[float]:
    return [report.period.passed(place, report.read) for place in range(report.period.number)]


def _share(part: float, whole: float) -> float | None:
    return min(1.0, part / whole) if whole > 0 else None


def _worst_half(spreads: Sequence[Spread | None]) -> str:
    halves = [spread.half for spread in spreads if spread is not None]
    return duration_text(max(halves)) if halves else "-"


def _installs(key: str, title: str, what: str, failures: Failures, *, linked: bool = False) -> Chart:
    rows = [
        Bar(name, parts, f"of {count_text(total)}", reverse("pages:device", args=[name]) if linked else "")
        for name, parts, total in failures
    ]
    return bars(key, title, rows, [("chart-fill-danger", "failed")], what, "of all")


def _controllers(failures: Failures) -> Chart:
    rows = [Bar(name, parts) for name, parts, _ in failures]
    parts = [("chart-fill-danger", "did not switch"), ("chart-fill-warn", "did not answer")]
    return bars("controllers", "Power controllers", rows, parts, "Power controller")
