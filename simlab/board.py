"""One simulated board: what survives a power cut, what does not, and how it obeys its relay."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from enum import StrEnum

from simlab.agent import Agent, FileStore
from simlab.config import DeviceSpec, LabConfig
from simlab.faults import FaultPlan
from simlab.http_calls import CallCounters, Caller
from simlab.ports import Ports, say_nothing

HISTORY_LENGTH = 500
"""Entries kept for each board: some thirty whole installs."""


class Phase(StrEnum):
    """What a board is doing."""

    OFF = "off"
    BOOTLOADER = "bootloader"
    LIVE_BOOT = "live_boot"
    LIVE = "live"
    DOWNLOADING = "downloading"
    INSTALLING = "installing"
    SELF_TEST = "self_test"
    MAINTENANCE = "maintenance"
    IMAGE_BOOT = "image_boot"
    UP = "up"
    NO_IMAGE = "no_image"
    STOPPED = "stopped"


class Board:
    """A board and its storage; `boot` is the coroutine that it lives through each time power comes on."""

    def __init__(
        self,
        spec: DeviceSpec,
        config: LabConfig,
        calls: CallCounters,
        boot: Callable[["Board"], Coroutine[object, object, None]],
        crashed: Callable[[str, BaseException], None],
    ) -> None:
        self.spec = spec
        self.config = config
        self.image = spec.image
        self.boot_config: dict[str, object] = {}
        self.phase = Phase.OFF
        self.caller = Caller(spec.address, calls)
        # Two generators: how often a call is tried must not change which faults the board meets.
        self.plan = FaultPlan(spec.faults, spec.script, random.Random(f"{config.seed}:{spec.name}:faults"))
        self.history: deque[tuple[float, str]] = deque(maxlen=HISTORY_LENGTH)
        self._times = random.Random(f"{config.seed}:{spec.name}:times")
        self._boot = boot
        self._crashed = crashed
        self._ports = Ports(spec.address)
        self._store: FileStore | None = None
        self._life: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()
        self._awake.set()
        self._dead = False

    @property
    def hung(self) -> bool:
        """Whether the board stands still, whatever its phase."""
        return not self._awake.is_set()

    def note(self, what: str) -> None:
        """Adds an entry to the history, with the wall time."""
        self.history.append((time.time(), what))

    def enter(self, phase: Phase) -> None:
        """Changes the phase."""
        self.phase = phase

    async def spend(self, step: str) -> None:
        """Takes the time of a step of the timing table; returns only when the board is not hung."""
        span = self.config.timing[step]
        seconds = self._times.gauss(span.mean, span.spread)
        seconds = min(max(seconds, span.mean - 2 * span.spread, 0), span.mean + 2 * span.spread)
        await asyncio.sleep(seconds / self.config.speed)
        await self._awake.wait()

    async def freeze(self) -> None:
        """Hangs here, until someone thaws the board; a power cut ends it all."""
        self.hang()
        await self._awake.wait()

    def hang(self, *, for_good: bool = False) -> None:
        """Stops the board where it is; for good means that it hangs again after each power cycle."""
        self._dead = self._dead or for_good
        if self._awake.is_set() and self.phase is not Phase.OFF:
            self._awake.clear()
            self.note("hung")

    def unhang(self) -> None:
        """Lets a hung board go on where it stood."""
        self._dead = False
        if self.hung:
            self._awake.set()
            self.note("unhung")

    def erase(self) -> None:
        """Forgets the installed image and the card's files; a running image runs on until the power goes."""
        self.image = None
        self.boot_config = {}
        self._store = None

    def lose_image(self) -> None:
        """The storage is found empty."""
        self.erase()
        self.note("image_lost")

    def set_power(self, *, on: bool) -> None:
        """Obeys the relay: all that is volatile goes at once, or a new life begins."""
        if on == (self.phase is not Phase.OFF):
            return
        if on:
            self._power_on()
        else:
            self._power_off()

    def _power_on(self) -> None:
        self.note("power_on")
        self.enter(Phase.BOOTLOADER)
        if self._dead:
            self.hang()
        self._life = asyncio.get_running_loop().create_task(self._boot(self))
        self._life.add_done_callback(self._ended)

    def _power_off(self) -> None:
        self.note("power_off")
        self.stop()
        self._awake = asyncio.Event()
        self._awake.set()

    def stop(self) -> None:
        """Ends the board's life at once, with all its sockets."""
        self.enter(Phase.OFF)
        if self._life is not None:
            self._life.cancel()
            self._life = None
        self._ports.close()

    def _ended(self, life: "asyncio.Task[None]") -> None:
        error = None if life.cancelled() else life.exception()
        if error is not None:
            self._crashed(self.spec.name, error)

    async def begin(self) -> None:
        """Stands as it does when the lab opens: an image that is on and installed is up at once."""
        if not self.spec.power:
            return
        if self.image is None:
            self.enter(Phase.NO_IMAGE)
            self.note("no_image")
        else:
            await self.bring_up(frozenset())

    async def bring_up(self, faults: Iterable[str]) -> None:
        """The installed image is up and listens as its description says."""
        spec = self.config.images.get(self.image or "")
        if spec is not None and "ports_closed" not in faults:
            for port in spec.tcp:
                await self._ports.open(port, say_nothing)
            if spec.agent_port is not None:
                await self._open_agent(spec.agent_port, faults)
        self.enter(Phase.UP)
        self.note("image_up")

    async def _open_agent(self, port: int, faults: Iterable[str]) -> None:
        if "agent_silent" in faults:
            await self._ports.open(port, say_nothing)
            return
        if self._store is None:
            self._store = FileStore()
        broken = not {"storage_fails", "storage_fails_later"}.isdisjoint(faults)
        agent = Agent(self._store, storage_fails=broken, awake=self._awake.wait)
        await self._ports.open(port, agent.serve)

    def view(self) -> dict[str, object]:
        """The board as the control socket shows it, without its history."""
        return {
            "name": self.spec.name,
            "phase": self.phase.value,
            "power": self.phase is not Phase.OFF,
            "hung": self.hung,
            "image": self.image,
            "boot_config": self.boot_config,
            "faults": self.plan.rates,
            "script": self.plan.script,
        }
