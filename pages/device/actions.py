"""Which actions make sense for a device now, and why the others don't. Pure: a standing in, a list out.

What there is comes from the table of verbs of bulk actions, what a state takes from the device's own table.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lifeguard.bulk.verbs import VERBS, Verb
from lifeguard.states import DEVICE
from mozpool_site.access.roles import Role
from pages.families import words

# What the page has forms of its own for.
_ELSEWHERE = frozenset({"comment"})
# The events that the device's machine is asked by.
_EVENTS = {
    "please_self_test": "please_self_test",
    "please_power_cycle": "please_power_cycle",
    "please_image": "please_image",
    "please_maintenance": "please_start_maintenance",
}
_LEADS_TO = {"troubleshoot": "troubleshooting", "lock_out": "locked_out"}
_SWITCHES = frozenset({"power_cycle", "pxe_boot", "power_off"})
# These take a device from whoever holds it.
_TAKES_IT_AWAY = frozenset(
    {"please_self_test", "please_image", "please_maintenance", "troubleshoot", "lock_out", "force_state"}
    | {"pxe_boot", "power_off"}
)
_TESTED_BY = "please_self_test"


@dataclass(frozen=True)
class Standing:
    """What decides on the actions: the device's state and hardware, who looks, and who holds it.

    `held_by` is the request's number and `holder` whom it belongs to; `mine` whether that is who looks.
    """

    state: str
    role: Role
    held_by: int | None = None
    holder: str = ""
    mine: bool = False
    has_outlet: bool = True
    netboot: bool = False
    quarantined: bool = False
    can_self_test: bool = True
    suspect_controller: str = ""
    rack_down: bool = False


@dataclass(frozen=True)
class Choice:
    """One action. `why_not` is empty where it is offered; `warning` is what whoever takes it should know."""

    verb: str
    label: str
    does: str
    dangerous: bool
    why_not: str = ""
    warning: str = ""

    @property
    def enabled(self) -> bool:
        """Whether it is offered."""
        return not self.why_not


@dataclass(frozen=True)
class Group:
    """Actions of one sort, under a heading."""

    label: str
    choices: tuple[Choice, ...]

    @property
    def offered(self) -> tuple[Choice, ...]:
        """Those that make sense now."""
        return tuple(choice for choice in self.choices if choice.enabled)

    @property
    def refused(self) -> tuple[tuple[str, tuple[Choice, ...]], ...]:
        """The others by the reason that they share, in the order in which the reasons come first."""
        reasons = dict.fromkeys(choice.why_not for choice in self.choices if choice.why_not)
        return tuple((why, tuple(one for one in self.choices if one.why_not == why)) for why in reasons)


def grouped(standing: Standing) -> tuple[Group, ...]:
    """Give all actions: what Lifeguard is asked for, what people decide, and the bare hardware, past Lifeguard."""
    found = {choice.verb: choice for choice in choices(standing)}
    asked = [name for name in found if name in _EVENTS or name == "return_to_pool"]
    bare = [name for name in found if name in _SWITCHES or name in ("clear_pxe", "ping")]
    rest = [name for name in found if name not in (*asked, *bare)]
    parts = (("Ask Lifeguard", asked), ("Decide yourself", rest), ("Hardware only", bare))
    return tuple(Group(label, tuple(found[name] for name in names)) for label, names in parts if names)


def warnings(groups: Iterable[Group]) -> tuple[str, ...]:
    """Give what there is to know before one of the actions is taken, each once."""
    told = (choice.warning for group in groups for choice in group.offered)
    return tuple(dict.fromkeys(one for one in told if one))


def choices(standing: Standing) -> list[Choice]:
    """Give every action in the table's order, offered or with the reason why it is not."""
    return [
        Choice(
            verb.name,
            verb.label,
            verb.does,
            verb.dangerous,
            _why_not(verb, standing),
            _warning(verb, standing),
        )
        for verb in VERBS.values()
        if verb.name not in _ELSEWHERE
    ]


def _why_not(verb: Verb, standing: Standing) -> str:
    reasons: Iterable[Callable[[Verb, Standing], str]] = (_not_allowed, _not_in_this_state, _no_means)
    return next((why for why in (reason(verb, standing) for reason in reasons) if why), "")


def _not_allowed(verb: Verb, standing: Standing) -> str:
    if standing.role >= verb.least:
        return ""
    if verb.holder_may:
        may = standing.mine and standing.role >= Role.REQUESTER
        return "" if may else f"for {verb.least.word}s and whoever holds the device"
    return f"for {verb.least.word}s; you are a {standing.role.word}"


def _not_in_this_state(verb: Verb, standing: Standing) -> str:
    state = DEVICE[standing.state]
    if _LEADS_TO.get(verb.name) == standing.state:
        return f"it is {words(standing.state)} already"
    if verb.name == "return_to_pool":
        return _not_returned(standing)
    event = _EVENTS.get(verb.name)
    if event is None or event in state.on:
        return ""
    if state.waits:
        return f"not while it is {words(standing.state)}: that ends by itself"
    if not state.on:
        return f"a device that is {words(standing.state)} takes no orders: return it to the pool first"
    return f"not from {words(standing.state)}: have it tested or repaired first"


def _not_returned(standing: Standing) -> str:
    state = standing.state
    if state == "ready" and standing.quarantined:
        return ""
    if state in ("ready", "new"):
        return "it is in the pool" if state == "ready" else "it is tested by itself, in a moment"
    declared = DEVICE[state]
    # A locked out device takes no events; returning it is the one thing that leads out.
    if not declared.on or _TESTED_BY in declared.on:
        return ""
    return f"not while it is {words(state)}: that ends by itself"


def _no_means(verb: Verb, standing: Standing) -> str:
    needs_power = verb.name in _SWITCHES or verb.name in _EVENTS or verb.name == "return_to_pool"
    if needs_power and not standing.has_outlet:
        return "it is plugged into no power outlet that we know"
    if verb.name == "clear_pxe" and not standing.netboot:
        return "it boots from its own storage already"
    return ""


def _warning(verb: Verb, standing: Standing) -> str:
    told = []
    if standing.held_by is not None and not standing.mine and verb.name in _TAKES_IT_AWAY:
        told.append(f"request {standing.held_by} of {standing.holder or 'somebody'} holds it")
    if verb.name == _TESTED_BY and not standing.can_self_test:
        told.append("there is no self-test for its hardware: it is only booted")
    if standing.suspect_controller and (verb.name in _SWITCHES or verb.name in _EVENTS):
        told.append(f"power controller {standing.suspect_controller} has failed with several devices lately")
    if standing.rack_down and (verb.goal or verb.name in _SWITCHES or verb.name == "ping"):
        told.append("its rack's server is silent, so this may wait")
    return "; ".join(told)
