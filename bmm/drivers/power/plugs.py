"""Plugs and relays with Wi-Fi or Ethernet that people buy for little money: Tasmota, and Shelly of both generations.

Sources: tasmota.github.io/docs/Commands (HTTP requests, `Power<x>`), shelly-api-docs.shelly.cloud (gen1 `/relay/{i}`;
gen2 `Switch.Set`, `Switch.GetStatus`, General/Authentication).
"""

import http.client
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

from bmm.deadline import Deadline
from bmm.drivers.digest import digest_auth
from bmm.drivers.http import NotThere, Reply
from bmm.drivers.power.base import OFF_SECONDS
from bmm.drivers.power.web_switch import PASSWORD, USER, VERIFY, Call, WebSwitch
from bmm.drivers.settings import SettingSpec
from bmm.errors import Misconfigured

# "Argument 'id', value 5 not found", with the status 404 or 500.
_NO_SUCH_ID = -105

_HTTPS = SettingSpec("https", bool, default=False, help="Whether it speaks https.")


class Plug(WebSwitch):
    """A plug or a strip of them at one address."""

    settings: ClassVar[tuple[SettingSpec, ...]] = (USER, PASSWORD, _HTTPS, VERIFY, OFF_SECONDS)

    def _get(self, path: str, **query: str) -> Call:
        scheme = "https" if self.values["https"] else "http"
        return Call("GET", f"{scheme}://{self.address}{path}?{urlencode(query, quote_via=quote)}")


class TasmotaDriver(Plug):
    """Tasmota; its outlets are relays, counted from 1. It takes its password in the query."""

    outlet_pattern = re.compile(r"[1-9]|[12][0-9]|3[0-2]", re.ASCII)
    outlet_grammar = "1 to 32"

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Switch a relay that is there: told of one that it lacks, Tasmota switches its first."""
        self.get(outlet, deadline)
        super().set(outlet, on, deadline)

    def switching(self, outlet: str, on: bool) -> Call:
        """Send `Power<x> ON` or `OFF`."""
        return self._command(f"Power{outlet} {'ON' if on else 'OFF'}")

    def asking(self, outlet: str) -> Call:
        """Send `Power<x>`."""
        return self._command(f"Power{outlet}")

    def accept(self, outlet: str, text: str) -> None:
        """Look for the relay's name: the answer tells its new state."""
        if self.understand(outlet, text) is None:
            raise self.garbled(outlet, text)

    def understand(self, outlet: str, text: str) -> bool | None:
        """Read {"POWER2": "ON"}, or {"POWER": "ON"} where there is only one; the two words may be written small."""
        answer = _object(text)
        if "WARNING" in answer:
            # With the status 200, up to its release 8.2.
            raise Misconfigured(f"{self.address} does not accept our user and password")
        if answer.get("Command") in ("Unknown", "Error"):
            raise NotThere(f"{self.address} has no relay {outlet}")
        word = answer.get(f"POWER{outlet}", answer.get("POWER") if outlet == "1" else None)
        return {"ON": True, "OFF": False}.get(str(word).upper())

    def headers(self) -> dict[str, str]:
        """Return none: the password is in the query."""
        return {}

    def _command(self, command: str) -> Call:
        user = self.text("user")
        login = {"user": user, "password": self.text("password")} if user else {}
        return self._get("/cm", **login, cmnd=command)


class ShellyDriver(Plug):
    """Shelly of the first generation; its outlets are relays, counted from 0."""

    outlet_pattern = re.compile(r"[0-9]", re.ASCII)
    outlet_grammar = "0 to 9"
    probe = "0"

    def switching(self, outlet: str, on: bool) -> Call:
        """Call /relay/0?turn=on or off."""
        return self._get(f"/relay/{outlet}", turn="on" if on else "off")

    def asking(self, outlet: str) -> Call:
        """Call /relay/0."""
        return self._get(f"/relay/{outlet}")

    def understand(self, outlet: str, text: str) -> bool | None:
        """Read {"ison": true}."""
        return _truth(_object(text).get("ison"))

    def accept(self, outlet: str, text: str) -> None:
        """Look for the state that it answers with."""
        if self.understand(outlet, text) is None:
            raise self.garbled(outlet, text)


class Shelly2Driver(ShellyDriver):
    """Shelly of the second generation and later, by its RPC, with digest authentication where it asks for that."""

    def switching(self, outlet: str, on: bool) -> Call:
        """Call Switch.Set."""
        return self._get("/rpc/Switch.Set", id=outlet, on="true" if on else "false")

    def asking(self, outlet: str) -> Call:
        """Call Switch.GetStatus."""
        return self._get("/rpc/Switch.GetStatus", id=outlet)

    def understand(self, outlet: str, text: str) -> bool | None:
        """Read {"id": 0, "output": true}."""
        answer = _object(text)
        return _truth(answer.get("output")) if answer.get("id") == int(outlet) else None

    def accept(self, outlet: str, text: str) -> None:
        """Look for what it was before."""
        if _truth(_object(text).get("was_on")) is None:
            raise self.garbled(outlet, text)

    def exchange(self, what: Call, deadline: Deadline, login: Mapping[str, str] | None = None) -> Reply:
        """Log in when asked to; its only user is `admin`."""
        reply = super().exchange(what, deadline, login)
        if reply.status == http.client.UNAUTHORIZED and self.text("password"):
            parts = urlsplit(what.url)
            user, target = self.text("user") or "admin", f"{parts.path}?{parts.query}"
            answer = digest_auth(reply.challenge, what.method, target, user, self.text("password"))
            reply = super().exchange(what, deadline, answer)
        if _object(reply.text).get("code") == _NO_SUCH_ID:
            raise NotThere(f"{reply.where} answered {reply.status}: {reply.text[:100]}")
        return reply

    def headers(self) -> dict[str, str]:
        """Return none: it takes no password in the clear."""
        return {}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
