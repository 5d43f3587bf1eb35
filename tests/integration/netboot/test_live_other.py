"""Self-test, maintenance, and mobile-init itself, on busybox and against a real web process."""

import json
import os
import random
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from devices.models import BootConfig, Device
from tests.integration.netboot.conftest import Lab
from tests.integration.netboot.live import FileServer, LiveImage

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_sound_device_tests_itself_and_returns_to_the_pool(
    lab: Lab, live: LiveImage, files: FileServer
) -> None:
    disk = live.disk(10)
    url, checksum = files.add("/sample", random.Random(1).randbytes(2_000_000))
    booting = lab.own(
        "self-test",
        storage={"disk": str(disk), "sample_mb": 1, "samples": 4, "at_least_mb": 10},
        scan={"disk": str(disk), "samples": 5},
        memory={"at_least_mb": 16, "sample_mb": 2},
        network={"url": url, "sha256": checksum, "at_least_kb_per_second": 1},
    )
    ended = live.boot(booting.url)
    assert ended.returncode == 0, ended.stderr
    assert booting.device.state == "ready"
    (told,) = booting.told()
    facts = json.loads(told.removeprefix("self-test: facts: "))
    assert sorted(facts) == [
        "disk_mb", "memory_mb", "network_kb_per_second", "processors", "read_kb_per_second", "unreadable",
        "write_kb_per_second",
    ]  # fmt: skip
    assert (facts["disk_mb"], facts["processors"], facts["unreadable"]) == (10, os.cpu_count(), 0)
    assert live.then == "stay"


def test_everything_that_is_wrong_is_told_and_the_device_stays_out(
    lab: Lab, live: LiveImage, files: FileServer
) -> None:
    disk = live.disk(4)
    url, _ = files.add("/sample", b"x" * 1000)
    booting = lab.own(
        "self-test",
        storage={"disk": str(disk), "sample_mb": 1, "samples": 2, "at_least_mb": 64},
        memory={"at_least_mb": 100_000_000, "sample_mb": 1},
        network={"url": url, "sha256": "0" * 64, "at_least_kb_per_second": 100_000_000},
        hashes=[{"disk": str(disk), "start_mb": 1, "size_mb": 1, "sha256": "0" * 64}],
    )
    assert live.boot(booting.url).returncode == 0
    assert booting.device.state == "failed_self_test"
    failed = [line.removeprefix("self-test: FAILED: ") for line in booting.told() if "FAILED" in line]
    assert next(line for line in failed if line.startswith("there are ")).endswith("less than 100000000")
    assert f"{disk} has 4 MB, less than 64" in failed
    assert f"{disk} from 1 MB on, 1 MB: not the checksum that was expected" in failed
    assert f"{url}: not the checksum that was expected" in failed
    assert len(failed) == 5


def test_a_disk_that_cannot_be_written_fails_the_self_test(lab: Lab, live: LiveImage) -> None:
    disk = live.disk(4)
    booting = lab.own(
        "self-test", storage={"disk": str(disk), "sample_mb": 1, "samples": 2}, memory={"sample_mb": 1}
    )
    live.boot(booting.url, largest_mb=2)
    assert booting.device.state == "failed_self_test"
    assert (
        booting.told()[0]
        == f"self-test: FAILED: {disk} can't be written at 3 MB: dd: error writing '{disk}': File too large"
    )


def test_without_keys_maintenance_says_that_only_the_console_is_left(lab: Lab, live: LiveImage) -> None:
    (live.folder / "passwd").write_text("")
    booting = lab.own("maintenance")
    live.boot(booting.url, LIVE_PASSWD=_passwd(live))
    assert booting.device.state == "maintenance_mode"
    assert booting.told() == [
        "maintenance: authorized_keys is not set, so nobody can log in by SSH; the console is left"
    ]


def test_without_dropbear_maintenance_says_so(lab: Lab, live: LiveImage) -> None:
    booting = lab.own("maintenance", authorized_keys=["ssh-ed25519 AAAA somebody"])
    live.boot(booting.url, LIVE_PASSWD=_passwd(live))
    assert booting.told() == [
        "maintenance: this live image has no dropbear, so nobody can log in by SSH; the console is left"
    ]
    keys = live.folder / "root/.ssh/authorized_keys"
    assert keys.read_text() == "ssh-ed25519 AAAA somebody\n"
    assert oct(keys.stat().st_mode & 0o777) == "0o600"


@pytest.mark.skipif(os.geteuid() != 0, reason="a root file system of one's own is for root")
def test_an_administrator_logs_in_by_key_and_nobody_without(
    lab: Lab, live: LiveImage, tmp_path: Path
) -> None:
    if not shutil.which("dropbear") or not shutil.which("dbclient"):
        pytest.skip("dropbear-bin is not installed")
    mine, other = (_key(tmp_path / name) for name in ("mine", "other"))
    port = _free_port()
    booting = lab.own("maintenance", authorized_keys=[mine], ssh_port=port)
    root = _root_file_system(live)
    try:
        ended = subprocess.run(
            [shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin") or "chroot", root, "/bin/sh", "/mobile-init"],
            env={"PATH": "/bin", "LIVE_CMDLINE": "/cmdline", "LIVE_TRIES": "3"},
            capture_output=True, text=True, check=False, timeout=60,
            input=_written(root / "cmdline", f"mobile-imaging-url={booting.url}"),
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        (told,) = booting.told()
        assert told.startswith(f"maintenance: log in as root by SSH at port {port}; host key SHA256:")
        assert _ssh(tmp_path / "mine", port, "cat /etc/hostname").stdout == "live\n"
        assert _ssh(tmp_path / "other", port, "true").returncode != 0
        assert other
    finally:
        pid = root / "run/mozpool/dropbear.pid"
        if pid.exists():
            os.kill(int(pid.read_text()), 15)


def test_an_old_script_that_knows_nothing_of_the_kit_runs_as_before(
    lab: Lab, live: LiveImage, files: FileServer
) -> None:
    url, _ = files.add("/old.sh", b"#!/bin/sh\necho old script ran >ran\n")
    ended = live.boot(url)
    assert (ended.returncode, live.then) == (0, "stay"), ended.stderr
    assert (live.folder / "ran").read_text() == "old script ran\n"
    assert files.asked == ["/old.sh"]


def test_a_second_stage_of_somebodys_own_runs_too_and_its_failure_is_told(lab: Lab, live: LiveImage) -> None:
    booting = lab.install(disk="/dev/null")
    BootConfig.objects.filter(name="kit-linux").update(second_stage="#!/bin/sh\nexit 7\n")
    assert live.boot(booting.url).returncode == 7
    assert booting.told() == ["the second stage ended with status 7"]


def test_a_second_stage_that_cannot_be_fetched_is_told(lab: Lab, live: LiveImage) -> None:
    booting = lab.install()
    BootConfig.objects.filter(name="kit-linux").update(second_stage="")
    assert live.boot(booting.url).returncode == 1
    assert booting.told() == ["the second stage can't be fetched"]
    assert booting.device.state == "mobile_init_started"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "", "ftp://x/y"])
def test_only_http_is_fetched(live: LiveImage, url: str) -> None:
    ended = live.boot(url)
    assert ended.returncode == 1
    assert (
        "there is no mobile-imaging-url= with an http URL on the kernel line; nothing to do" in ended.stderr
    )


def _passwd(live: LiveImage) -> str:
    path = live.folder / "passwd"
    path.write_text(f"root:x:0:0:root:{live.folder}/root:/bin/sh\n")
    return str(path)


def _key(path: Path) -> str:
    made = subprocess.run(
        ["dropbearkey", "-t", "ed25519", "-f", path], capture_output=True, text=True, check=True
    )
    return next(line for line in made.stdout.splitlines() if line.startswith("ssh-ed25519 "))


def _ssh(key: Path, port: int, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["dbclient", "-y", "-y", "-i", key, "-p", str(port), "root@127.0.0.1", command],
        capture_output=True, text=True, check=False, timeout=20, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _written(path: Path, text: str) -> str:
    path.write_text(text)
    return ""


def _root_file_system(live: LiveImage) -> Path:
    """Make what the live image has, of this machine's dropbear, and give its root."""
    root = live.folder
    for name in ("etc", "dev", "root", "proc"):
        (root / name).mkdir(exist_ok=True)
    busybox = (root / "bin/busybox").resolve()
    for applet in (root / "bin").iterdir():
        applet.unlink()
        applet.symlink_to("/bin/busybox-static")
    shutil.copy(busybox, root / "bin/busybox-static")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/shells").write_text("/bin/sh\n")
    (root / "etc/hostname").write_text("live\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    for device in ("null", "urandom", "random", "ptmx", "tty"):
        number = Path("/dev", device).stat().st_rdev
        os.mknod(root / "dev" / device, 0o20666, number)
    for name in ("dropbear", "dropbearkey"):
        installed = shutil.which(name)
        assert installed is not None
        shutil.copy(installed, root / "bin" / name)
        for word in subprocess.run(
            ["ldd", installed], capture_output=True, text=True, check=True
        ).stdout.split():
            if word.startswith("/"):
                target = root / word.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(word).resolve(), target)
    return root


def test_who_asks_for_an_image_adds_no_key_to_those_that_are_set(lab: Lab, live: LiveImage) -> None:
    booting = lab.own("maintenance", authorized_keys=["ssh-ed25519 AAAA admin"])
    asked = json.dumps(
        {"authorized_keys.2": "ssh-ed25519 AAAA mallory", "authorized_keys": "ssh-ed25519 AAAA eve"}
    )
    Device.objects.filter(pk=booting.device.pk).update(next_boot_config=asked)
    live.boot(booting.url, LIVE_PASSWD=_passwd(live))
    keys = live.folder / "root/.ssh/authorized_keys"
    assert keys.read_text() == "ssh-ed25519 AAAA admin\n"
