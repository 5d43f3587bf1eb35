"""The client as its users get it: the wheel in a clean environment, against a running pool."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from simlab.pool import Pool
from tests.e2e.crowd import set_rates, settled
from tests.e2e.observer import Observer

ROOT = Path(__file__).resolve().parents[2]
BUILD = "b2gbase=http://images.example/b2g/1234/"
USER, PASSWORD = "ada", "four words of hers"
MAKE_USER = f"""
from django.contrib.auth.models import Group, User
user = User.objects.create_user({USER!r}, "ada@example.com", {PASSWORD!r})
user.groups.add(Group.objects.get(name="requester"))
"""
OLD_SCRIPT = """
import sys, time
from mozpool_client.legacy import MozpoolConflictException, MozpoolHandler
pool = MozpoolHandler(sys.argv[1])
url = pool.request_device("any", "b2g", 600, b2gbase="http://images.example/b2g/1/")["request"]["url"]
while pool.query_request_status(url)["state"] != "ready":
    time.sleep(0.2)
device = pool.query_request_details(url)["assigned_device"]
assert pool.query_device_state(device)["state"] == "ready", device
try:
    pool.request_device(device, "b2g", b2gbase="http://images.example/b2g/1/")
    raise SystemExit("a conflict was expected")
except MozpoolConflictException:
    pass
assert pool.query_device_details(device)["image"] == "b2g"
assert device in pool.query_all_device_list()
pool.renew_request(url, 900)
pool.close_request(url)
pool.close_request(url)
print(pool.query_request_status(url)["state"])
"""
ASYNC_SCRIPT = """
import asyncio, sys
from mozpool_client import AsyncMozpool, Request

async def main():
    async with AsyncMozpool([sys.argv[1]]) as pool:
        states = []
        request = await pool.request("b2g", boot_config={"b2gbase": "http://images.example/b2g/2/"})
        async for entry in pool.follow(request=request.id, after=0):
            if isinstance(entry, Request):
                states.append(entry.state)
                if entry.is_ready:
                    await pool.return_(request.id)
        print(states[-2:], len(await pool.journal(request=request.id)) > 2)

asyncio.run(main())
"""
PYTEST_FILE = """
import pytest

@pytest.mark.mozpool(image="b2g", boot_config={"b2gbase": "http://images.example/b2g/3/"})
def test_its_own(mozpool_device):
    assert mozpool_device.device.address.startswith("127.")
    assert mozpool_device.request.is_ready

def test_of_the_session(mozpool_session_device):
    assert mozpool_session_device.request.image == "android"
"""


@dataclass(frozen=True)
class Installed:
    """A clean environment with the wheel, which knows the pool by its environment, and a folder for its files."""

    bin: Path
    folder: Path
    url: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its processes: nothing of this checkout."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("MOZPOOL_", "PYTHON"))
        }
        kept.pop("DJANGO_SETTINGS_MODULE", None)
        return {**kept, "MOZPOOL_SERVERS": self.url, "MOZPOOL_CONFIG": str(self.folder / "config")}

    def run(
        self, *words: str, given: str = "", more: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end."""
        return subprocess.run(
            [str(self.bin / words[0]), *words[1:]],
            cwd=self.folder,
            env={**self.variables, **(more or {})},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )

    def mozpool(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command, which should do what it is told."""
        done = self.run("mozpool", *words, given=given)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the command."""
        return subprocess.Popen(
            [str(self.bin / "mozpool"), *words],
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def quietly(*words: str) -> None:
    """Run a program that should succeed."""
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and wheel, install the wheel where nothing else is; pip takes what it needs from its index."""
    folder = tmp_path_factory.mktemp("client")
    quietly(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), "client")
    (wheel,) = (folder / "dist").glob("*.whl")
    assert len(list((folder / "dist").glob("*.tar.gz"))) == 1
    quietly(sys.executable, "-m", "venv", str(folder / "venv"))
    python = str(folder / "venv" / "bin" / "python")
    constraints = str(ROOT / "constraints.txt")
    quietly(python, "-m", "pip", "install", "--quiet", "--constraint", constraints, str(wheel), "pytest")
    return folder / "venv" / "bin"


@pytest.fixture(autouse=True, scope="module")
def signals_as_in_a_terminal() -> None:
    """Undo what nohup or a shell's & has set: the programs that tests start would ignore the signals sent to them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def client(wheel_bin: Path, e2e_pool: Pool, observer: Observer, tmp_path: Path) -> Installed:
    """Give the installed client, and a pool whose boards do what they should."""
    set_rates(e2e_pool, {})
    return Installed(wheel_bin, tmp_path, e2e_pool.url)


def open_requests(client: Installed) -> list[dict[str, object]]:
    """Give what the pool says is still open."""
    found: list[dict[str, object]] = json.loads(client.mozpool("list", "--json").stdout)
    return found


def until_it_runs(process: subprocess.Popen[str]) -> str:
    """Wait for the first line of a command's output; give it."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=30)
    return line.strip()


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end; give status, output and errors."""
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def run_words(*command: str) -> Sequence[str]:
    """Give the words of a run with the image b2g."""
    return ("run", "--image", "b2g", "--set", BUILD, "--", *command)


def test_a_stranger_logs_in_and_runs_a_command_with_a_device(client: Installed, e2e_pool: Pool) -> None:
    e2e_pool.manage("shell", "--no-imports", "-c", MAKE_USER)
    login = client.mozpool("login", "--name", USER, "--password-stdin", given=f"{PASSWORD}\n")
    assert re.match(r"You are ada \(requester\), good until ", login.stdout)
    me = json.loads(client.mozpool("whoami", "--json").stdout)
    assert (me["name"], me["role"], me["by"]) == (USER, "requester", "token")
    told = ("DEVICE", "DEVICE_FQDN", "DEVICE_ADDRESS", "REQUEST_ID", "REQUEST_URL")
    show = f"echo {' '.join(f'$MOZPOOL_{name}' for name in told)}; exit 9"
    done = client.run("mozpool", *run_words("sh", "-c", show))
    assert done.returncode == 9, done.stderr
    name, fqdn, address, number, url = done.stdout.split()
    assert fqdn.startswith(name)
    assert address.startswith("127.")
    assert url == f"{e2e_pool.url}/api/v2/requests/{number}/"
    shown = json.loads(client.mozpool("show", number, "--json").stdout)
    assert (shown["state"], shown["owner"], shown["last_device"]) == ("closed", USER, name)
    assert client.mozpool("logout").stdout == "The token is forgotten.\n"
    assert json.loads(client.mozpool("whoami", "--json").stdout)["by"] == "network"


def test_requests_are_filed_shown_renewed_and_returned(client: Installed) -> None:
    filed = client.mozpool("request", "b2g", "--set", BUILD, "--duration", "20m", "--wait", "--json")
    request = json.loads(filed.stdout)
    number, name = str(request["id"]), request["device"]["name"]
    assert request["state"] == "ready"
    assert [entry["id"] for entry in open_requests(client)] == [request["id"]]
    renewed = client.mozpool("renew", number, "--duration", "2h").stdout
    assert re.fullmatch(r"request \d+ has (2h|1h59m) left\n", renewed)
    taken = client.run("mozpool", "request", "b2g", "--set", BUILD, "--device", name, "--max-wait", "0")
    assert (taken.returncode, f"{name} is taken" in taken.stderr) == (1, True)
    cycled = client.mozpool("power-cycle", name, "--wait").stdout
    assert re.fullmatch(rf"operation \d+ on {name} is done\n", cycled)
    log = client.mozpool("log", number).stdout
    assert log.index("finding_device") < log.index("entering state ready")
    assert client.mozpool("log", name, "-n", "3").stdout.count("\n") == 3
    assert client.mozpool("return", number, number).stdout == f"request {number} is closed\n" * 2
    assert open_requests(client) == []


def test_devices_and_images_are_listed(client: Installed) -> None:
    lines = [line.split("\t") for line in client.mozpool("devices").stdout.splitlines()]
    assert lines[0][:2] == ["name", "state"]
    assert [line[0] for line in lines[1:]] == [f"panda-{number:04}" for number in range(1, 101)]
    free = json.loads(client.mozpool("devices", "--free", "--rack", "p1", "--json").stdout)
    assert {(device["rack"], device["state"], device["request"]) for device in free} == {
        ("p1", "ready", None)
    }
    assert "b2g\tb2gbase\tyes" in client.mozpool("images").stdout


def test_what_can_never_be_had_is_refused_with_the_reason(client: Installed) -> None:
    for words in (["--tag", "no-such-tag"], ["--env", "nowhere"]):
        done = client.run("mozpool", "request", "b2g", "--set", BUILD, *words)
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("mozpool: ")
    unknown = client.run("mozpool", "request", "no-such-image")
    assert (unknown.returncode, "no-such-image" in unknown.stderr) == (1, True)
    missing = client.run("mozpool", "request", "b2g")
    assert (missing.returncode, "b2gbase" in missing.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_cancelled_job_leaks_nothing(client: Installed, number: signal.Signals) -> None:
    # exec: a shell that is about to start another program may miss a Ctrl-C until that has ended.
    process = client.start(*run_words("sh", "-c", "echo $MOZPOOL_REQUEST_ID; exec sleep 60"))
    until_it_runs(process)
    began = time.monotonic()
    process.send_signal(number)
    status, _, errors = finished(process)
    assert status == 128 + number, errors
    assert time.monotonic() - began < 40
    assert open_requests(client) == []


def test_a_device_that_is_taken_away_ends_the_command(client: Installed) -> None:
    process = client.start(*run_words("sh", "-c", "echo $MOZPOOL_REQUEST_ID; sleep 60"))
    number = until_it_runs(process)
    client.mozpool("return", number)
    status, _, errors = finished(process)
    assert status == 128 + signal.SIGTERM
    assert f"the device is lost: request {number} is closed" in errors


def test_a_command_outlives_the_web_servers_death(
    client: Installed, e2e_pool: Pool, observer: Observer
) -> None:
    # Longer than a web server takes to come back on a busy machine: a device that nobody can renew is taken back.
    hold = ("--duration", "40s", "--image", "b2g", "--set", BUILD)
    process = client.start("run", *hold, "--", "sh", "-c", "echo $MOZPOOL_REQUEST_ID; sleep 44")
    number = until_it_runs(process)
    e2e_pool.kill9("web")
    time.sleep(2)
    e2e_pool.start_web()
    e2e_pool.wait_for_web()
    status, _, errors = finished(process)
    assert (status, "lost" in errors) == (0, False), errors
    assert json.loads(client.mozpool("show", number, "--json").stdout)["state"] == "closed"
    renewed = client.mozpool("log", number).stdout.count("renewed for 40 s")
    assert renewed >= 2
    settled(e2e_pool, observer, 60)


def test_a_followed_log_ends_with_its_request(client: Installed) -> None:
    number = str(json.loads(client.mozpool("request", "b2g", "--set", BUILD, "--json").stdout)["id"])
    process = client.start("log", "-f", number)
    seen = []
    assert process.stdout is not None
    for line in process.stdout:
        seen.append(line)
        if "entering state ready" in line and f"request {number}" in line:
            client.mozpool("return", number)
    assert finished(process)[0] == 0
    assert "entering state closed" in "".join(seen)
    assert len(seen) == len(set(seen))


def test_the_library_follows_in_an_event_loop(client: Installed) -> None:
    done = client.run("python", "-c", ASYNC_SCRIPT, client.url)
    assert done.stdout == "['ready', 'closed'] True\n", done.stderr


def test_an_old_script_changes_its_import_only(client: Installed) -> None:
    done = client.run("python", "-c", OLD_SCRIPT, client.url)
    assert done.stdout == "closed\n", done.stderr


def test_the_pytest_plugin_is_there_once_installed(client: Installed) -> None:
    (client.folder / "test_it.py").write_text(PYTEST_FILE)
    done = client.run("pytest", "-q", "--strict-markers", "--mozpool-image", "android", "test_it.py")
    assert "2 passed" in done.stdout, done.stdout
    assert open_requests(client) == []
