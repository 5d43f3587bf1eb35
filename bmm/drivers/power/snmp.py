"""Speaking SNMP to a switch: version 1, 2c or 3, one variable at a time. What the variables are is in snmp_kinds.py."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pysnmp import error as snmp_error
from pysnmp.hlapi.v3arch import asyncio as hlapi
from pysnmp.proto import errind, rfc1902, rfc1905

from bmm.deadline import Deadline
from bmm.drivers.address import parse_address, resolve
from bmm.drivers.aside import Aside
from bmm.drivers.power.base import OFF_SECONDS, PowerDriver
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, Misconfigured, Refused, Unreachable

_PORT = 161
_UPTIME = "1.3.6.1.2.1.1.3.0"  # RFC 3418: every agent has it
_TRY_SECONDS, _MORE_TRIES = 1.0, 2
_SHORTEST_PASSWORD = 8  # RFC 3414, 11.2

AUTH = {
    "none": hlapi.USM_AUTH_NONE,
    "md5": hlapi.USM_AUTH_HMAC96_MD5,
    "sha": hlapi.USM_AUTH_HMAC96_SHA,
    "sha256": hlapi.USM_AUTH_HMAC192_SHA256,
    "sha512": hlapi.USM_AUTH_HMAC384_SHA512,
}
PRIV = {
    "none": hlapi.USM_PRIV_NONE,
    "des": hlapi.USM_PRIV_CBC56_DES,
    "aes": hlapi.USM_PRIV_CFB128_AES,
    "aes192": hlapi.USM_PRIV_CFB192_AES,
    "aes256": hlapi.USM_PRIV_CFB256_AES,
}
LOGIN = (
    SettingSpec("version", str, default="2c", choices=("1", "2c", "3"), help="Of SNMP."),
    SettingSpec(
        "community", str, default="", secret=True, help="For version 1 and 2c; it must allow writing."
    ),
    SettingSpec("user", str, default="", help="For version 3."),
    SettingSpec("auth_protocol", str, default="sha", choices=tuple(AUTH), help="For version 3."),
    SettingSpec("auth_password", str, default="", secret=True, help="For version 3; 8 characters or more."),
    SettingSpec("priv_protocol", str, default="aes", choices=tuple(PRIV), help="For version 3: encryption."),
    SettingSpec("priv_password", str, default="", secret=True, help="For version 3; 8 characters or more."),
    OFF_SECONDS,
)
# What an agent says about us (RFC 3416, 3), and about the outlet.
_NOT_ALLOWED = {"noAccess", "notWritable", "readOnly", "authorizationError"}
_NOT_THERE = {"noSuchName", "inconsistentName", "noCreation"}
# What only other credentials or another version will change (RFC 3414, 3.2).
_OUR_MISTAKES = (
    errind.UnknownUserName, errind.WrongDigest, errind.AuthenticationError, errind.AuthenticationFailure,
    errind.UnsupportedSecurityLevel, errind.UnsupportedAuthProtocol, errind.UnsupportedPrivProtocol,
    errind.DecryptionError, errind.EncryptionError, errind.UnknownSecurityName, errind.NoAccessEntry,
    errind.UnknownCommunityName, errind.NoSuchView, errind.NotInView, errind.NoGroupName,
)  # fmt: skip


class SnmpSwitch(PowerDriver):
    """A switch that answers SNMP; a kind of switch says which variables and values it has."""

    settings: ClassVar[tuple[SettingSpec, ...]] = LOGIN
    # A PDU takes an order at once and shows it when its relay has moved.
    settle_seconds = 3.0
    answer_seconds = 4.0
    _aside: Aside | None = None

    def __init__(
        self, address: str, settings: Mapping[str, object] | None = None, **more: Callable[[float], None]
    ) -> None:
        """Take what every driver takes; a login that cannot be is Misconfigured."""
        super().__init__(address, settings, **more)
        self._login = self._make_login()
        self._engine: Any = None
        self._target: Any = None

    def open(self, deadline: Deadline) -> None:
        """Get ready to ask; over UDP nothing is sent for that."""
        host, port = parse_address(self.address, _PORT)
        ip = resolve(host, deadline)
        self._aside = Aside()
        self._aside.run(self._prepare(ip, port), deadline, f"preparing SNMP to {self.address}")

    def close(self) -> None:
        """Let go of the socket and of what was learnt of the agent."""
        if self._engine is not None:
            self._engine.close_dispatcher()
            self._engine = None
        if self._aside is not None:
            self._aside.close()
            self._aside = None

    def answers(self, deadline: Deadline) -> bool:
        """Ask for the agent's uptime."""
        return self.fetch(_UPTIME, deadline) >= 0

    def fetch(self, oid: str, deadline: Deadline) -> int:
        """Read a variable that is a number."""
        value = self._ask(hlapi.get_cmd, oid, rfc1902.Null(""), deadline)
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise Garbled(f"{self.address}: {oid} is no number: {value!r:.80}") from error

    def store(self, oid: str, number: int, deadline: Deadline) -> None:
        """Write a variable that is an INTEGER."""
        self._ask(hlapi.set_cmd, oid, rfc1902.Integer32(number), deadline)

    def _ask(self, command: Any, oid: str, value: Any, deadline: Deadline) -> Any:
        if self._aside is None:
            raise Unreachable(f"{self.address}: not connected")
        variable = hlapi.ObjectType(hlapi.ObjectIdentity(oid), value)
        asking = command(
            self._engine, self._login, self._target, hlapi.ContextData(), variable, lookupMib=False
        )
        try:
            trouble, status, _, found = self._aside.run(asking, deadline, f"asking {self.address} for {oid}")
        except snmp_error.PySnmpError as error:
            raise Garbled(f"{self.address}: {' '.join(str(error).split())[:200]}") from error
        if trouble:
            raise self._judged(trouble)
        if status:
            raise self._refused(str(rfc1905.errorStatus.clone(int(status)).prettyPrint()), oid)
        if not found or isinstance(
            found[0][1], (rfc1905.NoSuchInstance, rfc1905.NoSuchObject, rfc1905.EndOfMibView)
        ):
            raise Misconfigured(
                f"{self.address} has no variable {oid}: another kind of switch, or no such outlet"
            )
        if str(found[0][0]) != oid:
            raise Garbled(f"{self.address} was asked for {oid} and told of {found[0][0]}")
        return found[0][1]

    def _judged(self, trouble: Any) -> Exception:
        if isinstance(trouble, errind.RequestTimedOut):
            hint = "" if self.values["version"] == "3" else " (to a wrong community it says nothing either)"
            return Unreachable(f"{self.address} does not answer SNMP{hint}")
        if isinstance(trouble, _OUR_MISTAKES):
            return Misconfigured(f"{self.address} does not accept our SNMP login: {trouble}")
        return Garbled(f"{self.address}: {trouble}")

    def _refused(self, status: str, oid: str) -> Exception:
        if status in _NOT_THERE:
            return Misconfigured(
                f"{self.address} has no variable {oid}: another kind of switch, or no such outlet"
            )
        if status in _NOT_ALLOWED:
            return Misconfigured(
                f"{self.address} does not let us write {oid} ({status}): ask for write access"
            )
        return Refused(f"{self.address} refused {oid}: {status}")

    async def _prepare(self, ip: str, port: int) -> None:
        self._engine = hlapi.SnmpEngine()
        self._target = await hlapi.UdpTransportTarget.create((ip, port), _TRY_SECONDS, _MORE_TRIES)

    def _make_login(self) -> Any:
        if self.values["version"] != "3":
            if not self.text("community"):
                raise Misconfigured("setting community is missing: SNMP version 1 and 2c want one")
            return hlapi.CommunityData(self.text("community"), mpModel=int(self.values["version"] == "2c"))
        if not self.text("user"):
            raise Misconfigured("setting user is missing: SNMP version 3 wants one")
        auth, priv = self.text("auth_protocol"), self.text("priv_protocol")
        if auth == "none" and priv != "none":
            raise Misconfigured(
                "setting priv_protocol: none expected, for nothing is encrypted without auth_protocol"
            )
        for name, protocol in (("auth_password", auth), ("priv_password", priv)):
            if protocol != "none" and len(self.text(name)) < _SHORTEST_PASSWORD:
                raise Misconfigured(f"setting {name}: {_SHORTEST_PASSWORD} characters or more expected")
        return hlapi.UsmUserData(
            self.text("user"),
            self.text("auth_password") if auth != "none" else None,
            self.text("priv_password") if priv != "none" else None,
            authProtocol=AUTH[auth],
            privProtocol=PRIV[priv],
        )
