"""Reads devices out of NetBox by pynetbox, with their first interface and power port beside them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from devices.inventory.declared import Source, fields_of
from devices.inventory.errors import NoAnswerError
from devices.inventory.web import SILENCE_SECONDS

# NetBox gives no more than 1000 at a time unless it is told to (MAX_PAGE_SIZE).
_PAGE = 500
# Lists of NetBox that belong to devices, by the word that begins a path into them.
_BESIDE = {"interface": "interfaces", "power_port": "power_ports"}


def from_netbox(source: Source) -> list[tuple[str, Any]]:
    """Give NetBox's devices as it sends them, with `interface` and `power_port`. Raises NoAnswerError."""
    try:
        import pynetbox  # type: ignore[import-untyped]  # noqa: PLC0415 - only who has a NetBox needs it
        import requests  # noqa: PLC0415 - comes with pynetbox
    except ImportError:
        raise NoAnswerError("pynetbox is not installed: pip install -r requirements-inventory.txt") from None
    api = pynetbox.api(source.url.rstrip("/"), token=source.token or None)
    api.http_session = _session(requests, source.url)
    try:
        devices = _all(api.dcim.devices, source.filters)
        beside = {word: _first_of_each(api, word, source) for word in _BESIDE if _wanted(source, word)}
    except (pynetbox.RequestError, pynetbox.ContentError) as error:
        told = error.error if isinstance(error, pynetbox.ContentError) else _told(error)
        raise NoAnswerError(f"{source.url}: {told}") from None
    except requests.RequestException as error:
        raise NoAnswerError(f"{source.url} gave no whole answer: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # What pynetbox stumbles over when JSON comes that no NetBox sends.
        raise NoAnswerError(f"{source.url} does not answer as a NetBox does ({error!r})") from None
    return [
        (
            f"NetBox device {device['id']}",
            {**device, **{word: of.get(device["id"]) for word, of in beside.items()}},
        )
        for device in devices
    ]


def _told(error: Any) -> str:
    return f"NetBox answered {error.req.status_code} {error.req.reason} to {error.base}"


def _all(endpoint: Any, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Fetch all pages; raise NoAnswerError when they are not as many things as NetBox counts."""
    rows = endpoint.filter(limit=_PAGE, **filters) if filters else endpoint.all(limit=_PAGE)
    # As they were sent: pynetbox's own objects take a second for every thousand, and ask again for what they lack.
    found = list(rows.response)
    if not all(isinstance(row, dict) and isinstance(row.get("id"), int) for row in found):
        raise NoAnswerError(f"{endpoint.url} does not answer as a NetBox does")
    if len({row["id"] for row in found}) != len(rows):
        raise NoAnswerError(
            f"{endpoint.url} counts {len(rows)} and sent {len(found)}: did somebody edit? Try again"
        )
    return found


def _wanted(source: Source, word: str) -> bool:
    return any(path.startswith(f"{word}.") or f"{{{word}." in path for path in fields_of(source).values())


def _first_of_each(api: Any, word: str, source: Source) -> dict[int, Any]:
    """Give, by device, the first interface or power port by name that is of use, eth2 before eth10."""
    filters = source.interface_filters if word == "interface" else source.power_port_filters
    useful = _may_boot if word == "interface" else _leads_to_outlet
    rows: Iterable[dict[str, Any]] = sorted(_all(getattr(api.dcim, _BESIDE[word]), filters), key=_by_name)
    found: dict[int, Any] = {}
    for row in rows:
        if isinstance(row.get("device"), dict) and useful(row):
            found.setdefault(row["device"]["id"], row)
    return found


def _by_name(row: Mapping[str, Any]) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]{1,18})", str(row.get("name")))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _may_boot(interface: Mapping[str, Any]) -> bool:
    """Whether an interface may be a network card: a bridge has zeros only, and one for management is a BMC's."""
    return bool(str(interface.get("mac_address") or "").strip("0:.-")) and not interface.get("mgmt_only")


def _leads_to_outlet(port: Mapping[str, Any]) -> bool:
    """Whether a power port hangs on an outlet, and not on a feed."""
    leads_to = port.get("connected_endpoints_type") or "dcim.poweroutlet"
    return bool(port.get("connected_endpoints")) and leads_to == "dcim.poweroutlet"


def _session(requests: Any, url: str) -> Any:
    """Give a session that waits no longer than is sensible, and takes the token to the declared host only."""
    declared = urlsplit(url)[:2]

    class Session(requests.Session):  # type: ignore[misc]  # the module is loaded on demand
        """Refuses to go elsewhere, by redirection or as the next page."""

        def request(self, method: str, url: str, **options: Any) -> Any:
            if urlsplit(url)[:2] != declared:
                raise NoAnswerError(f"NetBox names {url} as its next page, which is elsewhere")
            return super().request(
                method, url, timeout=SILENCE_SECONDS, **{**options, "allow_redirects": False}
            )

    return Session()
