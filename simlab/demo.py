"""`make demo`: a whole lab on this machine, two requests shown on their way, and then yours.

Everything lives in var/demo, is made anew at each start, and ends with this process.
"""

import argparse
import fcntl
import json
import secrets
import shlex
import shutil
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from rich.console import Console
from rich.panel import Panel

from simlab.pool import ROOT, Pool, PoolFailed, PoolPlan
from tests.network import own_network
from tests.servers.environment import forget_other_pools
from tests.servers.process import ServerFailed
from tests.servers.redis import Redis

_FOLDER = ROOT / "var" / "demo"
_RACKS, _DEVICES = 2, 24
# Five times as fast as real boards: an installation takes half a minute.
_SPEED = 5.0
_BUILD = {"b2gbase": "http://images.example/b2g/1234/"}
_READY_SECONDS = 240.0

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Shown:
    """A line of the journal as the legacy API gives it."""

    id: int
    time: str
    who: str
    message: str


def main() -> int:
    """Start the lab, show two requests, wait for Ctrl-C; give the exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="leave when both requests have been ready")
    parser.add_argument(
        "--speed", type=float, default=_SPEED, help="of the boards, real ones having 1 (default: 5)"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    forget_other_pools(database=True)
    try:
        with _alone(), own_network() as network, _running(arguments.speed, network) as (pool, password):
            _show(pool)
            _explain(pool, password)
            while not arguments.exit:
                time.sleep(3600)
    except KeyboardInterrupt:
        console.print("\nStopped; no process is left behind.")
    except (PoolFailed, ServerFailed) as error:
        console.print(f"[red]The demo could not start.[/red] {error}")
        return 1
    return 0


@contextmanager
def _alone() -> Iterator[None]:
    """Keep a second demo from taking this one's folder away."""
    _FOLDER.parent.mkdir(exist_ok=True)
    with _FOLDER.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PoolFailed(
                f"Another one runs already, in {_FOLDER}; a second clone could run its own."
            ) from None
        yield


@contextmanager
def _running(speed: float, network: str) -> Iterator[tuple[Pool, str]]:
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    with ExitStack() as stack:
        broker = stack.enter_context(Redis())
        plan = PoolPlan(
            database_url=f"sqlite:///{_FOLDER / 'mozpool.sqlite3'}",
            broker_url=broker.socket_url,
            racks=_RACKS,
            devices=_DEVICES,
            speed=speed,
            seed=("--network", f"{network}.0.0/16"),
        )
        pool = Pool(plan, _FOLDER)
        stack.callback(pool.stop)
        with console.status(f"Seeding {_RACKS} racks with {_DEVICES} simulated Pandaboards"):
            pool.seed()
            password = _administrator(pool)
        with console.status("Starting web, worker, pulse and the lab"):
            pool.start()
        console.print(f"{_DEVICES} devices are up. The web process answers at {pool.url}")
        yield pool, password


def _administrator(pool: Pool) -> str:
    """Make the account `admin` with a new password, and give that."""
    password = secrets.token_urlsafe(9)
    code = (
        "from django.contrib.auth.models import User; "
        f"User.objects.create_superuser('admin', 'admin@demo.example', {password!r})"
    )
    pool.manage("shell", "--no-imports", "-c", code)
    return password


def _show(pool: Pool) -> None:
    console.rule("A request whose image must be installed")
    first = _file(pool)
    device = _follow(pool, first)
    console.rule("The same once more: the image is there, a power cycle is enough")
    _call(pool, f"/api/request/{first}/return/", {})
    console.print(f"  request {first} gives {device} back")
    _follow(pool, _file(pool))


def _file(pool: Pool) -> int:
    body = {"assignee": "demo@mozpool.example", "duration": 3600, "image": "b2g", **_BUILD}
    answer = _call(pool, "/api/device/any/request/", body)
    request = answer["request"]
    console.print(f"  POST /api/device/any/request/ -> request {request['id']}, {request['assigned_device']}")
    return int(request["id"])


def _follow(pool: Pool, request_id: int) -> str:
    """Print what happens to a request and its device until it is ready; give the device's name."""
    begun = time.monotonic()
    seen: set[tuple[str, int]] = set()
    device = str(_call(pool, f"/api/request/{request_id}/details/")["assigned_device"])
    with console.status("") as status:
        while time.monotonic() - begun < _READY_SECONDS:
            request = _call(pool, f"/api/request/{request_id}/status/")
            own = _lines(request, f"request {request_id}")
            # Older lines of the device's journal are another request's story.
            story = [
                line
                for line in _lines(_call(pool, f"/api/device/{device}/status/"), device)
                if line.time >= own[0].time
            ]
            _print_new(own + story, seen, time.monotonic() - begun)
            status.update(f"request {request_id} is {request['state']}")
            if request["state"] == "ready":
                seconds = time.monotonic() - begun
                console.print(
                    f"  [bold green]request {request_id} is ready on {device}[/] after {seconds:.1f} s"
                )
                return device
            if request["state"] not in ("pending", "finding_device"):
                raise PoolFailed(f"request {request_id} ended as {request['state']}")
            time.sleep(0.1)
    raise PoolFailed(f"request {request_id} was not ready within {_READY_SECONDS:.0f} s; see {_FOLDER}")


def _lines(answer: dict[str, Any], who: str) -> list[Shown]:
    return [Shown(int(row["id"]), row["timestamp"], who, row["message"]) for row in answer["log"]]


def _print_new(lines: list[Shown], seen: set[tuple[str, int]], seconds: float) -> None:
    for line in sorted(lines, key=lambda line: (line.time, line.id)):
        if (line.who, line.id) not in seen:
            seen.add((line.who, line.id))
            console.print(
                f"  [dim]{seconds:6.1f} s[/]  {line.who:<12} {line.message.removeprefix('entering state ')}"
            )


def _explain(pool: Pool, password: str) -> None:
    python = ".venv/bin/python manage.py"
    env_file = _FOLDER / "environment"
    env_file.write_text(_environment(pool))
    console.print(
        Panel(
            f"Pages   {pool.url}/  and  {pool.url}/admin/\n"
            f"Log in  admin / {password}\n"
            "\n"
            "In another terminal, in this folder:\n"
            f"  . {env_file.relative_to(ROOT)}\n"
            f"  {python} device_status\n"
            f"  {python} request_device android --duration 1h\n"
            f"  {python} power_cycle panda-0007\n"
            f"  {python} self_test panda-0008 panda-0009\n"
            f"  curl -s {pool.url}/api/request/list/\n"
            "With the client (README, Use it):\n"
            "  mozpool login --name admin\n"
            "  mozpool run --image android -- true\n"
            "\n"
            "Ctrl-C ends everything.",
            title="Mozpool runs",
            expand=False,
        )
    )


def _environment(pool: Pool) -> str:
    """Return what a shell needs to talk to this pool, by the server's commands and by the client, and to no other."""
    exported = {"MOZPOOL_SERVERS": pool.url, **pool.settings}
    lines = [
        "for name in $(env | sed -n 's/^\\(MOZPOOL_[A-Z_]*\\)=.*/\\1/p') DATABASE_URL_FILE; do unset \"$name\"; done"
    ]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in exported.items()]
    # A proxy would not find this machine's own addresses.
    lines += [
        f'export {name}="127.0.0.1,localhost${{{name}:+,${name}}}"' for name in ("no_proxy", "NO_PROXY")
    ]
    return "\n".join(lines) + "\n"


def _call(pool: Pool, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{pool.url}{path}", data=data)  # noqa: S310 - our own URL
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        text = answer.read()
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
