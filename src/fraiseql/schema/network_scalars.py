"""Scalars for addresses of hosts, networks and network cards, written as PostgreSQL writes them."""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, Final

from fraiseql.schema.basic_scalars import as_it_is
from fraiseql.schema.scalar import FilterFamily, Scalar, excerpt

__all__ = ["NETWORK_SCALARS"]

_ADDRESS: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?")  # neither zones nor masks, which inet has not
_CARD: Final = re.compile(r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}", re.IGNORECASE)
_INTERFACES: Final = (IPv4Address, IPv6Address, IPv4Interface, IPv6Interface)


def _host(address: IPv4Address | IPv6Address) -> str:
    """The address; PostgreSQL shows an IPv4 address inside an IPv6 one with dots."""
    if isinstance(address, IPv6Address):
        number = int(address)
        high, low = number >> 32, number & 0xFFFFFFFF
        if high == 0xFFFF or (high == 0 and low > 0xFFFF):
            return f"::{'ffff:' if high else ''}{IPv4Address(low)}"
    return str(address)


def _inet(value: IPv4Interface | IPv6Interface) -> str:
    length = value.network.prefixlen
    return _host(value.ip) if length == value.max_prefixlen else f"{_host(value.ip)}/{length}"


def _parse_ip(value: Any) -> str:
    try:
        if isinstance(value, str) and _ADDRESS.fullmatch(value):
            return _inet(ip_interface(value))
    except ValueError:
        pass
    raise ValueError(f"IP cannot represent value: {excerpt(value)}; expected an address, as 10.0.0.1 or 10.0.0.1/24")


def _serialize_ip(value: Any) -> str:
    return _parse_ip(str(value) if isinstance(value, _INTERFACES) else value)


def _load_ip(value: str) -> Any:
    return ip_interface(value) if "/" in value else ip_address(value)


def _parse_cidr(value: Any) -> str:
    try:
        if isinstance(value, str) and _ADDRESS.fullmatch(value):
            network = ip_network(value)
            return f"{_host(network.network_address)}/{network.prefixlen}"
    except ValueError:
        pass
    raise ValueError(f"CIDR cannot represent value: {excerpt(value)}; expected a network, as 10.0.0.0/8")


def _serialize_cidr(value: Any) -> str:
    return _parse_cidr(str(value) if isinstance(value, (IPv4Network, IPv6Network)) else value)


def _parse_mac(value: Any) -> str:
    if not isinstance(value, str) or _CARD.fullmatch(value) is None:
        raise ValueError(f"MAC cannot represent value: {excerpt(value)}; expected an address, as 08:00:2b:01:02:03")
    return value.lower().replace("-", ":")


NETWORK_SCALARS: Final = (
    Scalar(
        "IP",
        "inet",
        _parse_ip,
        _serialize_ip,
        _load_ip,
        "The address of a host, IPv4 or IPv6; with the length of its network's prefix where it has one: `10.0.0.1/24`.",
        family=FilterFamily.NETWORK,
    ),
    Scalar(
        "CIDR",
        "cidr",
        _parse_cidr,
        _serialize_cidr,
        ip_network,
        "A network, IPv4 or IPv6: `10.0.0.0/8`.",
        family=FilterFamily.NETWORK,
    ),
    Scalar(
        "MAC",
        "macaddr",
        _parse_mac,
        _parse_mac,
        as_it_is,
        "The address of a network card: `08:00:2b:01:02:03`.",
    ),
)
