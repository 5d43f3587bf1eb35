"""The values that an image is asked for with, as bodies give them: exactly its keys, each as a device may get it."""

import json
from collections.abc import Iterable, Mapping

from devices.models import Image
from devices.names import SLUG
from mozpool_site.api.values import build_value
from mozpool_site.errors import InvalidInputError

# Images ask for one or two.
_MOST = 32


def values_of(given: Mapping[str, object], keys: Iterable[str]) -> dict[str, str | int]:
    """Give the values of these keys. Raises InvalidInputError naming `boot_config.KEY`."""
    keys = list(keys)
    if len(keys) > _MOST:
        raise InvalidInputError(f"boot_config: at most {_MOST} values", field="boot_config")
    values = {}
    for key in keys:
        if not SLUG.fullmatch(key):
            raise InvalidInputError("boot_config: plain names as keys, please", field="boot_config")
        try:
            values[key] = build_value(dict(given), key)
        except InvalidInputError as error:
            raise InvalidInputError(f"boot_config: {error.detail}", field=f"boot_config.{key}") from error
    return values


def boot_config_for_image(image: Image, given: Mapping[str, object]) -> str:
    """Give exactly the values that an image takes, as JSON that is equal for equal values.

    Raises InvalidInputError naming `boot_config.KEY` for one too many, too few, or one that no device may fetch.
    """
    takes = list(image.boot_config_keys)
    for key in given:
        if key not in takes:
            known = ", ".join(takes) or "none"
            detail = f"image {image.name} takes no value {key[:64]!r}; it takes: {known}"
            raise InvalidInputError(detail, field=f"boot_config.{key[:64]}")
    missing = [key for key in takes if key not in given]
    if missing:
        raise InvalidInputError(
            f"image {image.name} needs {', '.join(missing)}", field=f"boot_config.{missing[0]}"
        )
    return json.dumps(values_of(given, takes), sort_keys=True)
