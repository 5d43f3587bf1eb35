"""What the stories of inventories start from: a rack with relay boards, a NetBox, and the command."""

from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from devices.models import PowerController, Rack
from tests.factories import make_rack
from tests.factories.images import make_hardware
from tests.integration.inventory.netbox import TOKEN, NetBox, running

Sync = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rack(db: None) -> Rack:
    """Give a rack with a type of hardware and relay boards for its outlets, and no device."""
    made = make_rack("p1")
    make_hardware()
    PowerController.objects.bulk_create(
        PowerController(name=f"relay-{number}", rack=made, address=f"127.0.0.1:{number}")
        for number in range(1, 65)
    )
    return made


@pytest.fixture
def netbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[NetBox]:
    """Give a NetBox, whose token is in the environment."""
    monkeypatch.setenv("NETBOX_TOKEN", TOKEN)
    with running() as server:
        yield server


@pytest.fixture
def sync(rack: Rack) -> Sync:
    """Give the command; it gives its status, and what it said on stdout and stderr."""

    def run(*words: Any) -> tuple[int, str, str]:
        out, err = StringIO(), StringIO()
        try:
            call_command("inventory_sync", *map(str, words), stdout=out, stderr=err)
        except SystemExit as end:
            return int(end.code or 0), out.getvalue(), err.getvalue()
        return 0, out.getvalue(), err.getvalue()

    return run


@pytest.fixture
def pool_csv(tmp_path: Path) -> Callable[..., Path]:
    """Give a way to write a CSV file of devices by number; a value in `changed` is the same for all."""

    def write(*numbers: int, **changed: str) -> Path:
        path = tmp_path / "lab.csv"
        rows = [
            {
                "name": f"panda-{number}", "fqdn": f"panda-{number}.lab.example", "rack": "p1",
                "mac": f"0200000000{number:02x}", "hardware_type": "panda es-b3", "environment": "production",
                "power_controller": "relay-1", "outlet": f"bank{number // 8 + 1}:relay{number % 8 + 1}", **changed,
            }
            for number in numbers
        ]  # fmt: skip
        header = list(rows[0]) if rows else ["name"]
        lines = [",".join(header), *(",".join(row[name] for name in header) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
        return path

    return write
