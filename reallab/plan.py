"""What the lab's pool is to know, as data: the lab writes it down, and `rows.py` makes rows of it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RACK = "real"
IMAGE, HASTY = "tiny", "hasty"
"""The same image under two names; `hasty` gives up at the first failure."""
SELF_TEST = "self-test"


@dataclass(frozen=True)
class KindRows:
    """What the rows say of a kind of machine."""

    name: str
    model: str
    console: str
    image_url: str
    image_sha256: str


@dataclass(frozen=True)
class MachineRows:
    """What the rows say of a machine."""

    name: str
    kind: str
    mac: str
    address: str


@dataclass(frozen=True)
class Rows:
    """Everything that is written into an empty pool."""

    tftp_server: str
    base_url: str
    power: str
    authorized_key: str
    ssh_port: int
    disk_mb: int
    kinds: list[KindRows]
    machines: list[MachineRows]

    def write(self, path: Path) -> None:
        """Write it down for `read`."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def read(path: Path) -> Rows:
    """Read what was written down."""
    given: dict[str, Any] = json.loads(path.read_text())
    given["kinds"] = [KindRows(**kind) for kind in given["kinds"]]
    given["machines"] = [MachineRows(**machine) for machine in given["machines"]]
    return Rows(**given)
