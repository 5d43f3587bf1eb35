"""Finds the requests that a command's words name: by number, or by the device that they hold."""

from bmm.management.naming import find_devices
from mozpool_site.errors import ConflictError, UnknownNameError
from requests_app.models import Request


def find_request(text: str) -> Request:
    """Give the request of that number, or that holds the device of that name.

    Raises UnknownNameError, or ConflictError when nobody holds the device.
    """
    if text.isascii() and text.isdigit():
        request = Request.objects.filter(pk=int(text)).first() if len(text) < 19 else None  # noqa: PLR2004 - 64 bits
        if request is None:
            raise UnknownNameError(f"there is no request {text}", field="request")
        return request
    (device,) = find_devices([text])
    request = Request.objects.filter(pk=device.held_by).first() if device.held_by is not None else None
    if request is None:
        raise ConflictError(f"no request holds {device.name}; it is in state {device.state}", field="state")
    return request
