"""The queries behind the invariants: each gives the rows that break one. `now` is the database's time.

Tables of requests and operations keep years of history, so every query starts from an index on what is open or live.
"""

from datetime import datetime, timedelta

from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    Model,
    OuterRef,
    Q,
    QuerySet,
    TextField,
)
from django.db.models.functions import Cast, Coalesce

from bmm.models import OPEN, Operation, Status
from devices.models import Device, DeviceKind, Journal, PowerController, Rack
from devices.models.rack import pulse_silent
from lifeguard.states import DEVICE
from mozpool_site.pulse.models import Parked
from mozpool_site.pulse.parking import FORGET_AFTER
from mozpool_site.statemachine.spec import REPEATS, Goto, Spec, unfold
from requests_app.models import PoolLease, Request
from requests_app.planning.pool import ANY
from requests_app.states import ENDED_STATES, LIVE_STATES, REQUEST

# A device that leaves `ready` takes its request along at once by a signal, or within three seconds by the pulse.
LEFT_READY_TOLERANCE = timedelta(seconds=10)
# Twice the longest bound after a fault: whoever is late by that much is not waiting, but forgotten.
LATE = timedelta(seconds=120)
# I7 looks at this many of the newest operations; older ones were looked at before.
_NEWEST = 20_000


def _working(spec: Spec) -> set[str]:
    """Name the states that an operation may belong to: those that start one, and those that are entered with one."""
    entered = (leaf for state in spec.states for _, outcome in state.outcomes() for leaf in unfold(outcome))
    return {state.name for state in spec.states if state.work} | {
        leaf.state for leaf in entered if isinstance(leaf, Goto) and leaf.work
    }


_STORED_DEVICE = DEVICE.stored()
_RESTLESS = sorted(set(_STORED_DEVICE) - {"ready"})
_DEVICE_WAITS = [name for name in _STORED_DEVICE if DEVICE[name].waits]
_DEVICE_RESTS = [name for name in _STORED_DEVICE if not DEVICE[name].waits]
_DEVICE_WORKLESS = sorted(set(_STORED_DEVICE) - _working(DEVICE))
_LIVE_WAITS = [name for name in LIVE_STATES if REQUEST[name].waits]
_LIVE_RESTS = [name for name in LIVE_STATES if not REQUEST[name].waits]


# I2, I4: who holds what.


def held_by_nobody(_: datetime) -> QuerySet[Device]:
    """Devices held by a request that is not there."""
    return _held().exclude(Exists(_holder()))


def held_by_ended(_: datetime) -> QuerySet[Device]:
    """Devices held by a request that has ended."""
    return _held().filter(Exists(_holder().filter(Q(ended__isnull=False) | Q(state__in=ENDED_STATES))))


def held_for_another(_: datetime) -> QuerySet[Device]:
    """Devices held by a live request that they do not fit."""
    asked = Q(requested_device=None) | Q(requested_device=OuterRef("pk"))
    fits = asked & Q(environment__in=(ANY, OuterRef("environment")))
    return _held().filter(Exists(_holder().filter(ended=None))).exclude(Exists(_holder().filter(fits)))


def searching_but_holding(_: datetime) -> QuerySet[Request]:
    """Requests that look for a device while they hold one."""
    return Request.objects.filter(Exists(_device_held()), state="finding_device")


def pending_without_device(_: datetime) -> QuerySet[Request]:
    """Requests whose device is being prepared, but that hold none."""
    return Request.objects.filter(state="pending").exclude(Exists(_device_held()))


def ready_without_image(now: datetime) -> QuerySet[Request]:
    """Requests in `ready` whose device isn't, or not with their image (I3), and has not just left `ready`."""
    held = _device_held()
    right = held.filter(state="ready", image=OuterRef("image"), boot_config=OuterRef("boot_config"))
    just_left = Journal.objects.filter(
        device_id=OuterRef("pk"), from_state="ready", time__gt=now - LEFT_READY_TOLERANCE
    ).exclude(to_state="ready")
    on_its_way = held.exclude(state="ready").filter(Exists(just_left))
    return Request.objects.filter(state="ready").exclude(Exists(right)).exclude(Exists(on_its_way))


def ended_wrongly(_: datetime) -> QuerySet[Request]:
    """Requests whose state and end contradict each other."""
    alive_in_name = Q(state__in=LIVE_STATES, ended__isnull=False)
    return Request.objects.filter(alive_in_name | Q(ended=None, state__in=ENDED_STATES))


def idle_but_busy(_: datetime) -> QuerySet[Device]:
    """Devices listed as idle that are not ready, or held."""
    return Device.objects.filter(Q(state__in=_RESTLESS) | Q(held_by__isnull=False), idle_since__isnull=False)


def free_but_unlisted(_: datetime) -> QuerySet[Device]:
    """Devices that could serve somebody, but that no search would find."""
    return Device.objects.filter(idle_since=None, state="ready", held_by=None)


# What is searched for along an index must say what the columns say that it follows from.


def of_another_kind(_: datetime) -> QuerySet[Device]:
    """Devices that are searched for as what they are not."""
    tags = Cast("tags", TextField())
    right = DeviceKind.objects.annotate(tags_text=tags).filter(
        pk=OuterRef("kind"),
        environment=OuterRef("environment"),
        hardware_type=OuterRef("hardware_type"),
        tags_text=OuterRef("tags_text"),
    )
    return Device.objects.annotate(tags_text=tags).exclude(Exists(right))


def waiting_unnumbered(_: datetime) -> QuerySet[Request]:
    """Requests that wait where nobody looks for them."""
    named = ExpressionWrapper(-F("requested_device_id"), BigIntegerField())
    wrong = Q(wish__lt=named) | Q(wish__gt=named) | Q(requested_device=None, wish__lte=0)
    return Request.objects.filter(wrong, state="finding_device")


# I5: states and deadlines.


def devices_in_unstored_states(_: datetime) -> QuerySet[Device]:
    """Devices in a passing state, or in one that the table does not know."""
    return Device.objects.filter(state__in=_strangers(Device, DEVICE))


def requests_in_unstored_states(_: datetime) -> QuerySet[Request]:
    """Requests in a passing state, or in one that the table does not know."""
    return Request.objects.filter(state__in=_strangers(Request, REQUEST))


def devices_without_deadline(_: datetime) -> QuerySet[Device]:
    """Devices that wait for ever."""
    # Named one by one, racks let the database go along its index of deadlines.
    racks = list(Rack.objects.values_list("pk", flat=True))
    return Device.objects.filter(rack_id__in=racks, deadline=None, state__in=_DEVICE_WAITS)


def devices_with_deadline(_: datetime) -> QuerySet[Device]:
    """Devices at rest that a timer would disturb."""
    return Device.objects.filter(state__in=_DEVICE_RESTS, deadline__isnull=False)


def requests_without_deadline(_: datetime) -> QuerySet[Request]:
    """Live requests that wait for ever."""
    return Request.objects.filter(ended=None, deadline=None, state__in=_LIVE_WAITS)


def requests_with_deadline(_: datetime) -> QuerySet[Request]:
    """Live requests at rest that a timer would disturb."""
    return Request.objects.filter(ended=None, deadline__isnull=False, state__in=_LIVE_RESTS)


# I6, I7, I8: operations.


def open_in_states_without_work(_: datetime) -> QuerySet[Operation]:
    """Open operations of a machine whose state has no business with one."""
    return _open().filter(device__state__in=_DEVICE_WORKLESS)


def open_for_a_past_state(_: datetime) -> QuerySet[Operation]:
    """Open operations of a state that the machine has left."""
    return _open().exclude(state_seq=F("device__state_seq"))


def ahead_of_the_device(_: datetime) -> QuerySet[Operation]:
    """Operations that carry higher numbers than their device has: it went back."""
    newest = Operation.objects.aggregate(newest=Max("pk"))["newest"] or 0
    ahead = Q(state_seq__gt=F("device__state_seq")) | Q(boot_seq__gt=F("device__boot_seq"))
    return Operation.objects.filter(ahead, pk__gt=newest - _NEWEST)


def task_ahead_of_the_device(_: datetime) -> QuerySet[Request]:
    """Live requests that gave their device a task which it has not reached."""
    return Request.objects.filter(
        Exists(_device_held().filter(task_seq__lt=OuterRef("task_seq"))), state__in=("pending", "ready")
    )


def claimed_wrongly(_: datetime) -> QuerySet[Operation]:
    """Operations whose claim is not what their status says.

    Running: on its device, with runner and lease. Called off: the same, or let go. Else: nothing of it.
    """
    # A question to a controller has no device that could be busy.
    on_its_device = Q(running_on=F("device_id")) | Q(device=None, running_on=None)
    whole = on_its_device & Q(lease_until__isnull=False) & ~Q(runner="")
    none = Q(running_on=None, lease_until=None)
    # Three searches, each along its index; what they find is little, and one OR of them would scan the table.
    unclaimed = [status for status in Status if status != Status.RUNNING]
    marks = (
        Q(running_on__isnull=False),
        Q(status=Status.RUNNING),
        Q(status__in=unclaimed, lease_until__isnull=False),
    )
    claimed = {pk for mark in marks for pk in Operation.objects.filter(mark).values_list("pk", flat=True)}
    sound = Q(status=Status.RUNNING) & whole | Q(status=Status.SUPERSEDED) & (whole | none)
    return (
        _about_something()
        .filter(pk__in=claimed)
        .exclude(sound | ~Q(status__in=(Status.RUNNING, Status.SUPERSEDED)) & none)
    )


def controllers_shared(now: datetime) -> QuerySet[PowerController]:
    """Power controllers that two runners with running leases drain at once."""
    at_work = Operation.objects.filter(status=Status.RUNNING, lease_until__gt=now, controller__isnull=False)
    runners = at_work.order_by().values("controller").annotate(runners=Count("runner", distinct=True))
    shared = list(runners.filter(runners__gt=1).values_list("controller", flat=True))
    return PowerController.objects.filter(pk__in=shared)


# I12: what nobody looks after.


def leases_long_over(now: datetime) -> QuerySet[Operation]:
    """Operations whose runner died long ago, and that nobody has declared lost."""
    return _about_something().filter(
        status__in=(Status.RUNNING, Status.SUPERSEDED), lease_until__lt=now - LATE
    )


def devices_overdue(now: datetime) -> QuerySet[Device]:
    """Devices whose deadline is long past."""
    racks = list(Rack.objects.values_list("pk", flat=True))
    return Device.objects.filter(rack_id__in=racks, deadline__lt=now - LATE)


def requests_overdue(now: datetime) -> QuerySet[Request]:
    """Live requests whose deadline or expiry is long past."""
    late = Q(deadline__lt=now - LATE) | Q(expires__lt=now - LATE)
    return Request.objects.filter(late, ended=None)


def impatient(_: datetime) -> QuerySet[Request]:
    """Requests whose patience ends before the present deadline of the device that they wait for.

    Faults of the infrastructure are waited out by those alone who want this very device.
    """
    at_work = _device_held().filter(deadline__gt=OuterRef("deadline")).exclude(state="ready")
    return Request.objects.filter(Exists(at_work.exclude(counters__has_key=REPEATS)), state="pending")


def left_in_silent_racks(now: datetime) -> QuerySet[Request]:
    """Requests for any device whose device is being prepared in a rack that has long been silent."""
    silent = list(Rack.objects.filter(pulse_silent(now - LATE)).values_list("pk", flat=True))
    held = Device.objects.filter(held_by=OuterRef("pk"), rack_id__in=silent)
    return Request.objects.filter(Exists(held), state="pending", requested_device=None)


def pool_unattended(now: datetime) -> QuerySet[PoolLease]:
    """The pool's lease, when whoever held it has long stopped renewing it."""
    return PoolLease.objects.filter(until__lt=now - LATE)


def parked_and_forgotten(now: datetime) -> QuerySet[Parked]:
    """What was parked, and that nobody has tried again or forgotten since."""
    return Parked.objects.filter(until__lt=now - FORGET_AFTER - LATE)


def _held() -> QuerySet[Device]:
    return Device.objects.filter(held_by__isnull=False)


def _holder() -> QuerySet[Request]:
    return Request.objects.filter(pk=OuterRef("held_by"))


def _device_held() -> QuerySet[Device]:
    return Device.objects.filter(held_by=OuterRef("pk"))


def _about_something() -> QuerySet[Operation]:
    return Operation.objects.annotate(about=Coalesce("device__name", "controller__name"))


def _open() -> QuerySet[Operation]:
    return Operation.objects.filter(status__in=OPEN, state_seq__isnull=False)


def _strangers(model: type[Model], spec: Spec) -> list[str]:
    """Name the states in use that nothing can rest in; few states, so the rows are found by the state's index."""
    used = model._default_manager.order_by().values_list("state", flat=True).distinct()
    return sorted(set(used) - set(spec.stored()))
