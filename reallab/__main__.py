"""`make reallab`: real machines on this one, under QEMU; two requests shown on their way, and then yours.

Everything lives in var/reallab, is made anew at each start, and ends with this process. Only what was fetched from
Debian is kept, in var/debian.
"""

import argparse
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.panel import Panel

from reallab.debian import DebianFailed
from reallab.disks import DisksFailed
from reallab.kinds import KINDS
from reallab.lab import LabFailed, RealLab, Wish, running
from reallab.network import user_network
from reallab.plan import IMAGE
from reallab.story import Line, Story, StoryFailed
from simlab.pool import ROOT, PoolFailed
from tests.network import own_network
from tests.servers.process import ServerFailed
from tests.servers.redis import Redis

FOLDER, CACHE = ROOT / "var" / "reallab", ROOT / "var" / "debian"
_READY_SECONDS = 300.0
_MOST_MACHINES = 16
_MARK = ".reallab"

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Start the lab, show two requests, wait for Ctrl-C; give the exit status."""
    arguments = _arguments()
    # Also where a shell has started us in the background, and so with SIGINT ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    wishes = [Wish(KINDS[name]) for name in arguments.kind or ["arm"] for _ in range(arguments.machines)]
    try:
        with _lab(wishes, arguments.folder.absolute()) as lab:
            _show(lab)
            _explain(lab, _administrator(lab))
            while not arguments.exit:
                time.sleep(3600)
    except KeyboardInterrupt:
        console.print("\nStopped; no process is left behind.")
    except (DebianFailed, DisksFailed, LabFailed, PoolFailed, ServerFailed, StoryFailed) as error:
        console.print("[red]The lab could not go on.[/red]")
        console.print(str(error), markup=False)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make reallab", description=__doc__)
    parser.add_argument(
        "--machines", type=int, default=2, metavar="N", help="of each kind (default: 2); 225 MB each"
    )
    parser.add_argument(
        "--kind", choices=sorted(KINDS), action="append", help="may be repeated; default: arm"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=FOLDER,
        help="where to work; what is in it is lost (default: var/reallab)",
    )
    parser.add_argument("--exit", action="store_true", help="leave when both requests have been ready")
    arguments = parser.parse_args()
    if not 1 <= arguments.machines <= _MOST_MACHINES:
        parser.error(f"--machines: 1 to {_MOST_MACHINES} expected")
    if not _is_ours(arguments.folder):
        parser.error(f"--folder: {arguments.folder} is not empty, and no lab's")
    return arguments


def _is_ours(folder: Path) -> bool:
    """Whether nothing of value can be in a folder: there is nothing, or a lab has worked there."""
    return not folder.exists() or not any(folder.iterdir()) or (folder / _MARK).is_file()


@contextmanager
def _lab(wishes: list[Wish], folder: Path) -> Iterator[RealLab]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()
    console.print(
        "Kernel, busybox and boot loader come from Debian's archive; the first time this takes a minute."
    )
    database = f"sqlite:///{folder / 'mozpool.sqlite3'}"
    with own_network() as network, Redis() as broker:
        addresses = user_network(f"{network}.7")
        with running(wishes, addresses, folder, CACHE, database, broker.socket_url) as lab:
            console.print(
                f"{len(wishes)} machines hang on the power switch. The web process answers at {lab.pool.url}"
            )
            yield lab


def _show(lab: RealLab) -> None:
    story = Story(lab.pool.url)
    console.rule("A request whose image must be installed: a real machine boots from the network")
    first = story.request("any", IMAGE)
    _follow(story, first)
    console.rule("The same once more: the image is there, a power cycle is enough")
    story.give_back(first)
    _follow(story, story.request("any", IMAGE))


def _follow(story: Story, request_id: int) -> None:
    """Print what a request's device writes until it is ready."""
    begun = time.monotonic()
    # Older lines of the device's journal are another request's story.
    filed = story.lines_of_request(request_id)[0].time
    seen: set[int] = set()

    def tell(lines: list[Line]) -> None:
        for line in lines:
            if line.time >= filed and line.id not in seen:
                seen.add(line.id)
                console.print(f"  [dim]{time.monotonic() - begun:6.1f} s[/]  ", end="")
                console.print(line.message.removeprefix("entering state "), markup=False)

    device = story.until_ready(request_id, _READY_SECONDS, tell)
    seconds = time.monotonic() - begun
    console.print(f"  [bold green]request {request_id} is ready on {device}[/] after {seconds:.1f} s")


def _administrator(lab: RealLab) -> str:
    """Make the account `admin` with a new password, and give that."""
    password = secrets.token_urlsafe(9)
    lab.pool.python(
        "from django.contrib.auth.models import User; "
        f"User.objects.create_superuser('admin', 'admin@lab.example', {password!r})"
    )
    return password


def _explain(lab: RealLab, password: str) -> None:
    python = ".venv/bin/python manage.py"
    names = (
        "DATABASE_URL",
        "MOZPOOL_BROKER_URL",
        "MOZPOOL_BASE_URL",
        "MOZPOOL_TFTP_ROOT",
        "MOZPOOL_BOOT_LOADERS",
        "MOZPOOL_DEBUG",
    )
    variables = lab.pool.variables
    env_file = lab.pool.folder / "environment"
    env_file.write_text("".join(f"export {name}={variables[name]!r}\n" for name in names))
    machine = next(iter(lab.machines.values()))
    console.print(
        Panel(
            f"Pages    {lab.pool.url}/\n"
            f"Log in   admin / {password}\n"
            f"Console  tail -f {_short(machine.console)}\n"
            "\n"
            "In another terminal, in this folder:\n"
            f"  . {_short(env_file)}\n"
            f"  {python} device_status\n"
            f"  {python} request_device {IMAGE} --duration 1h\n"
            f"  {python} self_test {machine.name}\n"
            f"  {python} maintenance {machine.name}\n"
            f"  {_short(' '.join(lab.ssh_words(machine)))}\n"
            "\n"
            "Ctrl-C ends everything.",
            title="Real machines run",
            expand=False,
        )
    )


def _short(text: object) -> str:
    """Leave out what is before this project's folder, where the commands are typed."""
    return str(text).replace(f"{ROOT}/", "")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
