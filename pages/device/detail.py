"""All that the page of one device shows, read in a number of queries that does not grow with its story."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q

from bmm.controller_traits import traits_from
from bmm.models import OPEN, Operation
from devices.listing import device_named
from devices.models import Device, Image, ImageBootConfig, Journal
from devices.models.image import SELF_TEST
from devices.models.power_controller import ControllerHealth
from devices.models.rack import pulse_is_silent
from devices.names import HOSTNAME
from lifeguard.bounds import power_of
from lifeguard.models import Install
from lifeguard.quarantine import is_quarantined
from lifeguard.states import DEVICE
from mozpool_site import clock
from mozpool_site.access.roles import Role
from mozpool_site.api.access import Caller
from mozpool_site.api.legacy import MASK
from pages import live
from pages.device import actions, outlook, road, streams
from pages.device.drawing import Box, Drawing, draw
from pages.device.marks import Mark
from pages.device.story import Day, Entry, by_day, folded, steps, with_durations
from pages.families import family
from requests_app import lease
from requests_app.api.ownership import owns, shown
from requests_app.models import Request
from requests_app.planning.availability import Availability
from requests_app.snapshot import availability_of, row_of

PAGE = 80
# A page that has been open for hours has grown; beyond this it says so.
_MOST_LIVE = 400
# How far back the states are looked for that led here.
_PATH = timedelta(hours=2)
_PATH_LINES = 60
_RELATED = ("rack", "hardware_type", "power_controller", "image", "next_image", "netboot")


@dataclass(frozen=True)
class Story:
    """A part of the story. `older` is where the part before it begins, `since` its own oldest entry.

    `searched_to`: a search for its kind went back so far. `gap`: so much has happened since the page was opened that
    not all of it is here.
    """

    days: tuple[Day, ...]
    kind: str
    older: Mark | None
    since: Mark | None
    searched_to: datetime | None = None
    gap: bool = False


@dataclass(frozen=True)
class Outlook:
    """Where the device is: on the road of its task, and in the drawn machine with the family of each box."""

    task: str
    places: tuple[road.Place, ...]
    drawing: Drawing
    boxes: tuple[tuple[Box, str], ...]
    allowed: str


@dataclass(frozen=True)
class Values:
    """A boot config as somebody may see it: its values by key, or masked."""

    items: tuple[tuple[str, object], ...] = ()
    masked: bool = False


@dataclass(frozen=True)
class Detail:
    """One device as a person sees it. `holder` is the request that holds it, `mine` whether that is theirs."""

    device: Device
    now: datetime
    holder: Request | None
    mine: bool
    groups: tuple[actions.Group, ...]
    outlook: Outlook
    operations: tuple[Operation, ...]
    boot_config: Values
    next_boot_config: Values
    installs: Mapping[str, Any]
    rack_down: bool
    controller_suspect: bool
    availability: Availability

    @property
    def warnings(self) -> tuple[str, ...]:
        """What there is to know before one of the actions is taken."""
        return actions.warnings(self.groups)

    @property
    def meaning(self) -> str:
        """What the table says of the present state."""
        return DEVICE[self.device.state].doc

    @property
    def seconds_here(self) -> float:
        """How long it has been in its state."""
        return max(0.0, (self.now - self.device.state_since).total_seconds())

    @property
    def seconds_left(self) -> float | None:
        """How long its request still has it; None where there is none."""
        if self.holder is None:
            return None
        held = self.holder
        return lease.seconds_left(held.duration, held.ready_at, held.expires, self.now)

    @property
    def resting(self) -> bool:
        """Whether it is out of the pool until somebody brings it back."""
        return "steady" in DEVICE[self.device.state].tags

    @property
    def mac(self) -> str:
        """Its MAC address as people write it."""
        return ":".join(self.device.mac[at : at + 2] for at in range(0, 12, 2))

    @property
    def quarantined(self) -> bool:
        """Whether somebody, or Lifeguard, says that something is wrong with it."""
        return bool(self.device.quarantine_reason)


def detail(name: str, caller: Caller) -> Detail:
    """Read one device, but for its story. Raises UnknownNameError."""
    device = device_named(name, *_RELATED)
    now = clock.now()
    held = Request.objects.filter(pk=device.held_by).select_related("image") if device.held_by else ()
    holder = next(iter(held), None)
    mine = holder is not None and caller.may(Role.REQUESTER) and caller.owns(holder.owner)
    # Until their own is installed, a device has what whoever held it before was told.
    own = holder.boot_config if holder is not None and owns(caller, holder.owner) else None
    controller = device.power_controller
    suspect = controller is not None and controller.health(now) is ControllerHealth.SUSPECT
    rack_down = pulse_is_silent(device.rack.pulse_seen, now)
    standing = _standing(device, caller, holder, mine=mine)
    broken = controller.name if controller and suspect else ""
    return Detail(
        device,
        now,
        holder,
        mine,
        actions.grouped(replace(standing, suspect_controller=broken, rack_down=rack_down)),
        _outlook(device),
        tuple(Operation.objects.filter(device=device, status__in=OPEN).order_by("not_before", "pk")),
        _boot_config(device.boot_config, own, caller),
        _boot_config(device.next_boot_config, own, caller),
        _installs(device),
        rack_down,
        suspect,
        availability_of(row_of(device), now, holder.expires if holder else None),
    )


def _boot_config(boot_config: str, own: str | None, caller: Caller) -> Values:
    return _values(shown(boot_config, allowed=caller.may(Role.OPERATOR) or boot_config == own))


def _standing(device: Device, caller: Caller, holder: Request | None, *, mine: bool) -> actions.Standing:
    return actions.Standing(
        state=device.state,
        role=caller.role,
        held_by=device.held_by,
        holder=holder.assignee if holder else "",
        mine=mine,
        has_outlet=device.power_controller_id is not None and bool(device.outlet),
        netboot=device.netboot_id is not None,
        quarantined=is_quarantined(device.health, device.quarantine_by),
        can_self_test=_can_self_test(device),
    )


def story(
    device: Device,
    caller: Caller,
    *,
    kind: str = "",
    before: Mark | None = None,
    since: Mark | None = None,
    now: datetime | None = None,
) -> Story:
    """Read a part of a device's story: from its newest entry or `before` one, a page or as far back as `since`."""
    now = now or clock.now()
    found = streams.read(
        device,
        kind,
        now=now,
        most=_MOST_LIVE if since else PAGE,
        before=before,
        since=since,
        audit=caller.may(Role.OPERATOR),
    )
    oldest = _mark_of(found.entries, before)
    told = steps(found.entries)
    if kind in ("", "state"):
        told = with_durations(told, before.left if before else None, now)
    days = tuple(by_day(folded(told)))
    if since is not None:
        return Story(days, kind, since, since, gap=found.more or found.searched_to is not None)
    end = found.searched_to
    return Story(days, kind, oldest if found.more else end, oldest, end.time if end else None)


def version(name: str) -> str:
    """Give a word that changes with whatever the page of a device shows; four reads of indexes."""
    row = Device.objects.filter(name=name).values().first() if HOSTNAME.fullmatch(name) else None
    if row is None:
        return "none"
    work = Operation.objects.filter(device=row["id"], status__in=OPEN).order_by("pk")
    under_way = list(work.values_list("pk", "status", "attempts", "runner"))
    return f"{live.version(device=row['id'])}.{row}.{under_way}"


def _mark_of(entries: list[Entry], before: Mark | None) -> Mark | None:
    if not entries:
        return None
    entered = [entry.time for entry in entries if entry.state]
    left = entered[-1] if entered else before.left if before else None
    return Mark(*entries[-1].key, left)


def _outlook(device: Device) -> Outlook:
    image = device.next_image or device.image
    columns = {field.name: getattr(image, field.name) for field in Image._meta.fields} if image else {}
    columns |= asdict(power_of(traits_from(device.power_controller)))
    facts = outlook.known_facts(columns, held=device.held_by is not None)
    state = device.state if device.state in DEVICE else DEVICE.fallback
    task, places = road.places(state, device.next_image.name if device.next_image else None)
    counters = {name: int(count) for name, count in device.counters.items()}
    drawn = draw(state, _came_from(device), outlook.ways(state, facts, counters))
    held = device.held_by is not None
    boxes = tuple((box, family(box.state, held=held and box.role == "now")) for box in drawn.boxes)
    return Outlook(task, places, drawn, boxes, outlook.time_allowed(state, facts))


def _came_from(device: Device) -> list[str]:
    """Name the states that the device was in before its present one, the latest last; none that is only passed."""
    since = device.state_since - _PATH
    lines = Journal.objects.filter(device_id=device.pk, time__gte=since, time__lte=device.state_since)
    entered = lines.filter(to_state__gt="").order_by("-time", "-id").values_list("from_state", "to_state")
    path: list[str] = []
    for left, state in entered[:_PATH_LINES]:
        for one in (state, left):
            if one in DEVICE and DEVICE[one].passes_to is None and (path[-1:] or [device.state]) != [one]:
                path.append(one)
    return path[:3][::-1]


def _can_self_test(device: Device) -> bool:
    matrix = ImageBootConfig.objects.filter(image__name=SELF_TEST, boot_config__active=True)
    return matrix.filter(hardware_type=device.hardware_type_id).exists()


def _installs(device: Device) -> Mapping[str, Any]:
    failed = Q(succeeded=False)
    return Install.objects.filter(device=device).aggregate(
        done=Count("pk", filter=~failed),
        failed=Count("pk", filter=failed),
        last_failed=Max("finished", filter=failed),
    )


def _values(text: str) -> Values:
    if text == MASK:
        return Values(masked=True)
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return Values((("", text),))
    return Values(tuple(value.items())) if isinstance(value, dict) else Values((("", text),))
