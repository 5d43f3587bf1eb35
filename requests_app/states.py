"""The life of a request: from the moment that it is filed until its device is free again.

A timer is only a safety net here: a request is matched when it is filed or when a device becomes free,
and hears at once what became of its device. Names tagged `api` are promises to clients.
"""

from dataclasses import dataclass

from lifeguard.bounds import patience, task_seconds
from lifeguard.states import DeviceFacts
from mozpool_site.statemachine.spec import Choose, Goto, Outcome, Retry, Spec, State, Stay


@dataclass(frozen=True)
class RequestFacts:
    """What the table may ask about a request.

    `device_answer` is what the device that it holds says of the task: `waiting`, `complete`, `wrong_image`
    (it is ready, with another image), `bad_device`, `bad_image`, `gone` (it holds none), `under_repair` (somebody has
    it tested or booted for maintenance) or `away` (it rests where nobody prepares it).
    `named`: a certain device was asked for. `named_device_failed`: and that one is out of the pool.
    `search_seconds`: what is left of the time that it waits for a device; the time with one does not count.
    `device_patience`: for how many seconds to wait for the device, from the worst case of its own table.
    """

    named: bool = False
    named_device_failed: bool = False
    device_answer: str = "waiting"
    search_seconds: float = 600
    device_patience: float = patience(DeviceFacts())


LIVE = frozenset({"live"})
LIVE_API = frozenset({"api", "live"})
ENDED = frozenset({"api", "ended", "steady"})

_END = {"return": Goto("closed"), "expire": Goto("closed")}
# What is counted of one device: the next one starts anew, or a slow first one would cost it its chance.
_OF_ONE_DEVICE = ("contacting_lifeguard",)
_ANOTHER = Goto("finding_device", writes=("release", "search_on"), forgets=_OF_ONE_DEVICE)
# Somebody gave its device another task: that one takes its own time, and what comes of it is heard.
_FOLLOWS = Goto("pending", writes=("follow_device",), forgets=_OF_ONE_DEVICE)

_NEXT_DEVICE = Retry(10, counter="bad_device", again=_ANOTHER, exhausted=Goto("failed_bad_device"))
_BAD_DEVICE = Choose("named", {True: Goto("failed_bad_device")}, otherwise=_NEXT_DEVICE)
_BAD_IMAGE = Choose(
    "named",
    {True: Goto("failed_bad_image")},
    otherwise=Retry(2, counter="bad_image", again=_ANOTHER, exhausted=Goto("failed_bad_image")),
)
_ANSWERS: dict[object, Outcome] = {
    "complete": Goto("ready"),
    "wrong_image": Retry(
        5, counter="contacting_lifeguard", again=Goto("contacting_lifeguard"), exhausted=_BAD_DEVICE
    ),
    "bad_device": _BAD_DEVICE,
    "bad_image": _BAD_IMAGE,
    "gone": _NEXT_DEVICE,
    "away": _BAD_DEVICE,
}
# A repair ends by itself: who wants this very device waits for it, everybody else is better served by another one.
_UNDER_REPAIR = Choose("named", {True: Stay()}, otherwise=_NEXT_DEVICE)


def _failed(why: str, doc: str) -> State:
    return State(name=f"failed_{why}", doc=doc, writes=("release",), tags=ENDED | {"failed"})


REQUEST = Spec(
    name="request",
    facts=RequestFacts,
    fallback="ready",
    at_least={"pending": task_seconds(DeviceFacts())},
    states=(
        State(name="new", doc="Just filed.", passes_to=Goto("finding_device")),
        State(
            name="finding_device",
            doc="Waits for a free device that fits, for as long as its owner said; a point of priority counts like "
            "half a minute of waiting.",
            timeout="search_seconds",
            on_timeout=Choose(
                "named_device_failed",
                {True: Goto("failed_bad_device")},
                otherwise=Choose(
                    "named",
                    {True: Goto("failed_device_busy")},
                    otherwise=Goto("failed_device_not_found"),
                ),
            ),
            on={
                "matched": Goto("contacting_lifeguard"),
                "device_taken": Goto("failed_device_busy"),
                "device_failed": Goto("failed_bad_device"),
                **_END,
            },
            tags=LIVE,
        ),
        State(
            name="contacting_lifeguard",
            doc="Asks Lifeguard for the image, or for a power cycle where it is there already.",
            writes=("ask_lifeguard",),
            passes_to=Goto("pending"),
        ),
        State(
            name="pending",
            doc="Lifeguard prepares the device.",
            timeout="device_patience",
            on_timeout=Choose("device_answer", _ANSWERS, otherwise=_BAD_DEVICE),
            on={
                "device_settled": Choose(
                    "device_answer", {**_ANSWERS, "under_repair": _UNDER_REPAIR}, otherwise=Stay()
                ),
                "device_left": _FOLLOWS,
                "device_out_of_reach": Choose("named", {True: Stay()}, otherwise=_ANOTHER),
                **_END,
            },
            tags=LIVE_API,
        ),
        State(
            name="ready",
            doc="The client has the device.",
            on={
                # Power-cycled or imaged at somebody's wish, it comes back. Taken away, it is lost to whoever used it:
                # another one in its place, without what they did there, would be no help.
                "device_left": Choose(
                    "device_answer",
                    {
                        "away": Goto("failed_bad_device"),
                        "bad_device": Goto("failed_bad_device"),
                        "under_repair": Choose(
                            "named", {True: _FOLLOWS}, otherwise=Goto("failed_bad_device")
                        ),
                    },
                    otherwise=_FOLLOWS,
                ),
                **_END,
            },
            tags=LIVE_API | {"steady"},
        ),
        State(
            name="closed",
            doc="Returned or expired; the device is free again.",
            writes=("release",),
            tags=ENDED,
        ),
        _failed("device_not_found", "No device came free in the time that it waited."),
        _failed("device_busy", "The device that was asked for did not come free in the time that it waited."),
        _failed("bad_device", "The device failed or was taken away, or too many devices did."),
        _failed("bad_image", "The image failed on several healthy devices."),
    ),
)

LIVE_STATES = REQUEST.tagged("live")
ENDED_STATES = REQUEST.tagged("ended")
