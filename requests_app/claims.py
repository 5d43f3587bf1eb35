"""Brings free devices and waiting requests together in the database. The ranking itself is in matching.py.

A claim is one conditional UPDATE, or the lock of a row that is found free and the UPDATE of its next step, in one
transaction. Rivals pass over the rows that others have locked; only an empty list of candidates, read without locks,
means that nothing is free.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.db.models.lookups import Contains

from devices.models import Device, ImageBootConfig
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from mozpool_site.transactions import retrying
from requests_app.free_devices import free_devices
from requests_app.machine import request_runner
from requests_app.matching import Demand, Offer, fits, has_image, in_turn, ranked
from requests_app.models import Request
from requests_app.planning.pool import ANY

# How many of the best free devices are looked at in one go; about as many rivals get by without waiting.
_CANDIDATES = 16
# Waiting requests read in one go.
_QUEUE = 200


def demands_of(requests: Iterable[Request]) -> list[Demand]:
    """Read what requests want, in one query for all; their images are loaded with them."""
    wanted = list(requests)
    matrix = ImageBootConfig.objects.filter(image__in={r.image_id for r in wanted}, boot_config__active=True)
    hardware: dict[int, set[int]] = defaultdict(set)
    for image_id, hardware_id in matrix.values_list("image_id", "hardware_type_id"):
        hardware[image_id].add(hardware_id)
    return [_demand(request, frozenset(hardware[request.image_id])) for request in wanted]


def demand_of(request: Request) -> Demand:
    """Read what one request wants; what its image can be installed on is kept with the image, for the next step."""
    return _demand(request, frozenset(request.image.installers))


def _demand(request: Request, hardware: frozenset[int]) -> Demand:
    asked = request.hardware_id
    return Demand(
        request_id=request.pk,
        turn=request.turn,
        image_id=request.image_id,
        boot_config=request.boot_config,
        reusable=request.image.reusable,
        hardware=hardware if asked is None else hardware & {asked},
        environment=request.environment,
        tags=frozenset(request.tags),
        device_id=request.requested_device_id,
    )


def try_to_match(request: Request, now: datetime) -> bool:
    """Find and claim a device for a locked request in `finding_device`; True when it has one."""
    demand = demand_of(request)
    device = _claim_one(demand, now)
    if device is None:
        return False
    request_runner.deliver_locked(request, Event("matched", {"device": device}), now)
    return True


def _claim_one(demand: Demand, now: datetime) -> Device | None:
    """Claim the best device that no rival has locked; wait for the rivals only when they have locked all."""
    offered: list[int] = []
    free = _free_for(demand, now)
    for group in candidates(demand, now):
        keys = [offer.device_id for offer in group]
        # The very best first; where rivals are after that one too, any of its equals will do.
        for wanted in (keys[:1], keys[1:]):
            device = device_runner.lock_one_of(free.filter(pk__in=wanted)) if wanted else None
            if device is not None:
                # It is locked and free; the UPDATE of its step, in this transaction, says whose it is now.
                device.held_by = demand.request_id
                return device
        offered += keys
    for device_id in offered:
        if free.filter(pk=device_id).update(held_by=demand.request_id, idle_since=None):
            return device_runner.lock(device_id)[0]
    return None


def could_match(request: Request) -> bool:
    """Whether any device is free that fits."""
    demand = demand_of(request)
    return any(True for _ in candidates(demand, clock.now()))


def candidates(demand: Demand, now: datetime) -> Iterator[Sequence[Offer]]:
    """Give free devices that fit in groups of equals, the best group first, until there are no more."""
    seen: set[int] = set()
    for devices in _sources(demand, now):
        while batch := _offers((devices.exclude(pk__in=seen) if seen else devices)[:_CANDIDATES]):
            seen.update(offer.device_id for offer in batch)
            for _, group in groupby(ranked(demand, batch), key=lambda offer: has_image(demand, offer)):
                yield list(group)
            if len(batch) < _CANDIDATES:
                break


def match_request(request_id: int) -> bool:
    """Try again for a request that waits; True when it got a device."""

    @retrying
    def transact() -> bool:
        request, now = request_runner.lock(request_id)
        return request.state == "finding_device" and try_to_match(request, now)

    return transact()


def let_go(request_id: int, state_seq: int) -> bool:
    """Take a request from a device that is out of reach, and try for another one at once; True when it got one.

    One that names its device keeps it, and waits. Raises RowLockedError.
    """
    out = Event("device_out_of_reach")
    # Who has been let go meanwhile keeps what it got instead.
    told = request_runner.deliver_unless_locked(request_id, out, fence={"state_seq": state_seq})
    return told.row.state == "finding_device" and match_request(request_id)


def match_device(device_id: int) -> bool:
    """Give a device that came free to the first waiting request that it fits; True when one took it."""
    device = free_devices(clock.now()).filter(pk=device_id)
    for offer in _offers(device):
        for demand in waiting_demands(offer):
            served = fits(demand, offer) and match_request(demand.request_id)
            # It may have found a better one; then ours is still there for the next in turn.
            if served and not device.exists():
                return True
    return False


def match_waiting() -> int:
    """Try for every waiting request, in turn; give how many got a device."""
    if not free_devices(clock.now(), by_name=True).exists():
        return 0  # where most have to wait, mostly
    matched = 0
    in_vain: set[tuple[object, ...]] = set()
    for demand in _in_line(_waiting()):
        alike = (
            demand.image_id,
            demand.boot_config,
            demand.hardware,
            demand.environment,
            demand.tags,
            demand.device_id,
        )
        if alike in in_vain:
            continue
        if match_request(demand.request_id):
            matched += 1
        else:
            in_vain.add(alike)
    return matched


def waiting_demands(offer: Offer) -> Iterator[Demand]:
    """Give what waits and might want a device, in turn, however many there are."""
    might = Q(requested_device=offer.device_id) | Q(
        requested_device=None, environment__in=(ANY, offer.environment)
    )
    installable = ImageBootConfig.objects.filter(
        hardware_type=offer.hardware_type_id, boot_config__active=True
    )
    asked = Q(hardware=None) | Q(hardware=offer.hardware_type_id)
    return _in_line(_waiting().filter(might, asked, image__in=installable.values("image")))


def rivals_waiting(environment: str, turn: datetime) -> QuerySet[Request]:
    """Select requests for any device that wait, are served before a new one, and may want the same devices."""
    rivals = Request.objects.filter(state="finding_device", requested_device=None, turn__lte=turn)
    return rivals if environment == ANY else rivals.filter(environment__in=(ANY, environment))


def _free_for(demand: Demand, now: datetime) -> QuerySet[Device]:
    return free_devices(now, by_name=demand.device_id is not None)


def _sources(demand: Demand, now: datetime) -> Iterator[QuerySet[Device]]:
    """Give the searches to make, each in the order of an index."""
    free = _free_for(demand, now)
    if demand.device_id is not None:
        yield free.filter(pk=demand.device_id)
        return
    if demand.environment != ANY:
        free = free.filter(environment=demand.environment)
    free = _tagged(free, demand.tags).filter(hardware_type_id__in=demand.hardware).order_by("idle_since")
    if demand.reusable:
        yield free.filter(image_id=demand.image_id)
    yield free


def _tagged(devices: QuerySet[Device], tags: Iterable[str]) -> QuerySet[Device]:
    """Leave out most of those without the tags: only MySQL could ask JSON itself, but a tag holds no quote."""
    for tag in tags:
        devices = devices.filter(Contains(Cast("tags", TextField()), f'"{tag}"'))
    return devices


def _offers(devices: QuerySet[Device]) -> list[Offer]:
    columns = ("pk", "idle_since", "environment", "hardware_type_id", "image_id", "boot_config", "tags")
    return [
        Offer(pk, idle_since, environment, hardware, image, boot_config, frozenset(tags))
        for pk, idle_since, environment, hardware, image, boot_config, tags in devices.values_list(*columns)
        if idle_since is not None
    ]


def _waiting() -> QuerySet[Request]:
    waiting = Request.objects.filter(state="finding_device").select_related("image")
    return waiting.order_by("turn", "pk")


def _in_line(requests: QuerySet[Request]) -> Iterator[Demand]:
    """Give what requests in the order of their turns want, some at a time: the last is not served before its turn."""
    rest = requests
    while demands := in_turn(demands_of(rest[:_QUEUE])):
        yield from demands
        if len(demands) < _QUEUE:
            return
        last = demands[-1]
        rest = requests.filter(Q(turn__gt=last.turn) | Q(turn=last.turn, pk__gt=last.request_id))
