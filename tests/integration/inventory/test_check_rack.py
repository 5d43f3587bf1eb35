"""`manage.py check_rack` on a rack where all is well, played by real processes, and on one where nothing is."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from bmm import bootfiles, netboot
from bmm.tftp import asking
from devices.models import BootConfig, Device, ImageBootConfig, Rack
from lifeguard.rack import alive, booting, network
from lifeguard.rack.findings import Place
from tests.factories import make_controller, make_device, make_image, make_rack
from tests.servers.process import die_with_parent
from tests.unit.bmm.tcp_server import RelayBoard

BOOT_TEXT = """DEFAULT install
LABEL install
  KERNEL panda/vmlinuz
  INITRD panda/live.gz
  FDT panda/board.dtb
  APPEND console=ttyO2 mobile-imaging-url=%BASEURL%/boot/%DEVICE%/%TOKEN%/second-stage
"""
FILES = ("panda/vmlinuz", "panda/live.gz", "panda/board.dtb")


def look(*words: str) -> tuple[int, list[dict[str, str]]]:
    out, err = StringIO(), StringIO()
    status = 0
    try:
        call_command("check_rack", "p1", "--json", *words, stdout=out, stderr=err)
    except SystemExit as end:
        status = int(end.code or 0)
    found: list[dict[str, str]] = json.loads(out.getvalue())
    return status, found


def levels(found: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(one["check"], one["level"]) for one in found]


def start(*words: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *words],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=die_with_parent(),
    )


@pytest.fixture
def root(settings: Settings) -> Iterator[Path]:
    """Give a TFTP folder that other users may read, with all that the boot config names."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder)
        found.chmod(0o755)
        (found / "pxelinux.cfg").mkdir()
        (found / "panda").mkdir()
        for name in FILES:
            (found / name).write_bytes(b"x" * 3000)
        settings.MOZPOOL_TFTP_ROOT = found
        yield found


@pytest.fixture
def tftp(root: Path) -> Iterator[str]:
    """Serve it; give the port."""
    with start("tftpd", "--bind", "127.0.0.1:0", "--root", str(root)) as process:
        assert process.stdout is not None
        serving = re.search(r":(\d+)\n", process.stdout.readline())
        assert serving is not None
        yield serving[1]
        process.terminate()


@pytest.fixture
def rack(transactional_db: None) -> Rack:
    """Give a rack with a device that this machine answers for."""
    made = make_rack("p1")
    make_image()
    BootConfig.objects.update(contents=BOOT_TEXT)
    make_device(
        rack=made, fqdn="localhost", outlet="bank1:relay1", power_controller=make_controller(rack=made)
    )
    return made


def pulse_of(database: dict[str, Any]) -> str:
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    login = f"{database['USER']}:{database['PASSWORD']}@" if database["PASSWORD"] else f"{database['USER']}@"
    return f"mysql://{login}{database['HOST']}:{database['PORT']}/{database['NAME']}"


def test_a_rack_where_all_is_well(rack: Rack, root: Path, tftp: str, live_server: LiveServer) -> None:
    with (
        RelayBoard() as board,
        start(
            "pulse",
            "--rack",
            "p1",
            "--no-bells",
            DATABASE_URL=pulse_of(connection.settings_dict),
            MOZPOOL_TFTP_ROOT=str(root),
        ) as pulse,
    ):
        rack.power_controllers.update(address=board.address)
        Rack.objects.update(base_url=live_server.url)
        end = time.monotonic() + 30
        while Rack.objects.get().pulse_seen is None and time.monotonic() < end:
            time.sleep(0.1)
        status, found = look("--tftp-port", tftp)
        pulse.terminate()
    assert (status, {level for _, level in levels(found)}) == (0, {"ok"}), found
    assert [check for check, _ in levels(found)] == [
        "clock", "pulse", "worker", "web", "disk", "boot configs", "tftp", "tftp", "power", "dns",
    ]  # fmt: skip
    assert [one["found"] for one in found if one["check"] == "tftp"] == [
        f"127.0.0.1:{tftp} has the 3 files that boot configs name",
        f"what is written to {root}/pxelinux.cfg is served",
    ]
    assert list((root / "pxelinux.cfg").iterdir()) == []


def told_of_the_web(rack: Rack) -> list[tuple[str, str]]:
    return [(str(finding.level), finding.found) for finding in network.web(Place.of(rack, here=True))]


def test_a_web_server_with_another_secret_key_is_noticed(
    rack: Rack, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack.base_url = live_server.url
    good = f"{live_server.url} answers, has its database, and takes this host's tokens"
    assert told_of_the_web(rack) == [("ok", good)]
    # This host signs with another key than the server, which runs in a thread of this process, knows.
    foreign = netboot.check_token(b"another key" * 4)
    monkeypatch.setattr(netboot, "check_token", lambda _: foreign)
    refused = f"{live_server.url} takes no token that this host signs: its boards would be refused"
    assert told_of_the_web(rack) == [("fail", refused)]


def test_a_redirect_on_the_boards_way_is_noticed(
    rack: Rack, live_server: LiveServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    rack.base_url = f"{live_server.url}/login"
    assert told_of_the_web(rack) == [("fail", f"{live_server.url}/login/healthz answered 404 Not Found")]
    rack.base_url = ""
    settings.MOZPOOL_BASE_URL = "https://no-such-pool.invalid"
    ((level, found),) = told_of_the_web(rack)
    assert (level, found.partition(" ")[0]) == ("fail", "http://no-such-pool.invalid/healthz")


@pytest.mark.parametrize(
    ("of_the_rack", "of_the_pool", "theirs"),
    [
        ("", "https://pool.example.com", "http://pool.example.com"),
        ("", "https://pool.example.com/below", "http://pool.example.com/below"),
        ("", "https://pool.example.com:8443", "https://pool.example.com:8443"),
        ("", "http://pool.example.com:8000", "http://pool.example.com:8000"),
        ("https://rack.example.com/", "https://pool.example.com", "https://rack.example.com"),
    ],
)
def test_boards_without_tls_find_the_web_server_by_default(
    of_the_rack: str, of_the_pool: str, theirs: str, settings: Settings
) -> None:
    settings.MOZPOOL_BASE_URL = of_the_pool
    assert bootfiles.web_of(Rack(base_url=of_the_rack)) == theirs


def test_what_is_wrong_is_told_with_what_to_mend(
    rack: Rack, root: Path, tftp: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(alive, "_WORKER_SECONDS", 0.3)
    settings.MOZPOOL_BASE_URL = "http://127.0.0.1:9"
    (root / "panda/live.gz").unlink()
    make_image("b2g", installable=False)
    make_device(rack=rack, fqdn="no-such-host.invalid", name="nowhere", address=None)
    make_device(rack=rack, fqdn="localhost", name="astray", address="192.0.2.7")
    rack.imaging_server = "no-such-server.invalid"
    rack.save()
    # The worker's folder and the server's are two.
    settings.MOZPOOL_TFTP_ROOT = root / "panda"
    (root / "panda" / "pxelinux.cfg").mkdir()
    status, found = look("--tftp-port", tftp)
    assert status == 1
    told = {(one["level"], one["check"], one["found"]) for one in found}
    server = f"127.0.0.1:{tftp}"
    assert told >= {
        ("fail", "pulse", "no pulse has ever looked after it"),
        ("fail", "worker", "nobody took a ping within 0.3 s"),
        ("fail", "web", "http://127.0.0.1:9/healthz gave no answer: [Errno 111] Connection refused"),
        ("warn", "boot configs", "b2g on panda es-b3: there is no boot config; nobody can request it here"),
        ("fail", "tftp", f"what is written to {root}/panda/pxelinux.cfg is not what {server} serves"),
        ("warn", "power", "2 devices have no outlet: astray, nowhere"),
        ("fail", "dns", "imaging server no-such-server.invalid does not resolve"),
        ("fail", "dns", "nowhere: no-such-host.invalid does not resolve, and no address is stored"),
    }
    (lacking,) = [one for one in found if one["found"].startswith(f"{server} has no")]
    assert lacking["found"].startswith(
        f"{server} has no panda/live.gz, which boot config panda-android names ("
    )
    (astray,) = [one for one in found if one["found"].startswith("astray: localhost is ")]
    assert astray["found"].endswith("its row says 192.0.2.7")
    assert any(one["check"] == "power" and one["level"] == "fail" for one in found)
    assert all(one["mend"] for one in found if one["level"] != "ok")
    assert not Device.objects.filter(operations__status__in=("queued", "running")).exists()


def test_a_boot_config_that_can_not_be_filled_in_and_a_silent_tftp_server_are_told(
    rack: Rack, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alive, "_WORKER_SECONDS", 0.1)
    monkeypatch.setattr(asking, "_AGAIN_SECONDS", 0.1)
    Rack.objects.update(base_url="http://mozpool.example/'")
    _, found = look("--tftp-port", "9")
    told = {one["check"]: one for one in found if one["level"] == "fail"}
    assert told["boot configs"]["found"].startswith("boot config panda-android for ")
    assert told["tftp"]["mend"] in (
        "start the TFTP server (docs/operators/rack.md), open UDP port 69",
        "correct the rack's address, or the network",
    )
    ImageBootConfig.objects.all().delete()


def test_files_are_found_however_a_boot_config_names_them() -> None:
    text = (
        "LINUX a/vmlinuz\n initrd x.gz,y.gz\nFDT b.dtb\nAPPEND ro initrd=z.gz console=x\nKERNEL http://h/k\n"
    )
    assert booting.files_of(text) == ["a/vmlinuz", "x.gz", "y.gz", "b.dtb", "z.gz"]


def test_a_rack_that_is_not_there_is_told(db: None) -> None:
    err = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("check_rack", "p9", stderr=err)
    assert (end.value.code, err.getvalue()) == (2, "check_rack: there is no rack 'p9'\n")
