"""Rows for tests, each by one plain function: what a test does not name is the ordinary case."""

from tests.factories.hardware import change, make_controller, make_device, make_devices, make_rack
from tests.factories.images import BOOT_TEXT, make_image
from tests.factories.requests import file_order, make_request

__all__ = [
    "BOOT_TEXT",
    "change",
    "file_order",
    "make_controller",
    "make_device",
    "make_devices",
    "make_image",
    "make_rack",
    "make_request",
]
