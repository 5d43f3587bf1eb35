"""Which devices a table shows: filters from the query string, the same for what "all that match" means to an action.

A filter that names what there is not matches nothing: left out, an action would meet more devices than were meant.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.http import QueryDict

from devices.listing import environments
from devices.models import Device, HardwareType, Image, PowerController, Rack
from devices.models.device import Health
from devices.names import MAC
from lifeguard.states import DEVICE
from pages.families import FAMILIES, family_of, words

LONGEST_TEXT = 100
# What stands for a filter that leaves nothing out, where an empty one might have been forgotten.
EVERYTHING = "everything"
# No image can bear this name.
NO_IMAGE = "-"
_YES_NO = (("yes", "held by a request"), ("no", "held by nobody"))
# Numbers of the inventory fit a column of 32 bits.
_MOST_DIGITS = 9


@dataclass(frozen=True)
class Choice:
    """A filter that is chosen from a list: `now` is what the query string has, `options` (value, label)."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    now: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether what was asked for is not there, so that nothing matches."""
        return bool(self.now) and self.now not in {value for value, _ in self.options}


@dataclass(frozen=True)
class Known:
    """What devices can point at, by number: read once for a page, for its filters and its rows. Four queries."""

    racks: Mapping[int, str]
    hardware: Mapping[int, str]
    images: Mapping[int, str]
    environments: tuple[str, ...]

    @classmethod
    def read(cls) -> "Known":
        """Read them."""
        kinds = HardwareType.objects.order_by("kind", "model").values_list("pk", "kind", "model")
        return cls(
            dict(Rack.objects.order_by("name").values_list("pk", "name")),
            {pk: f"{kind} {model}" for pk, kind, model in kinds},
            dict(Image.objects.order_by("name").values_list("pk", "name")),
            tuple(sorted(environments())),
        )


@dataclass(frozen=True)
class Filters:
    """The filters of one page: `text` is searched for, `choices` are lists, `controller` is a name that is typed."""

    text: str
    controller: str
    choices: tuple[Choice, ...]
    _known: Known

    @classmethod
    def of(cls, query: QueryDict, known: Known | None = None) -> "Filters":
        """Read the filters of a query string; what else it holds is not ours."""
        known = known or Known.read()
        lists = _options(known)
        choices = tuple(Choice(name, label, options, query.get(name, "")) for name, label, options in lists)
        return cls(
            query.get("q", "").strip()[:LONGEST_TEXT],
            query.get("controller", "").strip()[:64],
            choices,
            known,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What the filters are called in a query string."""
        return ("q", "controller", *(choice.name for choice in self.choices))

    @property
    def used(self) -> dict[str, str]:
        """The filters that are set, by name, as a query string has them."""
        told = {"q": self.text, "controller": self.controller}
        told |= {choice.name: choice.now for choice in self.choices}
        return {name: value for name, value in told.items() if value}

    @property
    def described(self) -> list[str]:
        """Say what is set, for people."""
        told = [f"“{self.text}”"] if self.text else []
        told += [f"power controller {self.controller}"] if self.controller else []
        for choice in self.choices:
            if choice.now:
                label = dict(choice.options).get(choice.now, choice.now)
                told.append(f"{choice.label.lower()}: {label}")
        return told

    @property
    def query(self) -> str:
        """The filters that are set as a query string, and nothing else."""
        query = QueryDict(mutable=True)
        query.update(self.used)
        return query.urlencode()

    def apply(self, devices: QuerySet[Device]) -> QuerySet[Device]:
        """Narrow devices down."""
        if any(choice.is_unknown for choice in self.choices):
            return devices.none()
        chosen = {choice.name: choice.now for choice in self.choices if choice.now}
        if self.text:
            devices = devices.filter(_having_text(self.text))
        if self.controller:
            controller = PowerController.objects.filter(name=self.controller).values_list("pk", flat=True)
            # Looked up first: a join would keep the database from its index.
            devices = devices.filter(power_controller_id__in=list(controller))
        for name, value in chosen.items():
            devices = devices.filter(self._condition(name, value))
        return devices

    def _condition(self, name: str, value: str) -> Q:
        if name == "family":
            return _of_family(value)
        if name == "held":
            return Q(held_by__isnull=value == "no")
        if name == "image" and value == NO_IMAGE:
            return Q(image_id=None)
        pointers = {
            "rack": ("rack_id", self._known.racks),
            "hardware": ("hardware_type_id", self._known.hardware),
            "image": ("image_id", self._known.images),
        }
        if name in pointers:
            column, names = pointers[name]
            return Q(**{column: _number_of(names, value)})
        return Q(**{name: value})


def _options(known: Known) -> tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]:
    return (
        ("family", "Family", tuple((one.name, one.label) for one in FAMILIES.values())),
        ("state", "State", tuple((state, words(state)) for state in DEVICE.stored())),
        ("held", "Held", _YES_NO),
        ("rack", "Rack", _alike(known.racks.values())),
        ("environment", "Environment", _alike(known.environments)),
        ("hardware", "Hardware", _alike(known.hardware.values())),
        ("image", "Image", ((NO_IMAGE, "none"), *_alike(known.images.values()))),
        ("health", "Health", tuple((str(value), str(label)) for value, label in Health.choices)),
    )


def _alike(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names)


def _number_of(names: Mapping[int, str], name: str) -> int:
    return next(number for number, one in names.items() if one == name)


def _of_family(name: str) -> Q:
    """Select a family's devices; `out` are also those in a state that the table does not know."""
    if name in ("free", "held"):
        return Q(state="ready", held_by__isnull=name == "free")
    states = [state for state in DEVICE.stored() if family_of(state).name == name]
    selected = Q(state__in=states)
    return selected | ~Q(state__in=DEVICE.stored()) if name == "out" else selected


def _having_text(text: str) -> Q:
    """Select by a part of the name, the FQDN, the comments or the MAC address, or by a number of the inventory."""
    found = Q(name__icontains=text) | Q(fqdn__icontains=text) | Q(comments__icontains=text)
    mac = text.replace(":", "").replace("-", "").replace(".", "").lower()
    if MAC.fullmatch(mac):
        found |= Q(mac=mac)
    elif ":" in text and mac and all(char in "0123456789abcdef" for char in mac):
        found |= Q(mac__contains=mac)
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        found |= Q(inventory_id=int(text))
    return found
