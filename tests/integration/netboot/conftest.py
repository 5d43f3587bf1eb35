"""A web process, a file server and a live image, all real."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from bmm import bootfiles
from devices.models import BootConfig, Device, Image, ImageBootConfig, Journal
from lifeguard import services
from mozpool_site.statemachine.runner import Actor
from tests.factories import make_device, make_image
from tests.factories.images import make_hardware
from tests.integration.netboot.live import FileServer, LiveImage, file_server, script

BOOT_FILE = """DEFAULT install
LABEL install
  KERNEL panda/vmlinuz
  INITRD panda/live.gz
  APPEND console=ttyO2 mobile-imaging-url=%BASEURL%/boot/%DEVICE%/%TOKEN%/second-stage
"""


@pytest.fixture
def files() -> Iterator[FileServer]:
    """Give a web server with files."""
    with file_server() as server:
        yield server


@pytest.fixture
def live(tmp_path: Path) -> LiveImage:
    """Give a device's live image."""
    if not shutil.which("busybox"):
        pytest.skip("busybox-static is not installed")
    return LiveImage(tmp_path)


class Booting:
    """A device that Lifeguard has just sent into the network, and what the server knows of it."""

    def __init__(self, device: Device) -> None:
        self.pk = device.pk

    @property
    def device(self) -> Device:
        """Its row as it is now."""
        return Device.objects.select_related("rack", "netboot").get(pk=self.pk)

    @property
    def url(self) -> str:
        """Where its boot file tells it to fetch its second stage."""
        return f"{bootfiles.base_url(self.device)}/second-stage"

    def told(self) -> list[str]:
        """Give the lines that it has written into its journal, the first first."""
        lines = Journal.objects.filter(device_id=self.pk, event="log").order_by("time", "id")
        return list(lines.values_list("message", flat=True))

    def path(self) -> list[str]:
        """Give the states that it has entered, the first first."""
        lines = Journal.objects.filter(device_id=self.pk).exclude(to_state="").order_by("time", "id")
        return list(lines.values_list("to_state", flat=True))


class Lab:
    """Boots devices into their second stages, from a web process of this test."""

    def install(self, wish: str = "{}", /, **settings: object) -> Booting:
        """Begin to install the image `linux`."""
        image = self._image("linux", "install", settings)
        device = make_device()
        return self._begun(device, "image", image, wish)

    def own(self, action: str, **settings: object) -> Booting:
        """Begin a self-test or maintenance."""
        self._image(action, action, settings)
        return self._begun(make_device(), {"maintenance": "start_maintenance"}.get(action, "self_test"))

    def _begun(self, device: Device, verb: str, image: Image | None = None, wish: str = "{}") -> Booting:
        return Booting(
            services.please(device.pk, verb, by=Actor("tester", "user"), image=image, boot_config=wish)
        )

    def _image(self, name: str, action: str, settings: dict[str, object]) -> Image:
        image = make_image(name, installable=False)
        config = BootConfig(name=f"kit-{name}", contents=BOOT_FILE, second_stage=script(action, **settings))
        config.full_clean()
        config.save()
        ImageBootConfig.objects.create(image=image, hardware_type=make_hardware(), boot_config=config)
        return image


@pytest.fixture
def lab(live_server: LiveServer, settings: Settings, tmp_path: Path) -> Lab:
    """Give a lab whose devices call a real web server."""
    settings.MOZPOOL_BASE_URL = live_server.url
    settings.MOZPOOL_TFTP_ROOT = str(tmp_path)
    return Lab()
