"""One device as an inventory describes it: every value read strictly, or refused with a reason."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from devices.addresses import is_number, read_address, why_no_mac
from devices.names import ANY, HOSTNAME, MAC, SLUG, is_list_of_names

# MAC addresses as people and programs write them: 02:00:.., 02-00-.., 0200.0000.0001, 020000000001.
_MAC_SEPARATORS = re.compile(r"[:.\-]")
_LONGEST_NAME, _LONGEST_FQDN = 63, 253
_LONGEST_OUTLET = 64
_MOST_ID = 2**31 - 1
# What a person reads of a value that was refused.
_SHOWN = 60
# What a spreadsheet makes of 020000000010 and 2E7, and never gives back.
_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?E[+-]?[0-9]+", re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """What a source says of one device, and `where` in the source, for people.

    `values` has a value for each field that the source tells; None or () means that it says there is none. A field that
    is missing is not the source's business. `problems` are sentences; a record with any is not used.
    """

    where: str
    values: Mapping[str, object]
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it; empty where the source gave no usable name."""
        return str(self.values.get("name") or "")


def read(raw: Mapping[str, object], where: str) -> Record:
    """Read a record out of what a source gave for some of FIELDS."""
    values: dict[str, object] = {}
    problems = []
    for field, given in raw.items():
        try:
            values[field] = READERS[field](_bare(given))
        except ValueError as error:
            problems.append(f"{field}: {error}, {_but(given)}")
    return Record(where, values, tuple(problems))


def _bare(given: object) -> object:
    if isinstance(given, str):
        return given.strip() or None
    return given


def _but(given: object) -> str:
    """Say what came instead, in words; what a list or an object holds may be endless."""
    if given is None or given == "":
        return "and there is none"
    if isinstance(given, dict):
        return f"not an object with {', '.join(sorted(map(str, given))[:5]) or 'nothing in it'}"
    if isinstance(given, list | tuple):
        return "not a list"
    text = repr(given) if isinstance(given, str) else json.dumps(given)
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    made = isinstance(given, str) and _SCIENTIFIC.fullmatch(given.strip())
    return f"not {text}{', which a spreadsheet has made of it: format the column as text' if made else ''}"


def _text(given: object, expected: str) -> str:
    if not isinstance(given, str | int) or isinstance(given, bool):
        raise ValueError(expected)  # noqa: TRY004 - one error for all junk
    return str(given)


def _hostname(longest: int) -> Callable[[object], object]:
    def read_name(given: object) -> object:
        expected = f"a host name of {longest} characters at most expected"
        text = _text(given, expected)
        if len(text) > longest or not HOSTNAME.fullmatch(text) or text == ANY:
            raise ValueError(expected)
        return text

    return read_name


def _fqdn(given: object) -> object:
    name = _hostname(_LONGEST_FQDN)(given)
    if is_number(str(name)):
        raise ValueError("a host name expected; an address belongs into its own field")
    return name


def _address(given: object) -> object:
    if given is None:
        return None
    return read_address(_text(given, "an IPv4 address expected"))


def _mac(given: object) -> object:
    expected = "a MAC address of twelve hex digits expected"
    text = _MAC_SEPARATORS.sub("", _text(given, expected)).lower()
    if not MAC.fullmatch(text):
        raise ValueError(expected)
    if why := why_no_mac(text):
        raise ValueError(f"the MAC address of one network card expected ({why})")
    return text


def _inventory_id(given: object) -> object:
    if given is None:
        return None
    expected = f"a whole number from 0 to {_MOST_ID} expected"
    text = _text(given, expected)
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > _MOST_ID:
        raise ValueError(expected)
    return int(text)


def _slug(given: object) -> object:
    expected = "a plain name expected (letters, digits, dots, hyphens, underscores)"
    text = _text(given, expected)
    if not SLUG.fullmatch(text) or text == ANY:
        raise ValueError(expected)
    return text


def _slug_or_none(given: object) -> object:
    return None if given is None else _slug(given)


def _hardware(given: object) -> object:
    expected = 'kind and model expected, such as "panda es-b3"'
    text = " ".join(_text(given, expected).split())
    if " " not in text or not text.isprintable():
        raise ValueError(expected)
    return text


def _outlet(given: object) -> object:
    if given is None:
        return ""
    expected = f"the name of an outlet, {_LONGEST_OUTLET} characters at most, expected"
    text = _text(given, expected)
    if len(text) > _LONGEST_OUTLET or not text.isprintable():
        raise ValueError(expected)
    return text


def _tags(given: object) -> object:
    if given is None:
        return ()
    tags: object = re.split(r"[,;\s]+", given.strip(",; ")) if isinstance(given, str) else given
    if isinstance(tags, list):
        # NetBox's are objects with a slug.
        tags = [tag.get("slug") if isinstance(tag, dict) else tag for tag in tags]
    if not isinstance(tags, list) or not is_list_of_names(tags):
        raise ValueError("plain names, each once, expected")
    return tuple(sorted(tags))


READERS: Mapping[str, Callable[[object], object]] = {
    "name": _hostname(_LONGEST_NAME),
    "fqdn": _fqdn,
    "address": _address,
    "mac": _mac,
    "inventory_id": _inventory_id,
    "rack": _slug,
    "hardware_type": _hardware,
    "power_controller": _slug_or_none,
    "outlet": _outlet,
    "environment": _slug,
    "tags": _tags,
}
FIELDS = tuple(READERS)
# What a new device can't do without.
NEEDED = ("name", "fqdn", "mac", "rack", "hardware_type", "environment")
