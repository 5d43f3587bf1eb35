"""The whole lab: what the machines boot, their disks, their network, and the pool that runs them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reallab import artefacts
from reallab.kinds import Kind
from reallab.machine import DISK_MB, Machine
from reallab.network import SSH_PORT, Network
from reallab.plan import KindRows, MachineRows, Rows
from reallab.pool import RealPool
from reallab.service import ServicePlan
from simlab.pool import ROOT
from tests.servers.process import free_port

# What an operator puts where GRUB looks first.
_GRUB_CONFIG = ROOT / "deploy" / "network" / "grub.cfg"


class LabFailed(Exception):
    """Something that the lab needs is not on this machine; the message says what to install."""


@dataclass(frozen=True)
class Wish:
    """A machine that is wanted."""

    kind: Kind
    worn_out: bool = False


@dataclass(frozen=True)
class RealLab:
    """A running lab. Images are served at `files_port`.

    `key` is the private key that opens machines in maintenance, in dropbear's format.
    """

    pool: RealPool
    machines: dict[str, Machine]
    artefacts: dict[str, artefacts.Artefacts]
    key: Path
    files_port: int

    def ssh(self, machine: Machine, command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine in maintenance."""
        return subprocess.run(
            [*self.ssh_words(machine), command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def ssh_words(self, machine: Machine) -> list[str]:
        """Give what logs in to a machine; its host key is a new one with each boot."""
        return ["dbclient", "-y", "-y", "-i", str(self.key), "-p", str(SSH_PORT), f"root@{machine.address}"]


def check_programs(kinds: Sequence[Kind], more: Sequence[str] = ()) -> None:
    """Raise LabFailed where a program is missing."""
    needed = (*(kind.program for kind in kinds), "mformat", "dbclient", "dropbearkey", *more)
    missing = [name for name in needed if shutil.which(name) is None]
    if missing:
        raise LabFailed(
            f"not installed here: {', '.join(missing)}; scripts/test-packages installs what is needed"
        )


@contextmanager
def running(
    wishes: Sequence[Wish], network: Network, folder: Path, cache: Path, database_url: str, broker_url: str
) -> Iterator[RealLab]:
    """Run a lab in `folder`, with a database that is empty; `cache` keeps what comes from Debian.

    Raises LabFailed, DebianFailed, DisksFailed and PoolFailed.
    """
    kinds = list(dict.fromkeys(wish.kind for wish in wishes))
    check_programs(kinds)
    folder.mkdir(parents=True, exist_ok=True)
    machines = _machines(wishes, network, folder)
    built = {kind.name: artefacts.build(kind, folder / "files" / kind.name, cache) for kind in kinds}
    key = folder / "key"
    pool = RealPool(database_url, broker_url, network, folder)
    try:
        for kind in kinds:
            place = pool.tftp_root / kind.name
            for file in (built[kind.name].kernel, built[kind.name].live):
                _serve(file, place)
            loader = built[kind.name].loader
            if loader and not kind.http_boot:
                _serve(loader, pool.tftp_root)
                _serve(_GRUB_CONFIG, pool.tftp_root / "grub")
        for machine in machines.values():
            machine.prepare(built[machine.kind.name], network.tftp_server if network.own_tftpd else "")
        service = _service(machines, built, network, pool)
        service.write(pool.service_file)
        _rows(machines, built, network, pool, service, _make_key(key)).write(pool.rows_file)
        with pool:
            yield RealLab(pool, machines, built, key, service.files_port)
    finally:
        pool.stop()


def _serve(file: Path, folder: Path) -> None:
    """Put a file where TFTP serves it: it gives only what everybody may read, whatever our umask is."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    shutil.copy(file, folder)
    (folder / file.name).chmod(0o644)


def _machines(wishes: Sequence[Wish], network: Network, folder: Path) -> dict[str, Machine]:
    machines = [
        Machine(
            f"{wish.kind.name}-{number}", wish.kind, number, network.address(number), folder, wish.worn_out
        )
        for number, wish in enumerate(wishes, 1)
    ]
    return {machine.name: machine for machine in machines}


def _service(
    machines: dict[str, Machine], built: dict[str, artefacts.Artefacts], network: Network, pool: RealPool
) -> ServicePlan:
    commands = {
        machine.name: machine.command(
            built[machine.kind.name], network.netdev(machine.number, pool.tftp_root, pool.port)
        )
        for machine in machines.values()
    }
    macs = [machine.mac_with_colons for machine in machines.values()]
    files_port = free_port()
    helpers = network.services(macs, pool.port, pool.folder, files_port)
    if network.own_tftpd:
        place = f"{network.tftp_server}:69"
        helpers["tftpd"] = [sys.executable, "manage.py", "tftpd", "--bind", place]
    return ServicePlan(
        bind=network.bind,
        power_port=free_port(),
        files_port=files_port,
        files=str(pool.folder / "files"),
        machines=commands,
        helpers=helpers,
        logs=str(pool.folder),
    )


def _rows(
    machines: dict[str, Machine],
    built: dict[str, artefacts.Artefacts],
    network: Network,
    pool: RealPool,
    service: ServicePlan,
    authorized_key: str,
) -> Rows:
    images = f"http://{network.web_host}:{service.files_port}"
    return Rows(
        tftp_server=network.tftp_server,
        base_url=f"http://{network.web_host}:{pool.port}",
        power=f"{network.bind}:{service.power_port}",
        authorized_key=authorized_key,
        ssh_port=SSH_PORT,
        disk_mb=DISK_MB,
        kinds=[
            KindRows(
                name=kind.kind.name,
                model=kind.kind.model,
                console=kind.kind.console,
                image_url=f"{images}/{name}/{kind.image.name}",
                image_sha256=kind.image_sha256,
            )
            for name, kind in built.items()
        ],
        machines=[
            MachineRows(machine.name, machine.kind.name, machine.mac, machine.address)
            for machine in machines.values()
        ],
    )


def _make_key(path: Path) -> str:
    """Make a private key; give the public one, as authorized_keys has it."""
    path.unlink(missing_ok=True)
    made = subprocess.run(
        ["dropbearkey", "-t", "ed25519", "-f", str(path)], capture_output=True, text=True, check=True
    )
    return next(line for line in made.stdout.splitlines() if line.startswith("ssh-ed25519 "))
