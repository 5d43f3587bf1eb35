"""Plugs and relays with Wi-Fi or Ethernet that people buy for little money: Tasmota, and Shelly of both generations.

Sources: tasmota.github.io/docs/Commands (HTTP requests, `Power<x>`), shelly-api-docs.shelly.cloud (gen1 `/relay/{i}`;
gen2 `Switch.Set` and `Switch.GetStatus`).
"""

import json
import re
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from bmm.drivers.power.base import OFF_SECONDS
from bmm.drivers.power.web_switch import PASSWORD, USER, VERIFY, Call, WebSwitch
from bmm.drivers.settings import SettingSpec

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

    def switching(self, outlet: str, on: bool) -> Call:
        """Send `Power<x> ON` or `OFF`."""
        return self._command(f"Power{outlet} {'ON' if on else 'OFF'}")

    def asking(self, outlet: str) -> Call:
        """Send `Power<x>`."""
        return self._command(f"Power{outlet}")

    def understand(self, text: str) -> bool | None:
        """Read {"POWER": "ON"}, or POWER1 where there are several."""
        answer = _object(text)
        words = [value for name, value in answer.items() if re.fullmatch(r"POWER\d*", name)]
        return {"ON": True, "OFF": False}.get(str(words[0])) if len(words) == 1 else None

    def headers(self) -> dict[str, str]:
        """Give none: the password is in the query."""
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

    def understand(self, text: str) -> bool | None:
        """Read {"ison": true}."""
        return _truth(_object(text).get("ison"))


class Shelly2Driver(ShellyDriver):
    """Shelly of the second generation and later, by its RPC. Leave it without a password: its digest is not spoken."""

    def switching(self, outlet: str, on: bool) -> Call:
        """Call Switch.Set."""
        return self._get("/rpc/Switch.Set", id=outlet, on="true" if on else "false")

    def asking(self, outlet: str) -> Call:
        """Call Switch.GetStatus."""
        return self._get("/rpc/Switch.GetStatus", id=outlet)

    def understand(self, text: str) -> bool | None:
        """Read {"output": true}."""
        return _truth(_object(text).get("output"))


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
