"""Reads what somebody asks for out of a legacy request's body."""

from devices.listing import device_named
from devices.models import Device, Image
from devices.names import SLUG
from mozpool_site.api.bodies import Body
from mozpool_site.api.values import build_value, seconds, text
from mozpool_site.compiled import CompiledQuery, Parameter
from mozpool_site.errors import InvalidInputError, UnknownNameError
from requests_app.planning.pool import ANY
from requests_app.services import Order

# What old clients know: they wait ten minutes for any device, and half a minute for a certain one that nobody has.
_WAIT_FOR_ANY, _WAIT_FOR_NAMED = 600, 30
_LONGEST_NAME = 64
_LONGEST_ASSIGNEE = 100


def read_order(body: Body, device_name: str) -> Order:
    """Check everything that can be checked without filing. Raises InvalidInputError, UnknownNameError.

    The oldest clients call the assignee `requester`.
    """
    who = "requester" if "requester" in body and "assignee" not in body else "assignee"
    assignee = text(body, who, _LONGEST_ASSIGNEE)
    duration = seconds(body, "duration")
    image_name = text(body, "image", _LONGEST_NAME)
    environment = _environment(body)
    device = _device(device_name)
    image = _image(image_name)
    return Order(
        image=image,
        assignee=assignee,
        duration=duration,
        max_wait=_WAIT_FOR_ANY if device is None else _WAIT_FOR_NAMED,
        legacy=True,
        device=device,
        environment=environment,
        boot_config={key: build_value(body, key) for key in image.boot_config_keys},
    )


def _environment(body: Body) -> str:
    if "environment" not in body:
        return ANY
    name = text(body, "environment", _LONGEST_NAME)
    if not SLUG.fullmatch(name):
        raise InvalidInputError(
            "environment: letters, digits, dots, hyphens and underscores", field="environment"
        )
    return name


def _device(name: str) -> Device | None:
    return None if name == ANY else device_named(name, "hardware_type")


def _image(name: str) -> Image:
    image = next(_image_named(name=name), None) if SLUG.fullmatch(name) else None
    if image is None:
        raise UnknownNameError(f"there is no image {name!r}", field="image")
    return image


_image_named = CompiledQuery(
    lambda: Image.objects.order_by().filter(name=Parameter("name", Image._meta.get_field("name")))
)
