"""What verbs take: declared fields for forms, and checks that turn what was given into what a batch stores.

Each check raises InvalidInputError naming the field, and gives plain JSON that means the same at any later time.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devices.api.v2.values import boot_config_for_image, values_of
from devices.models import BootConfig, Image
from devices.models.image import OWN_IMAGES
from devices.names import ANY, SLUG
from devices.services import LONGEST_COMMENTS
from lifeguard.quarantine import check_bug
from lifeguard.states import DEVICE
from mozpool_site.errors import InvalidInputError

_LONGEST_NAME = 64
Given = Mapping[str, Any]
Check = Callable[[Given], dict[str, Any]]


@dataclass(frozen=True)
class Field:
    """One thing that a verb takes. `kind` tells forms how to ask for it.

    `image`, `netboot` (a boot config) and `state` are names to choose from; `values` is an object of plain names and
    what each is; `text` is a line, `long_text` several; `choice` is one of `choices`, (value, label) each.
    """

    name: str
    label: str
    kind: str
    help: str = ""
    required: bool = True
    choices: tuple[tuple[str, str], ...] = ()


IMAGE = Field("image", "Image", "image", "What to install.")
IMAGE_VALUES = Field("boot_config", "Values", "values", "What the image asks for.", required=False)
NETBOOT = Field("netboot", "Boot config", "netboot", "What the device reads when it boots from the network.")
NETBOOT_VALUES = Field(
    "boot_config", "Values", "values", "What the booting device is told of its image.", required=False
)
STATE = Field(
    "to",
    "New state",
    "state",
    "Lifeguard goes on from there, whether or not the device is as the state says.",
)
COMMENT = Field("text", "Comment", "long_text", f"At most {LONGEST_COMMENTS} characters.", required=False)
MODE = Field(
    "mode",
    "What is noted already",
    "choice",
    choices=(("append", "Keep it, and add this below"), ("replace", "Replace it")),
)
BUG = Field("bug", "Bug", "text", "The address of a bug, if there is one.", required=False)
ENVIRONMENT = Field("environment", "Environment", "text", "Not of a device that somebody has.")


def nothing(given: Given) -> dict[str, Any]:
    """Take nothing."""
    _only(given)
    return {}


def holders(given: Given) -> dict[str, Any]:
    """Take the requests that must still have the devices, where a holder asks; nothing where an operator does."""
    _only(given, "held_by")
    numbers = given.get("held_by", [])
    if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
        raise InvalidInputError("held_by: a list of requests' numbers expected", field="held_by")
    return {"held_by": numbers} if "held_by" in given else {}


def image(given: Given) -> dict[str, Any]:
    """Take an image that can be requested, and exactly its values."""
    _only(given, "image", "boot_config")
    name = _name(given, "image")
    found = Image.objects.filter(name=name).first()
    if found is None:
        raise InvalidInputError(f"there is no image {name!r}", field="image")
    if found.name in OWN_IMAGES:
        raise InvalidInputError(
            f"{name} is Lifeguard's own: ask for a self-test or maintenance", field="image"
        )
    return {"image": found.name, "boot_config": json.loads(boot_config_for_image(found, _object(given)))}


def netboot(given: Given) -> dict[str, Any]:
    """Take an active boot config, and whatever values."""
    _only(given, "netboot", "boot_config")
    name = _name(given, "netboot")
    found = BootConfig.objects.filter(name=name).values_list("name", "active").first()
    if found is None:
        raise InvalidInputError(f"there is no boot config {name!r}", field="netboot")
    if not found[1]:
        raise InvalidInputError(f"boot config {name} is not active", field="netboot")
    values = _object(given)
    return {"netboot": found[0], "boot_config": values_of(values, values)}


def state(given: Given) -> dict[str, Any]:
    """Take a state to go to, and in `from` those that were seen: a device in any other one is left alone."""
    _only(given, "to", "from")
    to, seen = _text(given, "to", _LONGEST_NAME), given.get("from", [])
    if to not in DEVICE.stored():
        raise InvalidInputError(f"{to!r} is no state; there are: {', '.join(DEVICE.stored())}", field="to")
    if not isinstance(seen, list) or not all(
        isinstance(name, str) and len(name) <= _LONGEST_NAME for name in seen
    ):
        raise InvalidInputError("from: a list of states expected", field="from")
    return {"to": to, "from": sorted(set(seen))}


def comment(given: Given) -> dict[str, Any]:
    """Take a text, and whether it stands below what is there or in its place; an empty one only there."""
    _only(given, "text", "mode")
    text, mode = given.get("text", ""), given.get("mode", "append")
    if not isinstance(text, str) or len(text) > LONGEST_COMMENTS:
        raise InvalidInputError(f"text: at most {LONGEST_COMMENTS} characters of text", field="text")
    if mode not in ("append", "replace"):
        raise InvalidInputError("mode: append or replace", field="mode")
    text = text.replace("\r\n", "\n").strip("\n")
    if mode == "append" and not text.strip():
        raise InvalidInputError("text: what is to be added?", field="text")
    return {"text": text, "mode": mode}


def environment(given: Given) -> dict[str, Any]:
    """Take the name of an environment, new ones too."""
    _only(given, "environment")
    name = _text(given, "environment", _LONGEST_NAME)
    if name == ANY or not SLUG.fullmatch(name):
        raise InvalidInputError(
            f"environment: letters, digits, dots, hyphens and underscores, and not {ANY!r}",
            field="environment",
        )
    return {"environment": name}


def bug(given: Given) -> dict[str, Any]:
    """Take a bug's address, or none."""
    _only(given, "bug")
    address = given.get("bug", "")
    if not isinstance(address, str):
        raise InvalidInputError("bug: an address expected", field="bug")
    return {"bug": check_bug(address)}


def _only(given: Given, *names: str) -> None:
    for name in given:
        if name not in names:
            known = ", ".join(names) or "nothing"
            raise InvalidInputError(
                f"{str(name)[:64]!r} is not taken here; this takes {known}", field=str(name)[:64]
            )


def _text(given: Given, name: str, longest: int) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"{name} is missing", field=name)
    if len(value) > longest:
        raise InvalidInputError(f"{name}: at most {longest} characters", field=name)
    return value.strip()


def _name(given: Given, field: str) -> str:
    name = _text(given, field, _LONGEST_NAME)
    # MySQL compares text more generously than we do, so what can't be a name is not even looked for.
    if not SLUG.fullmatch(name):
        raise InvalidInputError(f"{field}: {name!r} is no name", field=field)
    return name


def _object(given: Given) -> dict[str, Any]:
    value = given.get("boot_config") or {}
    if not isinstance(value, dict):
        raise InvalidInputError(
            "boot_config: an object with a value for each name expected", field="boot_config"
        )
    return value
