"""The life of a request: from the moment that it is filed until its device is free again.

A timer is only a safety net here: a request is matched when it is filed or when a device becomes free,
and hears at once what became of its device. Names tagged `api` are promises to clients.
"""

from dataclasses import dataclass

from mozpool_site.statemachine.spec import Choose, Goto, Outcome, Retry, Spec, State, Stay


@dataclass(frozen=True)
class RequestFacts:
    """What the table may ask about a request.

    `device_answer` is what the device that it holds says of the task: `waiting`, `complete`, `wrong_image`
    (it is ready, with another image), `bad_device`, `bad_image`, or `gone` (it holds none).
    `named`: a certain device was asked for. `named_device_failed`: and that one is out of the pool.
    """

    named: bool = False
    named_device_failed: bool = False
    device_answer: str = "waiting"
    search_limit: int = 60
    pending_limit: int = 20


LIVE = frozenset({"live"})
LIVE_API = frozenset({"api", "live"})
ENDED = frozenset({"api", "ended", "steady"})

_END = {"return": Goto("closed"), "expire": Goto("closed")}
# What is counted of one device: the next one starts anew, or a slow first one would cost it its chance.
_OF_ONE_DEVICE = ("pending", "contacting_lifeguard")
_ANOTHER = Goto("finding_device", writes=("release",), forgets=_OF_ONE_DEVICE)

_BAD_DEVICE = Choose(
    "named",
    {True: Goto("failed_bad_device")},
    otherwise=Retry(10, counter="bad_device", again=_ANOTHER, exhausted=Goto("failed_bad_device")),
)
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
    "gone": Retry(10, counter="bad_device", again=_ANOTHER, exhausted=Goto("failed_bad_device")),
}


def _failed(why: str, doc: str) -> State:
    return State(name=f"failed_{why}", doc=doc, writes=("release",), tags=ENDED | {"failed"})


REQUEST = Spec(
    name="request",
    facts=RequestFacts,
    fallback="ready",
    states=(
        State(name="new", doc="Just filed.", passes_to=Goto("finding_device")),
        State(
            name="finding_device",
            doc="Waits for a free device that fits; a point of priority counts like half a minute of waiting.",
            timeout=10,
            on_timeout=Choose(
                "named_device_failed",
                {True: Goto("failed_bad_device")},
                otherwise=Retry(
                    "search_limit",
                    again=Goto("finding_device"),
                    exhausted=Choose(
                        "named",
                        {True: Goto("failed_device_busy")},
                        otherwise=Goto("failed_device_not_found"),
                    ),
                ),
            ),
            on={
                "matched": Goto("contacting_lifeguard", forgets=("finding_device",)),
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
            timeout=60,
            on_timeout=Choose(
                "device_answer",
                _ANSWERS,
                otherwise=Retry("pending_limit", again=Goto("pending"), exhausted=_BAD_DEVICE),
            ),
            on={
                "device_settled": Choose("device_answer", _ANSWERS, otherwise=Stay()),
                "rack_down": Choose("named", {True: Stay()}, otherwise=_ANOTHER),
                **_END,
            },
            tags=LIVE_API,
        ),
        State(
            name="ready",
            doc="The client has the device.",
            on={
                # An operator, or the client itself, has the device power-cycled or repaired meanwhile.
                "device_left": Goto("pending", forgets=_OF_ONE_DEVICE),
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
        _failed("device_not_found", "No free device was found in time."),
        _failed("device_busy", "The device that was asked for is taken."),
        _failed("bad_device", "The device failed, or too many devices did."),
        _failed("bad_image", "The image failed on several healthy devices."),
    ),
)

LIVE_STATES = REQUEST.tagged("live")
ENDED_STATES = REQUEST.tagged("ended")
