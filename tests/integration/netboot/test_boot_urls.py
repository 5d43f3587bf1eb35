"""What loaders are told by the web process and by TFTP, and what a device may write into its journal."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from bmm import bootfiles, loaders, operations, power_batch
from bmm.models import Kind
from devices.models import BootConfig, Device, Journal, Rack
from lifeguard import device_log
from mozpool_site import clock
from tests.factories import make_controller, make_device, make_image
from tests.integration.api import pool

pytestmark = pytest.mark.django_db(transaction=True)

CONTENTS = """DEFAULT install
LABEL install
  KERNEL panda/vmlinuz
  INITRD panda/live.gz
  APPEND console=ttyO2 mobile-imaging-url=%BASEURL%/boot/%DEVICE%/%TOKEN%/second-stage
"""
MAC = "02007f000001"
FILE = "01-02-00-7f-00-00-01"


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    """Give the TFTP root."""
    settings.MOZPOOL_TFTP_ROOT = str(tmp_path)
    settings.MOZPOOL_BASE_URL = "http://mozpool.example:8000"
    return tmp_path


@pytest.fixture
def device(root: Path) -> Device:
    """Give a device that is to boot from the network."""
    config = make_image().boot_configs.get().boot_config
    BootConfig.objects.filter(pk=config.pk).update(contents=CONTENTS)
    pk = make_device(netboot=config, boot_seq=3, mac=MAC, state="pxe_booting").pk
    Rack.objects.update(address="10.12.1.2")
    return Device.objects.select_related("rack").get(pk=pk)


def path(device: Device) -> str:
    return bootfiles.base_url(device).removeprefix("http://mozpool.example:8000")


def test_ipxe_gets_the_same_boot_config_by_the_signed_url(device: Device, client: Client) -> None:
    answer = client.get(f"{path(device)}/ipxe")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert answer.content.decode().splitlines() == [
        "#!ipxe",
        (
            "kernel tftp://10.12.1.2/panda/vmlinuz initrd=initrd0 console=ttyO2 "
            f"mobile-imaging-url={bootfiles.base_url(device)}/second-stage"
        ),
        "initrd --name initrd0 tftp://10.12.1.2/panda/live.gz",
        "boot",
    ]


def test_grub_gets_the_same_boot_config_by_the_signed_url(device: Device, client: Client) -> None:
    assert client.get(f"{path(device)}/grub.cfg").content.decode().splitlines() == [
        (
            "linux (tftp,10.12.1.2)/panda/vmlinuz console=ttyO2 mobile-imaging-url="
            f"{bootfiles.base_url(device)}/second-stage"
        ),
        "initrd (tftp,10.12.1.2)/panda/live.gz",
        "boot",
    ]


@pytest.mark.parametrize(("loader", "last"), [("ipxe", "exit 1"), ("grub.cfg", "exit 1")])
def test_a_device_that_shall_boot_its_disk_is_sent_there(
    device: Device, client: Client, loader: str, last: str
) -> None:
    Device.objects.update(netboot=None)
    answer = client.get(f"{path(device)}/{loader}")
    assert (answer.status_code, answer.content.decode().splitlines()[-1]) == (200, last)
    assert b"kernel" not in answer.content


@pytest.mark.parametrize("page", ["ipxe", "grub.cfg"])
def test_a_signed_url_dies_with_its_boot(device: Device, client: Client, page: str) -> None:
    old = path(device)
    Device.objects.update(boot_seq=4)
    assert client.get(f"{old}/{page}").status_code == 403


def test_a_boot_config_that_ipxe_cannot_be_told_is_named(device: Device, client: Client) -> None:
    BootConfig.objects.update(contents="LABEL a\nKERNEL k\nFDT omap.dtb\n")
    answer = client.get(f"{path(device)}/ipxe")
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "boot config panda-android: FDT is for U-Boot only",
    )


def test_a_value_that_cannot_be_filled_in_is_no_fault_of_ours(device: Device, client: Client) -> None:
    Rack.objects.update(base_url="http://mozpool.example/a b")
    BootConfig.objects.update(second_stage="curl %BASEURL%")
    for page in ("ipxe", "grub.cfg", "second-stage"):
        answer = client.get(f"{path(device)}/{page}")
        assert (answer.status_code, answer.json()["field"]) == (409, "boot_config")


@pytest.mark.parametrize("mac", ["02:00:7f:00:00:01", "02-00-7F-00-00-01", MAC, "aa:aa:aa:aa:aa:aa"])
def test_who_knows_a_mac_learns_only_where_its_boot_file_would_be(
    device: Device, client: Client, mac: str
) -> None:
    file = FILE if mac[0] == "0" else "01-aa-aa-aa-aa-aa-aa"
    answer = client.get("/boot/ipxe", {"mac": mac})
    assert answer.content.decode().splitlines() == [
        "#!ipxe",
        "isset ${next-server} || set next-server mozpool.example",
        f"chain --autofree tftp://${{next-server}}/ipxe/{file} ||",
        "exit 1",
    ]


def test_without_a_mac_ipxe_puts_in_its_own(client: Client, root: Path) -> None:
    assert b"/ipxe/01-${netX/mac:hexhyp} ||" in client.get("/boot/ipxe").content


@pytest.mark.parametrize(
    "mac", ["x", "02:00:7f:00:00", "02:00:7f:00:00:01\nexit", "02007f00000g", "../../etc"]
)
def test_what_is_no_mac_gets_into_no_script(client: Client, mac: str) -> None:
    answer = client.get("/boot/ipxe", {"mac": mac})
    assert (answer.status_code, answer.json()["field"]) == (400, "mac")


def test_grub_finds_its_way_by_mac_and_learns_no_more(client: Client, root: Path) -> None:
    answer = client.get(f"/boot/grub/grub.cfg-{FILE}")
    assert answer.content.decode().splitlines() == [
        'if [ -z "$net_default_server" ]; then set net_default_server=mozpool.example; fi',
        f"configfile (tftp,$net_default_server)/grub/{FILE}",
        *loaders.GRUB_DISK.splitlines(),
    ]
    assert client.get("/boot/grub/grub.cfg-0A0C0102").status_code == 404


def test_only_the_loaders_that_are_asked_for_get_boot_files(
    device: Device, root: Path, settings: Settings
) -> None:
    assert bootfiles.sync(device.pk)
    assert sorted(file.relative_to(root).as_posix() for file in root.rglob("01-*")) == [
        f"pxelinux.cfg/{FILE}"
    ]
    settings.MOZPOOL_BOOT_LOADERS = ("ipxe", "grub")
    assert bootfiles.sync(device.pk)
    assert not bootfiles.sync(device.pk)
    assert (root / "ipxe" / FILE).read_text() == (
        f"#!ipxe\nchain --autofree {bootfiles.base_url(device)}/ipxe ||\nexit 1\n"
    )
    assert (
        (root / "grub" / FILE).read_text().startswith("linux (tftp,10.12.1.2)/panda/vmlinuz console=ttyO2 ")
    )


def test_all_boot_files_go_when_the_device_shall_boot_its_disk_whatever_is_set_now(
    device: Device, root: Path, settings: Settings
) -> None:
    settings.MOZPOOL_BOOT_LOADERS = ("ipxe", "grub")
    bootfiles.sync(device.pk)
    settings.MOZPOOL_BOOT_LOADERS = ()
    (root / "pxelinux.cfg" / FILE).unlink()
    Device.objects.update(netboot=None)
    assert bootfiles.reconcile(None) == 1
    assert list(root.rglob("01-*")) == []


def test_a_boot_config_that_some_loaders_cannot_be_told_withholds_their_files_alone_and_says_why(
    device: Device, root: Path, settings: Settings
) -> None:
    settings.MOZPOOL_BOOT_LOADERS = ("ipxe", "grub")
    bootfiles.sync(device.pk)
    assert (root / "grub" / FILE).exists()
    BootConfig.objects.update(contents="LABEL a\nKERNEL k\nFDT omap.dtb\n")
    assert bootfiles.sync(device.pk)
    assert (root / "pxelinux.cfg" / FILE).read_text() == "LABEL a\nKERNEL k\nFDT omap.dtb\n"
    assert not (root / "ipxe" / FILE).exists()
    assert not (root / "grub" / FILE).exists()
    device.refresh_from_db()
    told = f"which cannot be told boot config {device.netboot}: FDT is for U-Boot only"
    assert bootfiles.withheld(device) == [f"no boot file for iPXE, {told}", f"no boot file for GRUB, {told}"]
    BootConfig.objects.update(contents="DEFAULT a\r\nLABEL a \r\nKERNEL k\r\nAPPEND a=b;c ; d\r\n")
    assert bootfiles.sync(device.pk)
    # What a browser has put behind the lines is no part of a name.
    assert (root / "pxelinux.cfg" / FILE).read_text() == "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND a=b;c ; d\n"
    assert not (root / "ipxe" / FILE).exists()
    assert (root / "grub" / FILE).exists()
    # Nor does a pulse take it for something to be mended.
    assert bootfiles.reconcile(None) == 0


def test_of_what_is_withheld_the_devices_journal_tells_at_each_boot_from_the_network(
    device: Device, root: Path, settings: Settings
) -> None:
    settings.MOZPOOL_BOOT_LOADERS = ("grub",)
    BootConfig.objects.update(contents="LABEL a\nKERNEL k\nFDT omap.dtb\n")
    Device.objects.update(power_controller=make_controller(), outlet="bank1:relay1")
    device.refresh_from_db()
    operation = operations.queue(device, Kind.POWER_CYCLE, clock.now(), arguments={"netboot": True})
    assert power_batch.prepare(operation) is None
    assert Journal.objects.filter(device_id=device.pk, event="boot_file").count() == 1
    assert (root / "pxelinux.cfg" / FILE).exists()


def told() -> list[str]:
    return list(Journal.objects.filter(event="log").order_by("time", "id").values_list("message", flat=True))


def test_a_device_writes_lines_into_its_own_journal(device: Device, client: Client) -> None:
    answer = pool.post(client, f"{path(device)}/log", {"message": "one\n\n two \x1b[31m\r\n" + "x" * 600})
    assert (answer.status_code, answer.json()) == (200, {"lines": 3})
    assert told() == ["one", "two ?[31m", "x" * 500]
    line = Journal.objects.filter(event="log").first()
    assert line is not None
    assert (line.device_id, line.actor, line.source) == (device.pk, device.name, "api")


@pytest.mark.parametrize(
    "body",
    [{}, {"message": ""}, {"message": " \n"}, {"message": 5}, {"message": ["x"]}, {"message": "x\n" * 51}],
)
def test_what_is_no_text_is_refused(device: Device, client: Client, body: object) -> None:
    answer = pool.post(client, f"{path(device)}/log", body)
    assert (answer.status_code, answer.json()["field"]) == (400, "message")
    assert told() == []


def test_a_device_that_tells_too_much_is_asked_to_wait_and_others_are_heard(
    device: Device, client: Client
) -> None:
    other = Device.objects.select_related("rack").get(pk=make_device(state="pxe_booting", boot_seq=1).pk)
    for _ in range(device_log.LINES_A_MINUTE // 40):
        assert pool.post(client, f"{path(device)}/log", {"message": "x\n" * 40}).status_code == 200
    answer = pool.post(client, f"{path(device)}/log", {"message": "one more"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert pool.post(client, f"{path(other)}/log", {"message": "hello"}).status_code == 200
    Journal.objects.update(time=clock.now() - timedelta(seconds=61))
    assert pool.post(client, f"{path(device)}/log", {"message": "again"}).status_code == 200


def test_nobody_writes_with_the_token_of_another_boot(device: Device, client: Client) -> None:
    old = path(device)
    Device.objects.update(boot_seq=4)
    assert pool.post(client, f"{old}/log", {"message": "x"}).status_code == 403
    assert told() == []
