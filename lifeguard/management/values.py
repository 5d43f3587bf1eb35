"""The values that an image needs, as a command takes them: --set key=value."""

from argparse import ArgumentParser

from devices.models import Image
from mozpool_site.api.values import build_value
from mozpool_site.commands import key_value
from mozpool_site.errors import InvalidInputError


def add_set_argument(parser: ArgumentParser) -> None:
    """Take --set key=value, again and again."""
    parser.add_argument(
        "--set", action="append", default=[], type=key_value, metavar="KEY=VALUE",
        help="a value that the image needs, such as b2gbase=http://...; may be repeated",
    )  # fmt: skip


def values_for(image: Image, given: list[tuple[str, str]]) -> dict[str, str]:
    """Give exactly the values that an image takes.

    Raises InvalidInputError for one too many or too few, and for a value that the API would refuse too, such as a
    URL on a host that devices must not fetch from.
    """
    values = dict(given)
    keys = list(image.boot_config_keys)
    for key in values:
        if key not in keys:
            takes = ", ".join(keys) or "none"
            raise InvalidInputError(
                f"image {image.name} takes no value {key!r}; it takes: {takes}", field=key
            )
    missing = [key for key in keys if key not in values]
    if missing:
        raise InvalidInputError(
            f"image {image.name} needs {', '.join(missing)}: --set {missing[0]}=VALUE", field=missing[0]
        )
    body: dict[str, object] = {**values}
    for key in keys:
        build_value(body, key)
    return values
