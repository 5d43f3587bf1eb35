"""Who sends: the devices of some racks by the address that their messages come from."""

import ipaddress
import logging
import socket
import time
from collections.abc import Mapping
from functools import lru_cache

from devices.models import Device

logger = logging.getLogger(__name__)

# A name that could not be looked up is tried again after so many seconds, and no reload waits longer for DNS.
_ASK_DNS_AGAIN = 300.0
_DNS_SECONDS = 5.0
_MOST_STRANGERS_KNOWN = 4096


class Senders:
    """The devices of some racks (all when none is named) by address; `look_up`: DNS is asked for those without."""

    def __init__(self, racks: list[int], *, look_up: bool = False) -> None:
        self._racks = racks
        self._look_up = look_up
        self._by_address: Mapping[str, int] = {}
        # FQDN: its addresses, and when it may be asked for again.
        self._names: dict[str, tuple[frozenset[str], float]] = {}
        self._told: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._by_address)

    def device_at(self, address: str) -> int | None:
        """Give the device that sends from an address as the socket tells it; None where there is none, or several."""
        known = self._by_address.get(address)
        return known if known is not None else self._by_address.get(canonical(address))

    def reload(self, *, ask_dns: bool = True) -> None:
        """Read the devices again; raises what the database raises, and keeps what it knew then."""
        until = time.monotonic() + (_DNS_SECONDS if ask_dns else 0)
        devices = Device.objects.filter(rack__in=self._racks) if self._racks else Device.objects.all()
        rows = list(devices.order_by("pk").values_list("pk", "name", "fqdn", "address"))
        found: dict[str, set[int]] = {}
        for pk, _, _, address in rows:
            if address:
                found.setdefault(canonical(address), set()).add(pk)
        if self._look_up:
            for pk, _, fqdn, address in rows:
                for one in () if address else self._addresses(fqdn, until):
                    found.setdefault(one, set()).add(pk)
        self._warn(found, {pk: name for pk, name, _, _ in rows})
        self._by_address = {address: min(pks) for address, pks in found.items() if len(pks) == 1}

    def _addresses(self, fqdn: str, until: float) -> frozenset[str]:
        known, again = self._names.get(fqdn, (frozenset(), 0.0))
        now = time.monotonic()
        if known or now < again or now >= until:
            return known
        try:
            found = frozenset(canonical(str(info[4][0])) for info in socket.getaddrinfo(fqdn, None))
        except (OSError, UnicodeError) as error:
            logger.warning("%s has no address and can't be looked up, its log is lost: %s", fqdn, error)
            found = frozenset()
        self._names[fqdn] = (found, time.monotonic() + _ASK_DNS_AGAIN)
        return found

    def _warn(self, found: Mapping[str, set[int]], names: Mapping[int, str]) -> None:
        """Tell, once, of addresses that several devices have: nobody can say whose lines those are."""
        shared = {address: pks for address, pks in found.items() if len(pks) > 1}
        for address in shared.keys() - self._told:
            owners = ", ".join(sorted(names[pk] for pk in shared[address]))
            logger.warning("%s is the address of several devices, their logs are lost: %s", address, owners)
        self._told = frozenset(shared)


@lru_cache(_MOST_STRANGERS_KNOWN)
def canonical(address: str) -> str:
    """Give an address in its one form: without a zone, and IPv4 as such where it comes through an IPv6 socket."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)
