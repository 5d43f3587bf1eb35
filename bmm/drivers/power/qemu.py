"""Virtual machines of QEMU, by the monitor that each of them offers (QMP) on a port of its host.

A process that has ended can't be started here, so off means: reset, and standing still. The machine's program must
run on: start it with `-no-shutdown -S -qmp tcp:HOST:PORT,server=on,wait=off`.
"""

import re
from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeVar

from qemu.qmp import ConnectError, ExecuteError, QMPClient, QMPError

from bmm.deadline import Deadline
from bmm.drivers.address import check_host, resolve
from bmm.drivers.aside import Aside
from bmm.drivers.power.base import OFF_SECONDS, PowerDriver
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, HardwareError, Misconfigured, Refused, Unreachable

ResultT = TypeVar("ResultT")

_HIGHEST_PORT = 65535


class QemuDriver(PowerDriver):
    """The machines of one host; an outlet is the port of a machine's monitor."""

    outlet_pattern = re.compile(r"[1-9]\d{0,4}", re.ASCII)
    outlet_grammar = "the port of the machine's QMP monitor, 1 to 65535"
    address_help = "the host on which the machines run, without a port"
    settings: ClassVar[tuple[SettingSpec, ...]] = (OFF_SECONDS,)

    @classmethod
    def check_address(cls, address: str) -> str:
        """Take a host alone."""
        return check_host(address)

    @classmethod
    def check_outlet(cls, outlet: str) -> str:
        """Take a port."""
        if int(super().check_outlet(outlet)) > _HIGHEST_PORT:
            raise Misconfigured(f"there is no outlet {outlet!r}: {cls.outlet_grammar} expected")
        return outlet

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Let the machine run from its reset, or reset it and let it stand."""

        async def switch(monitor: QMPClient) -> None:
            if not on:
                await monitor.execute("stop")
            if not on or not await _runs(monitor):
                await monitor.execute("system_reset")
            if on:
                await monitor.execute("cont")

        self._with_monitor(outlet, switch, deadline)

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Ask whether the machine runs."""
        return self._with_monitor(outlet, _runs, deadline)

    def answers(self, deadline: Deadline) -> bool:
        """Look the host up: only its machines have monitors."""
        return bool(resolve(self.address, deadline))

    def _with_monitor(
        self, outlet: str, work: Callable[[QMPClient], Awaitable[ResultT]], deadline: Deadline
    ) -> ResultT:
        ip, port = resolve(self.address, deadline), int(self.check_outlet(outlet))

        async def talk() -> ResultT:
            monitor = QMPClient()
            await monitor.connect((ip, port))
            try:
                return await work(monitor)
            finally:
                await monitor.disconnect()

        aside = Aside()
        try:
            return aside.run(talk(), deadline, f"speaking QMP to {self.address}:{port}")
        except ExecuteError as error:
            raise Refused(f"{self.address}:{port} refused: {error}") from error
        except QMPError as error:
            raise _judged(f"{self.address}:{port}", error) from error
        finally:
            aside.close()


async def _runs(monitor: QMPClient) -> bool:
    answer = await monitor.execute("query-status")
    if not isinstance(answer, dict) or not isinstance(answer.get("running"), bool):
        raise Garbled(f"query-status was answered by {answer!r:.100}")
    return bool(answer["running"])


def _judged(where: str, error: QMPError) -> HardwareError:
    if isinstance(error, ConnectError) and isinstance(error.exc, OSError):
        return Unreachable(f"{where}: {error.exc.strerror or error.exc}")
    return Garbled(f"{where} does not speak QMP: {error}"[:250])
