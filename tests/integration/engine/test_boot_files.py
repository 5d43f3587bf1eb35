"""The TFTP folder is made to match the database, and nobody else's files are touched."""

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from bmm import bootfiles
from devices.models import BootConfig, Device
from mozpool_site import clock
from tests.beats import rack_beats
from tests.factories import make_device, make_image, make_rack

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    """Give the folder in which the boot files of this test are."""
    settings.MOZPOOL_TFTP_ROOT = str(tmp_path)
    (tmp_path / "pxelinux.cfg").mkdir()
    return tmp_path / "pxelinux.cfg"


def boot_config() -> BootConfig:
    """Make an image and give its boot config."""
    return make_image().boot_configs.get().boot_config


def file_of(folder: Path, device: Device) -> Path:
    """Give where PXELINUX looks for the device's file."""
    pairs = [device.mac[at : at + 2] for at in range(0, 12, 2)]
    return folder / f"01-{'-'.join(pairs)}"


def test_a_device_that_is_to_boot_from_the_network_gets_its_file_with_its_own_values(folder: Path) -> None:
    device = make_device(netboot=boot_config(), boot_seq=3)
    assert bootfiles.sync(device.pk)
    url = bootfiles.base_url(Device.objects.select_related("rack").get(pk=device.pk))
    assert f"/boot/{device.name}/" in url
    assert file_of(folder, device).read_text() == f"DEFAULT install\nAPPEND url={url}\n"
    assert not bootfiles.sync(device.pk)


def test_the_next_boot_gets_another_token(folder: Path) -> None:
    device = make_device(netboot=boot_config(), boot_seq=3)
    bootfiles.sync(device.pk)
    first = file_of(folder, device).read_text()
    Device.objects.filter(pk=device.pk).update(boot_seq=4)
    assert bootfiles.sync(device.pk)
    assert file_of(folder, device).read_text() != first


def test_a_pulse_writes_what_is_missing_mends_what_was_changed_and_removes_what_must_not_be(
    folder: Path,
) -> None:
    config = boot_config()
    missing, changed, over = (make_device(netboot=config), make_device(netboot=config), make_device())
    file_of(folder, changed).write_text("LOCALBOOT 0\n")
    file_of(folder, over).write_text("DEFAULT install\n")
    rack_beats().beat(clock.now())
    assert file_of(folder, missing).read_text().startswith("DEFAULT install\n")
    assert file_of(folder, changed).read_text().startswith("DEFAULT install\n")
    assert not file_of(folder, over).exists()


def test_a_pulse_that_finds_all_boot_files_right_asks_the_database_once_for_all_of_them(folder: Path) -> None:
    config = boot_config()
    for device in [make_device(netboot=config) for _ in range(5)]:
        bootfiles.sync(device.pk)
    with CaptureQueriesContext(connection) as queries:
        assert bootfiles.reconcile(None) == 0
    assert len(queries) == 1
    gone = make_device()
    file_of(folder, gone).write_text("DEFAULT install\n")
    assert bootfiles.reconcile(None) == 1
    assert not file_of(folder, gone).exists()


def test_files_of_another_rack_and_of_strangers_are_left_alone(folder: Path) -> None:
    elsewhere = make_device(rack=make_rack("p2"))
    file_of(folder, elsewhere).write_text("DEFAULT theirs\n")
    stranger = folder / "01-de-ad-be-ef-00-00"
    stranger.write_text("DEFAULT stranger\n")
    default = folder / "default"
    default.write_text("LOCALBOOT 0\n")
    rack_beats(make_rack("p1").name).beat(clock.now())
    assert file_of(folder, elsewhere).read_text() == "DEFAULT theirs\n"
    assert stranger.exists()
    assert default.exists()


def test_a_folder_that_cannot_be_written_stops_no_pulse_and_is_tried_again(folder: Path) -> None:
    device = make_device(netboot=boot_config())
    folder.rmdir()
    folder.write_text("in the way")
    rack_beats().beat(clock.now())
    folder.unlink()
    rack_beats().beat(clock.now())
    assert file_of(folder, device).exists()
