"""The command as it is delivered: it stores what it has when asked to end, outlives its database, and refuses well."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.syslog.conftest import Board, receiving, wait_for
from tests.servers.mariadb import MariaDB
from tests.servers.process import die_with_parent, free_port

ROOT = Path(__file__).resolve().parents[3]
RSYSLOGD = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
MAKE_DEVICE = "from tests.factories import make_device; print(make_device(address='{address}').pk)"


def variables(url: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def manage(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=variables(url), capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip


@contextmanager
def syslogd(url: str, log: Path, *words: str) -> Iterator[int]:
    """Run the command; give its port. At the end of the block it is asked to end, and must do so in order."""
    port = free_port()
    command = [sys.executable, "manage.py", "syslogd", "--bind", "127.0.0.1", "--port", str(port), *words]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables(url), stdout=file, stderr=file, preexec_fn=die_with_parent()
        )
    try:
        wait_for(lambda: "are known" in log.read_text())
        yield port
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def say(address: str, port: int, *messages: bytes) -> None:
    Board(type("Anybody", (), {"address": address})(), port).says(*messages)


def test_what_was_sent_is_stored_when_it_is_asked_to_end_and_what_is_no_call_is_refused(
    network: str, tmp_path: Path
) -> None:
    url, address = f"sqlite:///{tmp_path / 'db.sqlite3'}", f"{network}.8.1"
    assert manage(url, "migrate", "-v0").returncode == 0
    device = manage(url, "shell", "-v0", "-c", MAKE_DEVICE.format(address=address)).stdout.strip()
    with syslogd(url, tmp_path / "log") as port:
        say(address, port, *[b"<13>line %d" % number for number in range(1000)])
        other = manage(url, "syslogd", "--bind", "127.0.0.1", "--port", str(port))
        assert (
            other.stderr.strip()
            == f"CommandError: can't listen on 127.0.0.1 port {port}: Address already in use"
        )
    counted = f"from devices.models import Journal; print(Journal.objects.filter(device_id={device}).count())"
    assert manage(url, "shell", "-v0", "-c", counted).stdout.strip() == "1000"
    assert "1000 lines stored in all" in (tmp_path / "log").read_text()
    refused = manage(url, "syslogd", "--rack", "nowhere")
    assert (refused.returncode, refused.stderr.strip()) == (
        2,
        "CommandError: --rack: there is no rack 'nowhere'",
    )
    refused = manage(url, "syslogd", "--bind", "imaging-a")
    assert "'imaging-a' is no IPv4 address; 10.12.1.2 or 0.0.0.0 are" in refused.stderr
    refused = manage(url, "syslogd", "--port", "70000")
    assert "'70000' is no whole number from 1 to 65535" in refused.stderr


def test_lines_outlive_a_database_that_is_away_up_to_the_bound(
    network: str, tmp_path: Path, private_mariadb: MariaDB
) -> None:
    url, address = private_mariadb.url, f"{network}.8.2"
    assert manage(url, "migrate", "-v0").returncode == 0
    device = int(manage(url, "shell", "-v0", "-c", MAKE_DEVICE.format(address=address)).stdout)
    log = tmp_path / "log"
    messages = f"SELECT message FROM mozpool.devices_journal WHERE device_id = {device} ORDER BY time, id"  # noqa: S608

    def stored() -> list[str]:
        return [str(row[0]) for row in private_mariadb.execute(messages)]

    with syslogd(url, log, "--queue", "600") as port:
        say(address, port, b"<13>before")
        wait_for(lambda: stored() == ["before"])
        private_mariadb.stop()
        say(address, port, *[b"<13>early %d" % number for number in range(300)])
        wait_for(lambda: "the database is away, lines wait" in log.read_text())
        say(address, port, *[b"<13>late %d" % number for number in range(1000)])
        time.sleep(0.5)
        private_mariadb.start()
        wait_for(lambda: "the database is back" in log.read_text())
        wait_for(lambda: "late 999" in stored())
    found = stored()
    lines = [text for text in found if "dropped" not in text]
    told = [text for text in found if "dropped" in text]
    assert lines[0] == "before"
    # What was in hand when the database went, and the newest of what came then.
    assert [text for text in lines if text.startswith("late")][-500:] == [
        f"late {n}" for n in range(500, 1000)
    ]
    assert sum(int(text.split()[0]) for text in told) == 1301 - len(lines)
    assert all(text.endswith("dropped: the database was away or too slow") for text in told)


@pytest.mark.skipif(RSYSLOGD is None, reason="needs rsyslogd, of Debian's rsyslog")
@pytest.mark.parametrize("name", ["rsyslog.conf", "rsyslog-forward.conf"])
def test_rsyslog_accepts_our_examples(name: str) -> None:
    checked = subprocess.run(
        [str(RSYSLOGD), "-N1", "-f", str(ROOT / "deploy" / "network" / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.django_db(transaction=True)
def test_a_relay_is_believed_about_whose_lines_it_sends_and_nobody_else_is(network: str) -> None:
    from tests.factories import make_device  # noqa: PLC0415 - models, which the other tests here do without

    device, other = make_device(address=f"{network}.8.3"), make_device(address=f"{network}.8.4")
    with receiving(relays=(f"{network}.8.9",)) as port:
        header = b"<6>1 2026-11-22T19:00:00Z %s kernel - - -  " % str(device.address).encode()
        say(f"{network}.8.9", port, header + b"by the relay", b"<6>1 - %s app - - - x" % (b"9" * 200))
        say(f"{network}.8.4", port, header + b"by a device")
        assert Board(device, port).heard(1) == [("", "kernel: by the relay")]
        assert Board(other, port).heard(1) == [("", "kernel: by a device")]
