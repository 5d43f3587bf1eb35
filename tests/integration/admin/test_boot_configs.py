"""What a device would read of a boot config is shown before it is stored; which images lack one is seen."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from bmm.netboot import boot_file_name, boot_token
from devices.models import BootConfig, Device, HardwareType, Image, ImageBootConfig
from tests.integration.access.people import somebody
from tests.integration.admin.pages import load

ENTRY = "DEFAULT a\nLABEL a\nKERNEL k\n"
PREVIEW, MATRIX = "/admin/devices/bootconfig/preview/", "/admin/devices/imagebootconfig/matrix/"
TEXT = "DEFAULT x\nLABEL x\n  KERNEL panda/vmlinuz\n  APPEND url=%BASEURL%/boot/%DEVICE%/%TOKEN% ip=%IPADDRESS%\n"


def readings(page: Any) -> dict[str, Any]:
    return {one.reader: one for one in page.context["readings"]}


def test_a_text_is_shown_as_each_loader_of_a_device_would_read_it_without_being_stored(
    admin: Client, pool: list[Device]
) -> None:
    device = pool[0]
    sent = {"contents": TEXT, "second_stage": "#!/bin/sh\r\necho %DEVICE%\r\n", "name": "fresh"}
    page: Any = admin.post(PREVIEW, {**sent, "preview_device": device.name})
    found = readings(page)
    expected = f"url={settings.MOZPOOL_BASE_URL}/boot/{device.name}/<token> ip=127.0.0.1"
    assert found["PXELINUX and U-Boot"].text == TEXT.replace(
        "url=%BASEURL%/boot/%DEVICE%/%TOKEN% ip=%IPADDRESS%", expected
    )
    assert found["PXELINUX and U-Boot"].where == f"TFTP: pxelinux.cfg/{boot_file_name(device.mac)}"
    assert found["iPXE"].text.startswith("#!ipxe\nkernel tftp://127.0.0.1/panda/vmlinuz")
    assert found["GRUB"].text.startswith("linux (tftp,127.0.0.1)/panda/vmlinuz")
    assert found["The live image, as its second stage"].text == f"#!/bin/sh\necho {device.name}\n"
    token = boot_token(settings.MOZPOOL_BOOT_KEYS[0], device.name, device.boot_seq + 1)
    assert token not in page.content.decode()
    assert not BootConfig.objects.filter(name="fresh").exists()


def test_what_a_loader_cannot_be_told_is_named(admin: Client, pool: list[Device]) -> None:
    sent = {"contents": "DEFAULT a\nLABEL b\n KERNEL x\n", "preview_device": pool[0].name}
    found = readings(admin.post(PREVIEW, sent))
    assert found["iPXE"].problem == "there is no label 'a', which DEFAULT names"
    assert found["PXELINUX and U-Boot"].problem == ""


def test_an_operator_looks_at_what_is_stored_and_a_device_that_is_not_there_is_told(
    pool: list[Device],
) -> None:
    client = Client()
    client.force_login(somebody("olga", "operator"))
    row = BootConfig.objects.get(name="panda-android")
    page: Any = client.get(PREVIEW, {"preview_of": str(row.pk), "preview_device": pool[0].name})
    assert "mobile-imaging-url" in readings(page)["PXELINUX and U-Boot"].text
    assert client.get(f"/admin/devices/bootconfig/{row.pk}/change/").status_code == 200
    for sent, words in (
        ({"preview_of": str(row.pk), "preview_device": "panda-9999"}, "there is no device"),
        ({"preview_of": "9999", "preview_device": pool[0].name}, "there is no such boot config"),
        ({"preview_of": "x"}, "there is no such boot config"),
    ):
        wrong = client.get(PREVIEW, sent, headers={"X-Requested-With": "fetch"})
        assert (wrong.status_code, words in wrong.content.decode()) == (400, True)
        assert "<html" not in wrong.content.decode()


def test_a_saved_text_that_a_loader_of_this_pool_will_not_understand_is_warned_of(
    admin: Client, pool: list[Device], settings: Settings
) -> None:
    settings.MOZPOOL_BOOT_LOADERS = frozenset({"pxelinux.cfg", "ipxe"})
    path = f"/admin/devices/bootconfig/{BootConfig.objects.get(name='panda-android').pk}/change/"
    answer: Any = admin.post(path, {**load(admin, path), "contents": f"{ENTRY}FDT x.dtb\n"}, follow=True)
    told = [str(message) for message in answer.context["messages"]]
    assert told[0] == "panda-android: iPXE cannot be told this boot config: FDT is for U-Boot only."


def test_a_text_that_loaders_take_otherwise_is_refused_by_its_line_unless_it_is_stored_already(
    admin: Client, pool: list[Device]
) -> None:
    row = BootConfig.objects.get(name="panda-android")
    path = f"/admin/devices/bootconfig/{row.pk}/change/"
    doubtful = f"{ENTRY}LABEL b\nMENU DEFAULT\nINITRD x,y\n"
    refused: Any = admin.post(path, {**load(admin, path), "contents": doubtful})
    assert refused.context["adminform"].form.errors["contents"] == [
        "Line 6: INITRD: U-Boot loads one file only; archives can be put together with cat.",
        "DEFAULT names a, MENU DEFAULT names b: loaders differ in which they boot.",
    ]
    BootConfig.objects.filter(pk=row.pk).update(contents=doubtful)
    sent = {**load(admin, path), "contents": doubtful.replace("\n", "\r\n"), "description": "old"}
    assert admin.post(path, sent).status_code == 302
    assert BootConfig.objects.get(pk=row.pk).description == "old"


def test_the_matrix_shows_what_serves_each_pair_and_leads_from_a_hole_to_its_filling(
    admin: Client, pool: list[Device], django_assert_max_num_queries: Any
) -> None:
    tegra = HardwareType.objects.create(kind="tegra", model="250")
    android = Image.objects.get(name="android")
    with django_assert_max_num_queries(6):
        page: Any = admin.get(MATRIX)
    (row,) = (row for row in page.context["rows"] if row.image == android)
    served, hole = row.cells
    assert (served.use.boot_config.name, hole.use, row.holes) == ("panda-android", None, 1)
    assert page.context["holes"] == Image.objects.count()
    sent = {**load(admin, hole.address), "boot_config": served.use.boot_config_id}
    assert (int(sent["image"]), int(sent["hardware_type"])) == (android.pk, tegra.pk)
    answer = admin.post(hole.address, sent)
    assert (answer.status_code, answer["Location"]) == (302, MATRIX)
    assert ImageBootConfig.objects.get(image=android, hardware_type=tegra).boot_config.name == "panda-android"


@pytest.mark.parametrize(("role", "status"), [("viewer", 302), ("operator", 200)])
def test_who_sees_the_matrix(db: None, role: str, status: int) -> None:
    client = Client()
    client.force_login(somebody("someone", role))
    assert client.get(MATRIX).status_code == status
