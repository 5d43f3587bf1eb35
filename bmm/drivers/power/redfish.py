"""Servers by Redfish, the HTTP interface of their service processors, through OpenStack's library for it."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import sushy
from sushy import auth, exceptions

from bmm.deadline import Deadline
from bmm.drivers.address import parse_address
from bmm.drivers.aside import in_time
from bmm.drivers.guard import guarded
from bmm.drivers.power.base import OFF_SECONDS, PowerDriver
from bmm.drivers.power.web_switch import VERIFY
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, HardwareError, Misconfigured, OutOfTime, Refused, Unreachable

ResultT = TypeVar("ResultT")

_PORTS = {True: 443, False: 80}
_MOVING = {sushy.PowerState.POWERING_ON: False, sushy.PowerState.POWERING_OFF: True}
_STATES = {sushy.PowerState.ON: True, sushy.PowerState.OFF: False, **_MOVING}
# Forces where it can: a device that hangs hears no polite request.
_RESETS = {
    True: (sushy.ResetType.ON, sushy.ResetType.FORCE_ON),
    False: (sushy.ResetType.FORCE_OFF,),
}


class RedfishDriver(PowerDriver):
    """One service; its outlets are the names of systems below /redfish/v1/Systems, such as `1`."""

    outlet_pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
    outlet_grammar = "the Id of a system below /redfish/v1/Systems"
    settings: ClassVar[tuple[SettingSpec, ...]] = (
        SettingSpec("user", str, help="A user of the service who may switch its systems."),
        SettingSpec("password", str, default="", secret=True),
        SettingSpec("https", bool, default=True, help="Whether it speaks https."),
        VERIFY,
        OFF_SECONDS,
    )
    answer_seconds = 6.0
    settle_seconds = 5.0
    _service: Any = None

    def __init__(
        self, address: str, settings: Mapping[str, object] | None = None, **more: Callable[[float], None]
    ) -> None:
        """Take what every driver takes."""
        super().__init__(address, settings, **more)
        # The systems as they were read last: one that was switched off must go on, even if it can't be read again.
        self._known: dict[str, Any] = {}

    def open(self, deadline: Deadline) -> None:
        """Read the service's root; its users log in with each call, so that no session is left behind."""
        https = bool(self.values["https"])
        host, port = parse_address(self.address, _PORTS[https])
        seconds = deadline.check(f"connecting to {self.address}")
        self._service = self._ask(
            lambda: sushy.Sushy(
                f"{'https' if https else 'http'}://{host}:{port}",
                auth=auth.BasicAuth(self.text("user"), self.text("password")),
                verify=bool(self.values["verify_certificate"]),
                # 0 would mean three tries, two seconds apart; trying again is the base's affair.
                server_side_retries=1,
                server_side_retries_delay=0.01,
                read_timeout=min(seconds, self.answer_seconds),
                connect_timeout=seconds,
            ),
            deadline,
        )

    def close(self) -> None:
        """Forget the service."""
        self._service = None

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Reset the system to on, or force it off."""
        try:
            system = self._system(outlet, deadline)
        except Garbled:
            if not on or outlet not in self._known:
                raise
            system = self._known[outlet]
        else:
            # Many refuse to switch on what is on.
            if _STATES.get(system.power_state) is on and system.power_state not in _MOVING:
                return
        self._ask(lambda: self._reset(system, outlet, on), deadline)

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Read the system's PowerState; one that is powering on is not on yet."""
        state = self._system(outlet, deadline).power_state
        if state not in _STATES:
            raise Garbled(f"{outlet} of {self.address}: its PowerState is {state}")
        return _STATES[state]

    def answers(self, deadline: Deadline) -> bool:
        """List the systems: the root alone is shown to anybody."""
        return self._ask(lambda: bool(self._service.get_system_collection().members_identities), deadline)

    def _reset(self, system: Any, outlet: str, on: bool) -> None:
        able = system.get_allowed_reset_system_values()
        way = next((reset for reset in _RESETS[on] if reset in able), None)
        if way is None:
            raise Misconfigured(f"{outlet} of {self.address} cannot be forced {'on' if on else 'off'}")
        system.reset_system(way)

    def _system(self, outlet: str, deadline: Deadline) -> Any:
        service = self._service
        if service is None:
            raise Unreachable(f"{self.address}: not connected")
        path = f"/redfish/v1/Systems/{quote(self.check_outlet(outlet))}"
        with guarded(f"{outlet} of {self.address}"):
            self._known[outlet] = self._ask(lambda: service.get_system(path), deadline)
        return self._known[outlet]

    def _ask(self, step: Callable[[], ResultT], deadline: Deadline) -> ResultT:
        try:
            # The library's own timeouts count from packet to packet.
            return in_time(step, deadline, f"asking {self.address}")
        except (exceptions.SushyError, ValueError) as error:
            # A ValueError is what the library lets out for an answer that is no JSON.
            raise self._judged(error, deadline) from error

    def _judged(self, error: Exception, deadline: Deadline) -> HardwareError:
        words = f"{self.address}: {' '.join(str(error).split())[:200]}"
        if isinstance(error, (exceptions.AccessError, exceptions.ResourceNotFoundError)):
            return Misconfigured(words)
        if isinstance(error, exceptions.ConnectionError):
            if "CERTIFICATE_VERIFY_FAILED" in words:
                return Misconfigured(f"{self.address}: its certificate is not trusted")
            return OutOfTime(words) if deadline.expired or "timed out" in words else Unreachable(words)
        if isinstance(error, exceptions.ServerSideError):
            return Unreachable(words)
        if isinstance(error, exceptions.HTTPError):
            return Refused(words)
        return Garbled(words)
