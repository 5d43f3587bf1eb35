"""Whether a request can ever be met by the devices that there are, and if not, why: decided and worded purely."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from requests_app.matching import Demand, suits
from requests_app.planning.availability import Reason, Stock
from requests_app.planning.pool import ANY, Kind

_MOST_NAMED = 8
# Whoever is so comes back by a decision alone, not by a repair.
_FOR_GOOD = (Reason.LOCKED_OUT, Reason.LEFT_INVENTORY)


@dataclass(frozen=True)
class Asked:
    """What the names in a request are. `installable` are the types of hardware that the image has a boot config for.

    `hardware` is the type that was asked for, `device` the name of the device and `kind` what that one is.
    """

    image: str
    installable: frozenset[int]
    hardware_names: Mapping[int, str]
    hardware: int | None = None
    device: str | None = None
    kind: Kind | None = None


@dataclass(frozen=True)
class Impossible:
    """Why nothing can ever meet a request: a sentence, and the field to change."""

    detail: str
    field: str


def impossible(demand: Demand, asked: Asked, stock: Stock) -> Impossible | None:
    """Give why no device that there is can ever meet a request; None when one may."""
    if not asked.installable:
        return Impossible(f"image {asked.image} has no active boot config for any hardware", "image")
    if asked.hardware is not None and asked.hardware not in asked.installable:
        wanted, can = asked.hardware_names[asked.hardware], _hardware(asked, asked.installable)
        return Impossible(
            f"image {asked.image} has no active boot config for {wanted}; it has for {can}", "hardware"
        )
    if asked.kind is not None:
        return _named(demand, asked, asked.kind)
    return _any(demand, asked, stock)


def _named(demand: Demand, asked: Asked, kind: Kind) -> Impossible | None:
    """Compare with the one device that will do."""
    if demand.environment not in (ANY, kind.environment):
        told = f"device {asked.device} is of environment {kind.environment}, not {demand.environment}"
        return Impossible(told, "environment")
    if missing := demand.tags - kind.tags:
        return Impossible(f"device {asked.device} does not have the tag {_listed(missing)}", "tags")
    if kind.hardware_type_id not in demand.hardware:
        its = asked.hardware_names[kind.hardware_type_id]
        if asked.hardware is not None:
            return Impossible(
                f"device {asked.device} is {its}, not {asked.hardware_names[asked.hardware]}", "hardware"
            )
        return Impossible(
            f"image {asked.image} has no active boot config for {its}, the hardware of {asked.device}",
            "image",
        )
    return None


def _any(demand: Demand, asked: Asked, stock: Stock) -> Impossible | None:
    """Narrow the pool down step by step, and tell the step that leaves nothing."""
    if not stock:
        return Impossible("the pool has no devices yet", "device")
    left = _only(stock, lambda kind: demand.environment in (ANY, kind.environment))
    if not left:
        there = _listed({kind.environment for kind in stock})
        return Impossible(
            f"no device is of environment {demand.environment}; there are: {there}", "environment"
        )
    of = "" if demand.environment == ANY else f" of environment {demand.environment}"
    tagged = _only(left, lambda kind: demand.tags <= kind.tags)
    if not tagged:
        there = _listed({tag for kind in left for tag in kind.tags}) or "none"
        return Impossible(
            f"no device{of} has the tags {_listed(demand.tags)} together; tags there: {there}", "tags"
        )
    fitting = _only(tagged, lambda kind: suits(demand, kind))
    if not fitting:
        having = f" with the tags {_listed(demand.tags)}" if demand.tags else ""
        there = _hardware(asked, {kind.hardware_type_id for kind in tagged})
        return Impossible(
            f"none of the devices{of}{having} has hardware that will do ({_hardware(asked, demand.hardware)}); "
            f"they have {there}",
            "image" if asked.hardware is None else "hardware",
        )
    counted = sum(fitting.values(), Counter[Reason]())
    if all(reason in _FOR_GOOD for reason in counted):
        parts = ", ".join(f"{counted[one]} {one.many}" for one in Reason if counted[one])
        return Impossible(f"no device that fits is in the pool any more: {parts}", "device")
    return None


def _only(stock: Stock, wanted: Callable[[Kind], bool]) -> Stock:
    return {kind: counted for kind, counted in stock.items() if wanted(kind)}


def _hardware(asked: Asked, types: Iterable[int]) -> str:
    return _listed({asked.hardware_names[pk] for pk in types})


def _listed(names: Iterable[str]) -> str:
    """Write names in order, the first few of them."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _MOST_NAMED} more" if len(ordered) > _MOST_NAMED else ""
    return ", ".join(ordered[:_MOST_NAMED]) + more
