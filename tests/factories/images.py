"""Images, and the boot configs that bring them onto the test's one type of hardware."""

from typing import Any

from devices.models import BootConfig, HardwareType, Image, ImageBootConfig
from devices.models.image import Verification

BOOT_TEXT = "DEFAULT install\nAPPEND url=%BASEURL%/boot/%DEVICE%/%TOKEN%\n"


def make_hardware() -> HardwareType:
    """Give the one type of hardware of a test."""
    hardware, _ = HardwareType.objects.get_or_create(kind="panda", model="es-b3")
    return hardware


def make_image(name: str = "android", *, installable: bool = True, **columns: Any) -> Image:
    """Make an image verified by a TCP port, reusable, and (unless told otherwise) installable on the hardware."""
    ordinary: dict[str, Any] = {"verification": Verification.TCP, "verify_port": 5555, "reusable": True}
    image = Image.objects.create(name=name, **{**ordinary, **columns})
    if installable:
        boot_config = BootConfig.objects.create(name=f"panda-{name}", contents=BOOT_TEXT)
        ImageBootConfig.objects.create(image=image, hardware_type=make_hardware(), boot_config=boot_config)
    return image
