"""A simulated lab of two relay boards with eight devices each, as a process, for tests that touch hardware."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_django import Settings

from bmm.deadline import Deadline
from bmm.drivers.power import make_driver
from devices.models import Device, PowerController
from simlab.control import LabControl
from tests.factories import make_controller, make_device
from tests.network import own_network
from tests.servers.process import die_with_parent

ROOT = Path(__file__).resolve().parent.parent.parent.parent
BOARDS = 2
OUTLETS = [f"bank1:relay{relay}" for relay in range(1, 9)]
# The lab's boards rest for less than real ones, so that a test's end does not disturb the next one.
REST_SECONDS = 0.2


@dataclass(frozen=True)
class Lab:
    """The running lab, and the TFTP folder that its boards read."""

    control: LabControl
    tftp: Path
    network: str

    def controller(self, number: int = 0) -> PowerController:
        """Make the row of a relay board: healed, with all outlets on and its counters at zero."""
        board = self.control.heal_relay_board(f"relay-{number}")
        if board.off:
            time.sleep(REST_SECONDS)
            address = f"{_host(self.network, number)}:2101"
            make_driver("proxr", address).power_on(board.off, Deadline.after(5))
        # The row of the test before is gone, and with it what told that the board rests.
        time.sleep(REST_SECONDS)
        self.control.reset_counters()
        return make_controller(f"{_host(self.network, number)}:2101")

    def devices(self, controller: PowerController, number: int, **columns: object) -> list[Device]:
        """Make the rows of the first devices of a relay board."""
        board = int(controller.address.partition(":")[0].rpartition(".")[2]) - 1
        return [
            make_device(
                power_controller=controller,
                outlet=OUTLETS[place],
                mac=_mac(board, place),
                address=_address(self.network, board, place),
                **columns,
            )
            for place in range(number)
        ]

    @staticmethod
    def board_name(board: int, place: int) -> str:
        """Name a board as the lab knows it."""
        return f"board-{board}-{place}"


def _mac(board: int, place: int) -> str:
    return f"0276000{board:02x}{place:03x}"


def _host(network: str, board: int) -> str:
    return f"{network}.0.{board + 1}"


def _address(network: str, board: int, place: int) -> str:
    return f"{network}.{board + 1}.{place + 1}"


def _description(folder: Path, network: str) -> dict[str, object]:
    return {
        "speed": 60,
        "workers": 1,
        "tftp_root": str(folder / "tftp"),
        "control": str(folder / "control.sock"),
        "images": {"android": {"tcp": [5555]}},
        "relay_boards": [
            {"name": f"relay-{number}", "host": _host(network, number), "rest": REST_SECONDS}
            for number in range(BOARDS)
        ],
        "devices": [
            {
                "name": Lab.board_name(board, place),
                "mac": _mac(board, place),
                "address": _address(network, board, place),
                "relay_board": f"relay-{board}",
                "outlet": OUTLETS[place],
                "image": "android",
            }
            for board in range(BOARDS)
            for place in range(len(OUTLETS))
        ],
    }


@pytest.fixture(scope="session")
def running_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Play the hardware for the whole session."""
    with own_network() as network:
        yield from _play(tmp_path_factory.mktemp("lab"), network)


def _play(folder: Path, network: str) -> Iterator[Lab]:
    (folder / "tftp").mkdir()
    (folder / "LAB.json").write_text(json.dumps(_description(folder, network)))
    ready = folder / "ready"
    command = [sys.executable, "-m", "simlab", str(folder / "LAB.json"), "--ready-file", str(ready)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True, preexec_fn=die_with_parent()
        )
    ends = time.monotonic() + 20
    while not ready.exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < ends, (folder / "log").read_text()
        time.sleep(0.02)
    yield Lab(LabControl(folder / "control.sock"), folder / "tftp", network)
    process.terminate()
    process.wait(10)


@pytest.fixture
def lab(running_lab: Lab, settings: Settings) -> Lab:
    """Give the lab to a test, and have Mozpool write its boot files where the boards read them."""
    settings.MOZPOOL_TFTP_ROOT = str(running_lab.tftp)
    return running_lab
