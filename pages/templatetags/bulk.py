"""The actions of the bulk bar, for whoever looks."""

from collections.abc import Sequence
from dataclasses import dataclass

from django import template
from django.template.context import Context

from lifeguard.bulk.verbs import VERBS, Verb
from pages.access import Person

register = template.Library()

# What each layer's bar offers first; all else is behind "More".
_FIRST = {
    "lifeguard": (
        "please_self_test",
        "please_power_cycle",
        "please_image",
        "please_maintenance",
        "return_to_pool",
    ),
    "bmm": ("power_cycle", "pxe_boot", "power_off", "clear_pxe", "ping"),
}


@dataclass(frozen=True)
class Offer:
    """The verbs of a bar: those with a button of their own, and the rest."""

    first: Sequence[Verb]
    more: Sequence[Verb]


@register.simple_tag(takes_context=True)
def bulk_offer(context: Context, layer: str = "") -> Offer | None:
    """Give the verbs that the caller may ask for; None for whoever may do nothing to many devices."""
    caller: Person | None = context.get("caller")
    if not caller or not caller.is_operator:
        return None
    first = _FIRST.get(layer or "lifeguard", _FIRST["lifeguard"])
    allowed = [verb for verb in VERBS.values() if caller.may(verb.least)]
    return Offer(
        [verb for verb in allowed if verb.name in first], [verb for verb in allowed if verb.name not in first]
    )
