"""Serves those who wait, in turn: when a device comes free, when the pulse looks, and in passing of somebody's call.

The first of each wish is tried. What one wants in vain, all who want the same want in vain, so a pass costs as much as
there are wishes and free devices, however many wait behind the first.
"""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from enum import Enum, auto
from heapq import heapify, heappop, heappush

from devices import journal
from devices.models import Image
from mozpool_site import clock
from mozpool_site.compiled import CompiledQuery, Parameter
from mozpool_site.pulse.parking import Parking
from mozpool_site.statemachine.machine import Event
from mozpool_site.transactions import impatient, is_contention, is_gone, retrying
from requests_app.claims import try_to_match
from requests_app.free_devices import free_devices
from requests_app.free_kinds import free_kinds, kind_of
from requests_app.machine import request_runner
from requests_app.matching import suits
from requests_app.models import Request
from requests_app.planning.pool import Kind
from requests_app.waiting.wishes import Turn, firsts, next_of, waiting, wishes

logger = logging.getLogger(__name__)

# Attempts of one pass of the pulse, for one device that came free, and in passing of somebody's call.
_OF_A_PASS, _OF_A_DEVICE, IN_PASSING = 200, 5, 8
# Rivals serve them at this moment, mostly; more that are locked for long, or broken, wait for the next pass.
_PASSED_OVER = 100


class _Outcome(Enum):
    SERVED = auto()
    IN_VAIN = auto()
    # It waits no longer, or somebody has locked it, or it is broken: who stands behind it may fare better.
    PASSED_OVER = auto()
    # It is broken, and tried again later; it costs no attempt.
    PARKED = auto()


def match_request(request_id: int) -> bool:
    """Try again for a request that waits; return whether it got a device."""
    return _attempt(request_id) is _Outcome.SERVED


def let_go(request_id: int, state_seq: int) -> bool:
    """Take a request from a device that is out of reach, and try for another at once; return whether it got one.

    One that names its device keeps it, and waits. Raise RowLockedError.
    """
    out = Event("device_out_of_reach")
    # Who has been let go meanwhile keeps what it got instead.
    told = request_runner.deliver_unless_locked(request_id, out, fence={"state_seq": state_seq})
    return told.row.state == "finding_device" and match_request(request_id)


def match_device(device_id: int) -> bool:
    """Offer a device that came free to those who wait and whom it fits; return whether anybody was served."""
    now, first = clock.now(), next_of(-device_id)
    line = [] if first is None else [(first, -device_id)]
    # Who is served may have found a better one; then this one is still there for the next.
    return _serve(lambda: kind_of(device_id, now), line, _OF_A_DEVICE) > 0


def match_waiting(
    most: int = _OF_A_PASS, *, now: datetime | None = None, parking: Parking | None = None
) -> int:
    """Give what is free to those who wait, in turn, trying for so many at most; return how many got a device.

    `now` is asked for unless the caller knows it. With `parking` a request that can't be dealt with is left out for a
    while.
    """
    now = now or clock.now()
    if parking is not None:
        parking.keys(now)  # reads what others have parked
    named = waiting().filter(wish__lt=0, requested_device__in=free_devices(now, by_name=True)).order_by()
    firsts_named = ((next_of(wish), wish) for wish in named.values_list("wish", flat=True).distinct()[:most])
    first = [(place, wish) for place, wish in firsts_named if place is not None]
    return _serve(lambda: free_kinds(now), first, most, parking)


def _serve(
    read_free: Callable[[], dict[int, Kind]],
    line: list[tuple[Turn, int]],
    most: int,
    parking: Parking | None = None,
) -> int:
    """Serve the first of each wish that free devices suit, and of the wishes for one device that are in `line`."""
    waits = firsts()
    if not waits and not line:
        return 0
    free, taken = read_free(), set[int]()
    wanted = wishes({wish: place.request_id for wish, place in waits.items()}) if free else {}
    line += [(waits[wish], wish) for wish in wanted]
    line = [(Turn(place.turn, place.request_id - 1), wish) for place, wish in line]
    heapify(line)

    def suiting(wish: int) -> set[int]:
        return {pk for pk, kind in free.items() if pk not in taken and suits(wanted[wish], kind)}

    def hopeful(wish: int) -> bool:
        return bool(suiting(wish)) if wish > 0 else _is_free(-wish)

    counted = Counter[_Outcome]()
    while (
        counted[_Outcome.SERVED] + counted[_Outcome.IN_VAIN] < most
        and counted[_Outcome.PASSED_OVER] < _PASSED_OVER
    ):
        found = _first_in_line(line, hopeful)
        if found is None:
            break
        place, wish = found
        outcome = _attempt(place.request_id, parking)
        counted[outcome] += 1
        if outcome is _Outcome.IN_VAIN and wish > 0:
            taken |= suiting(wish)
            continue
        # Those who name one device want different things of it: it may fit the next.
        heappush(line, found)
        if outcome in (_Outcome.SERVED, _Outcome.PASSED_OVER):
            free = read_free()
    return counted[_Outcome.SERVED]


def _first_in_line(line: list[tuple[Turn, int]], hopeful: Callable[[int], bool]) -> tuple[Turn, int] | None:
    """Take who is first out of a heap of hopeful wishes, each with the place behind which its own first stands."""
    while line:
        behind, wish = heappop(line)
        first = next_of(wish, behind) if hopeful(wish) else None
        if first is None:
            continue
        before = Turn(first.turn, first.request_id - 1)
        if not line or before <= line[0][0]:
            return first, wish
        # Who stood there has been served meanwhile: now others come before the next.
        heappush(line, (before, wish))
    return None


def _is_free(device_id: int) -> bool:
    return free_devices(clock.now(), by_name=True).filter(pk=device_id).exists()


def _attempt(request_id: int, parking: Parking | None = None) -> _Outcome:
    if parking is not None and parking.holds(request_id):
        return _Outcome.PARKED
    try:
        with impatient():
            outcome = _match(request_id)
        if parking is not None:
            parking.release(str(request_id))
    except Exception as error:
        if is_gone(error):
            raise
        if parking is not None:
            parking.park(str(request_id), error)
        elif not is_contention(error):
            logger.exception("request %s can't be matched; the next in turn is tried", request_id)
        return _Outcome.PASSED_OVER
    else:
        return outcome


@retrying
@journal.gathered()
def _match(request_id: int) -> _Outcome:
    locked = request_runner.locked(_to_lock(request=request_id))
    if locked is None:
        return _Outcome.PASSED_OVER
    locked[0].image = Image.numbered(locked[0].image_id)
    return _Outcome.SERVED if try_to_match(*locked) else _Outcome.IN_VAIN


_to_lock = CompiledQuery(
    lambda: request_runner.lockable(waiting().filter(pk=Parameter("request", Request._meta.pk)).order_by())
)
