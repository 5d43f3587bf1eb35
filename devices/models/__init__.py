"""What exists: racks, hardware, images, boot configs, power controllers, devices, and their journal."""

from devices.models.boot_config import BootConfig, ImageBootConfig
from devices.models.device import Device
from devices.models.device_kind import DeviceKind
from devices.models.hardware import HardwareType
from devices.models.image import Image
from devices.models.journal import Journal
from devices.models.power_controller import PowerController
from devices.models.rack import Rack

__all__ = [
    "BootConfig",
    "Device",
    "DeviceKind",
    "HardwareType",
    "Image",
    "ImageBootConfig",
    "Journal",
    "PowerController",
    "Rack",
]
