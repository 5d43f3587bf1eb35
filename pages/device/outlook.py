"""What can happen next to a device, read from the graph of its table: where to, by which events, how soon. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from lifeguard.states import DEVICE, DeviceFacts
from mozpool_site.statemachine.graph import Count, Edge, Otherwise, edges, word
from mozpool_site.statemachine.spec import TIMEOUT, UNHEARD

_MINUTE, _HOUR = 60, 3600
_ASKED = "please_"
_FAULTS = {
    "operation_lost": "its worker is gone",
    "hardware_unreachable": "power controller silent",
    UNHEARD: "no worker came",
}


@dataclass(frozen=True)
class Way:
    """A state that may come next. `reasons` say what leads there, `asked` that only people lead there.

    `onward` names the states that a passing one goes on to at once; it is empty for a state that lasts.
    """

    state: str
    reasons: tuple[str, ...]
    asked: bool = False
    onward: tuple[str, ...] = ()


def ways(state: str, facts: Mapping[str, object], counters: Mapping[str, int]) -> tuple[Way, ...]:
    """Give the ways on from a state, those of the machine first, people's last; staying put is no way on.

    `facts` are the fields of DeviceFacts as far as they are known: what they rule out is left out. `counters` are the
    row's. A way back into the state itself stands among them under its own name. What faults of the infrastructure
    lead to is told once there have been some.
    """
    found: dict[str, list[str]] = {}
    by_itself: set[str] = set()
    for edge in edges(DEVICE):
        if edge.state != DEVICE[state].name or edge.stays or not _possible(edge, facts, counters):
            continue
        if edge.event in DEVICE.faults and not any(counters.get(count.counter) for count in edge.counts):
            continue
        reasons = found.setdefault(edge.target, [])
        if not edge.event.startswith(_ASKED):
            by_itself.add(edge.target)
        reason = _reason(edge, facts, counters)
        if reason not in reasons:
            reasons.append(reason)
    return tuple(
        Way(target, tuple(found[target]), target not in by_itself, _onward(target, facts))
        for target in sorted(found, key=lambda target: target not in by_itself)
    )


def known_facts(columns: Mapping[str, object], *, held: bool) -> dict[str, object]:
    """Give what is known of a device: whether it is held, and what the columns of the image in play say."""
    defaults = DeviceFacts()
    named = {fact.name for fact in fields(DeviceFacts)}
    # What a device without an image is given; the rest is found out when it is asked.
    guessed = named - {"held", "self_test_available", "self_test_may_help", "image_suspect"}
    return {"held": held, **{name: columns.get(name, getattr(defaults, name)) for name in guessed}}


def duration(seconds: float) -> str:
    """Write a duration of the table for people: `at once`, `45 s`, `3 min`, `1 h`."""
    if seconds <= 0:
        return "at once"
    for size, unit in ((_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def time_allowed(state: str, facts: Mapping[str, object]) -> str:
    """Say how long a state may last; nothing for one that lasts as long as it likes."""
    timeout = DEVICE[state].timeout
    if timeout is None:
        return ""
    return duration(_number(timeout, facts))


def _possible(edge: Edge, facts: Mapping[str, object], counters: Mapping[str, int]) -> bool:
    for fact, value in edge.asks:
        if fact not in facts:
            continue
        if facts[fact] in value.cases if isinstance(value, Otherwise) else facts[fact] != value:
            return False
    used_up = (
        count.taken != "exhausted" and counters.get(count.counter, 0) >= _number(count.limit, facts)
        for count in edge.counts
    )
    return not any(used_up)


def _reason(edge: Edge, facts: Mapping[str, object], counters: Mapping[str, int]) -> str:
    parts = [_event(edge, facts)]
    parts += [_condition(fact, value) for fact, value in edge.asks if fact not in facts]
    parts += [_counted(count, facts, counters) for count in edge.counts]
    return ", ".join(parts)


def _event(edge: Edge, facts: Mapping[str, object]) -> str:
    if edge.event == TIMEOUT:
        allowed = time_allowed(edge.state, facts)
        return allowed if allowed == "at once" else f"after {allowed}"
    if edge.event.startswith(_ASKED):
        return f"asked for: {edge.event.removeprefix(_ASKED).replace('_', ' ')}"
    return _FAULTS.get(edge.event, edge.event)


def _condition(fact: str, value: object) -> str:
    name = fact.replace("_", " ")
    if isinstance(value, Otherwise):
        return f"unless {name}" if value.cases == {True} else f"any other {name}"
    return f"if {name}" if value is True else f"if {name} is {word(value)}"


def _counted(count: Count, facts: Mapping[str, object], counters: Mapping[str, int]) -> str:
    limit = _number(count.limit, facts)
    if count.taken == "exhausted":
        return f"past {limit:g} {'retry' if limit == 1 else 'retries'}"
    if count.taken == "every":
        return f"each {count.every}th time"
    return f"retry {counters.get(count.counter, 0) + 1} of {limit:g}"


def _number(value: float | str, facts: Mapping[str, object]) -> float:
    return float(str(facts[value])) if isinstance(value, str) else float(value)


def _onward(state: str, facts: Mapping[str, object]) -> tuple[str, ...]:
    """Follow passing states to where a row comes to rest, in the table's order."""
    if DEVICE[state].passes_to is None:
        return ()
    found: dict[str, None] = {}
    frontier = [state]
    while frontier:
        here = frontier.pop(0)
        for edge in edges(DEVICE):
            if edge.state != here or not _possible(edge, facts, {}):
                continue
            if DEVICE[edge.target].passes_to is None:
                found[edge.target] = None
            else:
                frontier.append(edge.target)
    return tuple(found)
