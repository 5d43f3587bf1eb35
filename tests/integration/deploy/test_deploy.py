"""What deploy/ and docs/operators/ tell people to run is there: settings, commands, and units that really start."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.core.management import get_commands

from mozpool_site import env
from tests.servers.process import die_with_parent
from tests.servers.redis import Redis

ROOT = Path(__file__).resolve().parents[3]
DEPLOY, DOCS = ROOT / "deploy", ROOT / "docs" / "operators"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
RACK = "a"
_START_SECONDS = 30.0


def texts() -> dict[str, str]:
    files = [path for folder in (DEPLOY, DOCS) for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}


def test_every_setting_that_is_named_exists() -> None:
    known = {env.ENV_FILE, *(setting.name for setting in env.SETTINGS)}
    named = {name for text in texts().values() for name in re.findall(r"\bMOZPOOL_[A-Z_]+\b", text)}
    assert named - known == set()


def test_every_command_that_is_named_exists() -> None:
    named = {name for text in texts().values() for name in re.findall(r"manage\.py ([a-z_]{3,})", text)}
    assert named - {"stands", "knows"} - set(get_commands()) == set()
    assert {"pulse", "migrate", "check_invariants"} <= named


def test_every_file_that_is_named_exists() -> None:
    named = {
        name for text in texts().values() for name in re.findall(r"\b(?:deploy|docs)/[\w@./-]+\.[a-z]+", text)
    }
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_the_example_settings_are_accepted_once_the_key_is_filled_in() -> None:
    variables = {env.ENV_FILE: str(DEPLOY / "mozpool.env"), "MOZPOOL_SECRET_KEY": "0123456789abcdef" * 5}
    read = env.read(variables)
    assert read.base_url == "https://mozpool.example.com"
    assert read.database["NAME"] == "mozpool"


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, which comes with systemd"
)
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    # An instance of its own name, and programs that exist here, or systemd would complain of that first.
    name = unit.name.replace("@", "@a")
    (tmp_path / name).write_text(here(unit.read_text(encoding="utf-8")))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in checked.stderr.splitlines() if name in line]
    assert (checked.returncode, told) == (0, []), checked.stderr


def here(text: str) -> str:
    """Put this checkout and this interpreter's programs in the place of the installed ones."""
    return text.replace("/opt/mozpool/.venv/bin", str(Path(sys.executable).parent)).replace(
        "/opt/mozpool", str(ROOT)
    )


def exec_start(name: str) -> list[str]:
    """Give what a unit starts for our rack."""
    (line,) = re.findall(
        r"^ExecStart=(.*)$", (DEPLOY / "systemd" / name).read_text(encoding="utf-8"), re.MULTILINE
    )
    return shlex.split(here(line).replace("%i", RACK).replace("%H", socket.gethostname()))


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Give the environment of an installation with one rack: settings in a file, as the units have it."""
    settings = {
        "MOZPOOL_SECRET_KEY": "0123456789abcdef" * 5,
        "MOZPOOL_HTTPS": "false",
        "MOZPOOL_TFTP_ROOT": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
    }
    with Redis() as redis:
        settings["MOZPOOL_BROKER_URL"] = redis.url
        file = tmp_path / "mozpool.env"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        hidden = (*settings, "DJANGO_SETTINGS_MODULE")
        kept = {k: v for k, v in os.environ.items() if k not in hidden and not k.startswith("MOZPOOL_")}
        variables = {**kept, "MOZPOOL_ENV_FILE": str(file), "PYTHONUNBUFFERED": "1"}
        manage(variables, "migrate", "-v0")
        made = "Rack.objects.create(name='a', imaging_server='localhost', address='127.0.0.1')"
        manage(variables, "shell", "-v0", "-c", f"from devices.models import Rack; {made}")
        yield variables


def manage(variables: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(command: list[str], variables: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a unit's command until the block ends; it must then leave on SIGTERM, as systemd asks it to."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=file, stderr=file, preexec_fn=die_with_parent()
        )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(_START_SECONDS)
    finally:
        process.kill()
        process.wait()


def wait_for(what: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while not what():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_web_worker_and_pulse_start_as_the_units_say_and_leave_when_asked(
    installed: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    web = [word.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for word in exec_start("mozpool-web.service")]
    logs = {name: tmp_path / f"{name}.log" for name in ("web", "worker", "pulse")}
    commands = {
        "web": web,
        "worker": exec_start("mozpool-worker@.service"),
        "pulse": exec_start("mozpool-pulse@.service"),
    }
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(command, installed, logs[name])) for name, command in commands.items()
        ]
        wait_for(lambda: answers(port), logs["web"])
        wait_for(
            lambda: f"rack.{RACK}@{socket.gethostname()} ready" in logs["worker"].read_text(), logs["worker"]
        )
        seen = "from devices.models import Rack; print(Rack.objects.get(name='a').pulse_seen)"
        wait_for(lambda: manage(installed, "shell", "-v0", "-c", seen).strip() != "None", logs["pulse"])
        assert [process.poll() for process in processes] == [None, None, None]
    assert [process.returncode for process in processes] == [0, 0, 0]
