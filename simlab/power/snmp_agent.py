"""A switch that speaks SNMP: an APC, Raritan or Eaton PDU, or an Ethernet switch with PoE.

Versions 1 and 2c with the communities `public` (reads) and `private` (writes), version 3 with the user `mozpool`
(SHA and AES, passwords `authentication` and `encryption`). Facts: PowerNet-MIB, PDU2-MIB, EATON-EPDU-MIB, RFC 3621.
"""

import asyncio
import json
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import cmdrsp, context
from pysnmp.proto import rfc1902, rfc1905
from pysnmp.smi import error, instrum

from simlab.power.outlets import Outlets, add_arguments, make_outlets

UPTIME = "1.3.6.1.2.1.1.3.0"
READER, WRITER, USER = "public", "private", "mozpool"


@dataclass(frozen=True)
class Kind:
    """A kind of switch: its variables that take orders, each with what its values mean, and the one that tells."""

    orders: dict[str, dict[int, bool]]
    state: str
    shows: dict[bool, int]


_APC = "1.3.6.1.4.1.318.1.1"
_RARITAN = "1.3.6.1.4.1.13742.6.4.1.2.1"
_EATON = "1.3.6.1.4.1.534.6.6.7.6.6.1"
_POE = "1.3.6.1.2.1.105.1.1.1.3"
KINDS = {
    "apc": Kind({f"{_APC}.12.3.3.1.1.4": {1: True, 2: False}}, f"{_APC}.12.3.5.1.1.4", {True: 1, False: 2}),
    "masterswitch": Kind(
        {f"{_APC}.4.4.2.1.3": {1: True, 2: False}}, f"{_APC}.4.4.2.1.3", {True: 1, False: 2}
    ),
    "raritan": Kind({f"{_RARITAN}.2": {1: True, 0: False}}, f"{_RARITAN}.3", {True: 7, False: 8}),
    "eaton": Kind({f"{_EATON}.4": {0: True}, f"{_EATON}.3": {0: False}}, f"{_EATON}.2", {True: 1, False: 0}),
    "poe": Kind({_POE: {1: True, 2: False}}, _POE, {True: 1, False: 2}),
}


class Variables(instrum.AbstractMibInstrumController):  # type: ignore[misc]  # pysnmp has no types
    """The agent's variables."""

    def __init__(self, kind: Kind, outlets: Outlets) -> None:
        self._kind = kind
        self._outlets = outlets

    def read_variables(self, *variables: Any, **asked: Any) -> list[Any]:
        """Answers a GET."""
        return [(name, self._read(str(name))) for name, _ in variables]

    def write_variables(self, *variables: Any, **asked: Any) -> list[Any]:
        """Answers a SET."""
        for place, (name, value) in enumerate(variables):
            # As the library's own controller does: who may not write is told so before anything moves.
            denied: Callable[..., Any] = asked["acFun"]
            if denied("write", (name, value), **asked):
                raise error.NoAccessError(idx=place)
            self._write(str(name), int(value), place)
        return list(variables)

    def _read(self, oid: str) -> Any:
        if oid == UPTIME:
            return rfc1902.TimeTicks(4711)
        outlet = self._outlet(oid, self._kind.state)
        if outlet is None:
            return rfc1905.noSuchInstance
        return rfc1902.Integer32(self._kind.shows[self._outlets.is_on(outlet)])

    def _write(self, oid: str, value: int, place: int) -> None:
        for column, meanings in self._kind.orders.items():
            outlet = self._outlet(oid, column)
            if outlet is None:
                continue
            if value not in meanings:
                raise error.WrongValueError(idx=place)
            self._outlets.switch(outlet, meanings[value])
            return
        raise error.NoCreationError(idx=place)

    def _outlet(self, oid: str, column: str) -> str | None:
        outlet = oid.removeprefix(f"{column}.")
        return outlet if outlet != oid and outlet in self._outlets else None


def serve(kind: Kind, outlets: Outlets, host: str, port: int) -> None:
    """Answers until it is ended."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    agent = engine.SnmpEngine()
    config.add_transport(agent, udp.DOMAIN_NAME, udp.UdpTransport().open_server_mode((host, port)))
    config.add_v1_system(agent, READER, READER)
    config.add_v1_system(agent, WRITER, WRITER)
    config.add_v3_user(
        agent, USER, config.USM_AUTH_HMAC96_SHA, "authentication", config.USM_PRIV_CFB128_AES, "encryption"
    )
    everything = (1, 3, 6)
    for model in (1, 2):
        # Without any view of what it may write, the library lets it write all.
        config.add_vacm_user(agent, model, READER, "noAuthNoPriv", everything, (1, 3, 6, 1, 2, 1, 1))
        config.add_vacm_user(agent, model, WRITER, "noAuthNoPriv", everything, everything)
    config.add_vacm_user(agent, 3, USER, "authPriv", everything, everything)
    known = context.SnmpContext(agent)
    known.unregister_context_name(b"")
    known.register_context_name(b"", Variables(kind, outlets))
    cmdrsp.GetCommandResponder(agent, known)
    cmdrsp.SetCommandResponder(agent, known)
    print(json.dumps({"listening": f"{host}:{port}"}), flush=True)
    agent.transport_dispatcher.job_started(1)
    agent.open_dispatcher()


def main() -> None:
    """Reads the command line."""
    parser = ArgumentParser(prog="python -m simlab.power.snmp_agent", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    add_arguments(parser, "1,2,3,4,5,6,7,8")
    arguments = parser.parse_args()
    serve(KINDS[arguments.kind], make_outlets(arguments), arguments.host, arguments.port)


if __name__ == "__main__":
    main()
