"""What really stands in the racks: boards that obey their relay, boot, call home, hang, and lose their image.

Nothing here is a row. Boards know the boot file that they read and nothing of states.
"""

from dataclasses import dataclass

from mozpool_site.statemachine.machine import Event
from tests.simulation.device_machine import MAINTENANCE, SELF_TEST, Devices
from tests.simulation.rows import Device
from tests.simulation.store import Store

# What may be wrong with a board until somebody repairs it.
FAULTS = (
    "relay",
    "relay_lies",
    "never_boots",
    "never_gets_on",
    "hangs_downloading",
    "hangs_extracting",
    "never_answers",
    "bad_storage",
    "fails_self_test",
    "hangs_self_test",
    "reboots",
)


@dataclass(slots=True)
class Board:
    """One board. `epoch` is raised whenever its power is cut; `boot_file` is (image, boot_seq) or nothing."""

    device: Device
    epoch: int = 0
    mode: str = "image"
    storage: int | None = None
    boot_file: tuple[int, int] | None = None
    fault: str = ""


class Boards:
    """All boards, and the network between them and the web process."""

    def __init__(self, store: Store, devices: Devices) -> None:
        self.store = store
        self.devices = devices
        self.boards = {device.pk: Board(device) for device in store.devices.values()}
        # Probabilities, all zero once the storm is over.
        self.hang = 0.02
        self.event_lost = 0.03
        self.event_doubled = 0.05
        self.event_late = 0.03

    def sync_boot_file(self, device: Device) -> bool:
        """Make the boot file what the row says; True when it was not."""
        board = self.boards[device.pk]
        wanted = (device.netboot, device.boot_seq) if device.netboot is not None else None
        if board.boot_file == wanted:
            return False
        board.boot_file = wanted
        return True

    def cycle_power(self, device: Device) -> str:
        """Cut the power and give it again; say how the relay answered."""
        board = self.boards[device.pk]
        if board.fault == "relay":
            return "power_cycle_failed"
        board.epoch += 1
        board.mode = "off"
        self.store.later(self.store.random.uniform(1, 4), self._start, board, board.epoch)
        return "hardware_unreachable" if board.fault == "relay_lies" else "power_cycle_ok"

    def answers(self, device: Device, kind: str) -> bool:
        """Whether a board passes a check."""
        board = self.boards[device.pk]
        if board.fault in ("never_boots", "never_answers"):
            return False
        if kind == "ping":
            return board.mode in ("live", "image")
        bad_storage = kind == "check_storage" and board.fault == "bad_storage"
        return board.mode == "image" and not bad_storage

    def _start(self, board: Board, epoch: int) -> bool:
        if board.epoch != epoch or board.fault == "never_boots":
            return False
        if board.boot_file is None:
            self.store.later(self.store.random.uniform(4, 20), self._up, board, epoch)
            return True
        image, boot_seq = board.boot_file
        board.mode = "live"
        self._post(board, "mobile_init_started", boot_seq)
        if board.fault != "never_gets_on":
            self._next(
                board,
                epoch,
                (1, 6),
                {SELF_TEST: "self_test_running", MAINTENANCE: "maint_mode"}.get(image, "image_downloading"),
                image,
                boot_seq,
            )
        return True

    def _up(self, board: Board, epoch: int) -> bool:
        image = self.store.images.get(board.storage or 0)
        if board.epoch != epoch or image is None or image.bad:
            return False
        board.mode = "image"
        if board.fault == "reboots":
            self.store.later(self.store.random.uniform(5, 120), self._start, board, epoch)
        return True

    def _next(
        self, board: Board, epoch: int, seconds: tuple[float, float], event: str, image: int, boot_seq: int
    ) -> None:
        if not self.store.chance(self.hang):
            pause = self.store.random.uniform(*seconds)
            self.store.later(pause, self._do, board, epoch, event, image, boot_seq)

    def _do(self, board: Board, epoch: int, event: str, image: int, boot_seq: int) -> bool:
        """Take one step of the second stage, tell of it, and go on."""
        if board.epoch != epoch:
            return False
        self._post(board, event, boot_seq)
        if event == "self_test_running":
            result = "failed_self_test" if board.fault == "fails_self_test" else "self_test_ok"
            if board.fault != "hangs_self_test":
                self._next(board, epoch, (5, 60), result, image, boot_seq)
        elif event == "image_downloading" and board.fault != "hangs_downloading":
            self._next(board, epoch, (10, 60), "image_extracting", image, boot_seq)
        elif event == "image_extracting":
            board.storage = None
            if board.fault != "hangs_extracting":
                self._next(board, epoch, (20, 120), "image_rebooting", image, boot_seq)
        elif event == "image_rebooting":
            board.storage, board.mode = image, "off"
            self.store.later(self.store.random.uniform(1, 4), self._start, board, epoch)
        return True

    def _post(self, board: Board, event: str, boot_seq: int) -> None:
        """Send an event to the web process; the network may lose, delay and repeat it."""
        chance, uniform = self.store.chance, self.store.random.uniform
        if chance(self.event_lost):
            return
        for _ in range(2 if chance(self.event_doubled) else 1):
            pause = uniform(1, 3600) if chance(self.event_late) else uniform(0.01, 0.3)
            self.store.later(pause, self._arrive, board.device, event, boot_seq)

    def _arrive(self, device: Device, event: str, boot_seq: int) -> None:
        self.devices.deliver(device, Event(event), {"boot_seq": boot_seq})
