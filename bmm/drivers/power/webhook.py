"""Whatever is switched by calling a URL: one for on, one for off, and mostly one that tells.

The settings mean what they mean in MAAS's webhook driver, so that what works there can be copied.
"""

import re
from collections.abc import Callable, Mapping
from typing import ClassVar
from urllib.parse import quote

from bmm.drivers.http import check_url
from bmm.drivers.power.base import OFF_SECONDS
from bmm.drivers.power.web_switch import PASSWORD, USER, VERIFY, Call, WebSwitch
from bmm.drivers.settings import SettingSpec
from bmm.errors import Misconfigured

_METHODS = ("GET", "POST", "PUT", "PATCH")
_HEADER = re.compile(r"([A-Za-z0-9-]{1,64}):[ \t]*([\x20-\x7e]*)")


class WebhookDriver(WebSwitch):
    """A switch behind three URLs, in which {address} and {outlet} are filled in."""

    outlet_pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
    outlet_grammar = "up to 64 letters, digits, and . _ - inside"
    settings: ClassVar[tuple[SettingSpec, ...]] = (
        SettingSpec("on_url", str, help="Called to switch on, such as http://{address}/{outlet}/on"),
        SettingSpec("off_url", str, help="Called to switch off."),
        SettingSpec("query_url", str, default="", help="Tells the state. Empty: switching is not verified."),
        SettingSpec("test_outlet", str, default="1", help="Its state is asked for by the test."),
        SettingSpec("on_pattern", str, default="status.*:.*running", help="Found where it is on."),
        SettingSpec("off_pattern", str, default="status.*:.*stopped", help="Found where it is off."),
        SettingSpec("method", str, default="POST", choices=_METHODS, help="Of the calls that switch."),
        SettingSpec("body", str, default="", help="Sent with them; {outlet} is filled in."),
        SettingSpec("query_method", str, default="GET", choices=_METHODS, help="Of the call that asks."),
        SettingSpec("headers", str, default="", secret=True, help="More headers, one `Name: value` a line."),
        USER,
        PASSWORD,
        SettingSpec("token", str, default="", secret=True, help="Sent as a bearer token; no user then."),
        VERIFY,
        OFF_SECONDS,
    )

    def __init__(
        self, address: str, settings: Mapping[str, object] | None = None, **more: Callable[[float], None]
    ) -> None:
        """Take what every driver takes; wrong URLs, patterns and headers are Misconfigured."""
        super().__init__(address, settings, **more)
        self.verifies = bool(self.text("query_url"))
        self.probe = self.check_outlet(self.text("test_outlet"))
        self._on, self._off = self._pattern("on_pattern"), self._pattern("off_pattern")
        self._headers = {**super().headers(), **self._own_headers()}
        for name in ("on_url", "off_url", "query_url"):
            if name != "query_url" or self.verifies:
                check_url(self._url(name, self.probe))

    def switching(self, outlet: str, on: bool) -> Call:
        """Call the URL for on or off."""
        body = self.text("body").replace("{outlet}", outlet)
        return Call(self.text("method"), self._url("on_url" if on else "off_url", outlet), body)

    def asking(self, outlet: str) -> Call:
        """Call the URL that tells."""
        return Call(self.text("query_method"), self._url("query_url", outlet))

    def understand(self, outlet: str, text: str) -> bool | None:
        """Look for the two patterns: just one of them must be there."""
        on, off = bool(self._on.search(text)), bool(self._off.search(text))
        return on if on != off else None

    def headers(self) -> dict[str, str]:
        """Give those of the settings."""
        return self._headers

    def _url(self, name: str, outlet: str) -> str:
        return self.text(name).replace("{address}", self.address).replace("{outlet}", quote(outlet, safe=""))

    def _pattern(self, name: str) -> re.Pattern[str]:
        try:
            return re.compile(self.text(name))
        except re.error as error:
            raise Misconfigured(f"setting {name}: a regular expression expected: {error}") from error

    def _own_headers(self) -> dict[str, str]:
        token = self.text("token")
        lines = [f"Authorization: Bearer {token}"] if token else []
        lines += [line.strip() for line in self.text("headers").splitlines() if line.strip()]
        found = [_HEADER.fullmatch(line) for line in lines]
        if not all(found):
            raise Misconfigured("settings headers and token: plain lines `Name: value` expected")
        return {header[1]: header[2] for header in found if header}
