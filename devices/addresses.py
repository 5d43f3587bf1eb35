"""Which MAC and IP addresses a device can have: those of one network card, and of one host that answers by IPv4.

IPv6 is refused everywhere: PXELINUX, U-Boot's `pxe` and the relay boards of this field do not speak it, so that a pool
with it would still need IPv4 for each device.
"""

import ipaddress

from django.core.exceptions import ValidationError

from devices.names import MAC

IPV6 = "IPv6 is not spoken here: an IPv4 address expected"
_NOT_ONE_HOST = {
    "0.0.0.0/8": "it stands for no host",
    "224.0.0.0/4": "it is a multicast group's",
    "255.255.255.255/32": "it is the broadcast address",
    "240.0.0.0/4": "it is reserved",
}
_NETWORKS = {ipaddress.IPv4Network(text): why for text, why in _NOT_ONE_HOST.items()}
# The last network with an address for itself and one for broadcasts.
_LONGEST_PREFIX = 30


def why_no_mac(mac: str) -> str:
    """Return why no network card has a MAC address of twelve hex digits; nothing where one may."""
    if not int(mac, 16):
        return "it is all zeros"
    if int(mac[:2], 16) & 1:
        return "it is the broadcast address" if mac == "f" * 12 else "it is a multicast group's"
    return ""


def read_address(text: str) -> str:
    """Return the IPv4 address of one host, as written, perhaps with the length of its network behind it.

    Raise ValueError with what was expected instead.
    """
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        raise ValueError("an IPv4 address expected") from None
    if isinstance(interface, ipaddress.IPv6Interface):
        raise ValueError(IPV6)  # noqa: TRY004 - one error for all junk
    why = next((why for network, why in _NETWORKS.items() if interface.ip in network), "")
    if interface.network.prefixlen <= _LONGEST_PREFIX:
        if interface.ip == interface.network.network_address:
            why = why or f"it is that of the network {interface.network}"
        elif interface.ip == interface.network.broadcast_address:
            why = why or f"it is the broadcast address of {interface.network}"
    if why:
        raise ValueError(f"the IPv4 address of one host expected ({why})")
    return str(interface.ip)


def is_loopback(host: str) -> bool:
    """Whether an IPv4 address or a host name is this machine's own, on whatever machine."""
    return host.startswith("127.") or host.lower().rpartition(".")[2] == "localhost"


def is_number(host: str) -> bool:
    """Whether a host name can only be meant as an address: no top-level domain is all digits (RFC 3696)."""
    return host.rpartition(".")[2].isdecimal()


def why_not_in(address: str, rack_address: str, servers: dict[str, str]) -> str:
    """Return why no device of a rack has an address or name; `servers` names the racks of imaging servers' addresses.

    A simulated rack, whose imaging server is at a loopback address, has its devices there, too.
    """
    if is_loopback(address):
        return "" if is_loopback(rack_address) else f"{address} is each machine's own address, no device's"
    return f"{address} is the imaging server of rack {servers[address]}" if address in servers else ""


def validate_card(mac: str) -> None:
    """Raise ValidationError for a MAC address that no network card has."""
    if MAC.fullmatch(mac) and (why := why_no_mac(mac)):
        raise ValidationError(f"No network card has this MAC address: {why}.")


def validate_fqdn(name: str) -> None:
    """Raise ValidationError for an address in the place of a name."""
    if is_number(name):
        raise ValidationError("A host name, please; an address belongs into its own field.")


def validate_address(address: str) -> None:
    """Raise ValidationError for what is not the IPv4 address of one host."""
    try:
        read_address(address)
    except ValueError as error:
        told = str(error)
        raise ValidationError(f"{told[:1].upper()}{told[1:]}.") from None


def validate_url(url: str) -> None:
    """Raise ValidationError for a URL whose host is an IPv6 address."""
    if "[" in url.partition("://")[2].partition("/")[0]:
        raise ValidationError(f"{IPV6}, or a host name.")
