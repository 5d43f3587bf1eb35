"""Servers by Redfish, the HTTP interface of their service processors, through OpenStack's library for it."""

import http.client
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
from bmm.drivers.power.base import OFF_SECONDS, SETTLE_SECONDS, PowerDriver
from bmm.drivers.power.redfish_connector import BoundedConnector
from bmm.drivers.power.web_switch import VERIFY
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, HardwareError, Misconfigured, OutOfTime, Refused, Unreachable

ResultT = TypeVar("ResultT")

_PORTS = {True: 443, False: 80}
# What a state reads as, and where it leads.
_STATES = {
    sushy.PowerState.ON: True,
    sushy.PowerState.OFF: False,
    sushy.PowerState.POWERING_ON: False,
    sushy.PowerState.POWERING_OFF: True,
}
_LEADS_TO = {
    **_STATES,
    sushy.PowerState.POWERING_ON: True,
    sushy.PowerState.POWERING_OFF: False,
}
# A ValueError is what the library lets out for an answer that is no JSON.
_OF_THE_LIBRARY = (exceptions.SushyError, ValueError)
_GOODBYE_SECONDS = 3.0
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
        SETTLE_SECONDS,
        OFF_SECONDS,
    )
    answer_seconds = 6.0
    _service: Any = None
    _session: Any = None

    def __init__(
        self, address: str, settings: Mapping[str, object] | None = None, **more: Callable[[float], None]
    ) -> None:
        """Take what every driver takes."""
        super().__init__(address, settings, **more)
        # The systems as they were read last: one that was switched off must go on, even if it can't be read again.
        self._known: dict[str, Any] = {}
        self._connector: Any = None

    def open(self, deadline: Deadline) -> None:
        """Read the service's root, which is shown to anybody."""
        https = bool(self.values["https"])
        host, port = parse_address(self.address, _PORTS[https])
        seconds = deadline.check(f"connecting to {self.address}")
        url = f"{'https' if https else 'http'}://{host}:{port}"
        connector = BoundedConnector(
            url,
            verify=bool(self.values["verify_certificate"]),
            # 0 would mean three tries, two seconds apart; trying again is the base's affair.
            server_side_retries=1,
            server_side_retries_delay=0.01,
            default_request_timeout=min(seconds, self.answer_seconds),
            connect_timeout=seconds,
        )
        self._connector = connector
        login = auth.BasicAuth(self.text("user"), self.text("password"))
        self._service = self._ask(lambda: sushy.Sushy(url, auth=login, connector=connector), deadline)

    def close(self) -> None:
        """Forget the service, and delete the session if there is one: services keep only a few."""
        session, self._session, self._service = self._session, None, None
        try:
            if session is not None:
                self._ask(session.close, Deadline.after(_GOODBYE_SECONDS))
        finally:
            if self._connector is not None:
                self._connector.close()

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Reset the system to on, or force it off."""
        try:
            system = self._system(outlet, deadline)
        except Garbled:
            if not on or outlet not in self._known:
                raise
            system = self._known[outlet]
        else:
            # Many refuse to switch on what is on, or on its way.
            if _LEADS_TO.get(system.power_state) is on:
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
        system = self._ask(lambda: service.get_system(path), deadline)
        names = {system.identity, str(system.json.get("@odata.id")).rstrip("/").rpartition("/")[2]}
        if outlet not in names:
            raise Garbled(f"{self.address} was asked for {outlet} and told of {system.identity!r:.80}")
        self._known[outlet] = system
        return system

    def _ask(self, step: Callable[[], ResultT], deadline: Deadline) -> ResultT:
        with guarded(f"asking {self.address}"):
            try:
                try:
                    return self._in_time(step, deadline)
                except exceptions.AccessError as error:
                    if not self._service or self._session or error.status_code != http.client.UNAUTHORIZED:
                        raise
                self._log_in(deadline)
                return self._in_time(step, deadline)
            except _OF_THE_LIBRARY as error:
                raise self._judged(error, deadline) from error

    def _log_in(self, deadline: Deadline) -> None:
        """Begin a session: there are services that take no basic authentication."""
        session = auth.SessionAuth(self.text("user"), self.text("password"))
        session.set_context(self._service, self._connector)
        try:
            self._in_time(session.authenticate, deadline)
        except exceptions.ServerSideError:
            raise
        except exceptions.HTTPError as error:
            raise Misconfigured(
                f"{self.address} accepts our user and password neither with a call nor for a session "
                f"(it answered 401, then {error.status_code})"
            ) from error
        self._session = session

    def _in_time(self, step: Callable[[], ResultT], deadline: Deadline) -> ResultT:
        # The library's own timeouts count from packet to packet.
        return in_time(step, deadline, f"asking {self.address}")

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
