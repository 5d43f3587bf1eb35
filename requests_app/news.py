"""What a request is told of the device that it holds: pure, so that the simulation reads the same."""

from lifeguard.states import DEVICE, PLEASE_EVENTS


def was_asked(event: str) -> bool:
    """Whether somebody gave the device something to do: by force, or by asking for it."""
    return event == "forced" or event in PLEASE_EVENTS


def news_of_device(state: str, result: str, old_state: str, *, asked: bool) -> dict[str, str]:
    """Return, by the state of the holding request, the event that tells it of its device's move.

    `result` is what the device's last task came to, empty while it is at it; `asked` says that somebody else gave it
    something to do.
    """
    news: dict[str, str] = {}
    if state == "ready" or result or "steady" in DEVICE[state].tags:
        news["pending"] = "device_settled"
    elif asked:
        news["pending"] = "device_left"
    if state != "ready" and (asked or old_state == "ready"):
        news["ready"] = "device_left"
    return news
