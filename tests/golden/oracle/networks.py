"""Addresses and networks, as PostgreSQL compares and shows them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import total_ordering
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_interface

__all__ = ["SPECIAL", "Interface", "NetworkKey", "is_within", "network_text", "read_interface"]

Interface = IPv4Interface | IPv6Interface


def read_interface(text: str) -> Interface:
    """Address and prefix length."""
    return ip_interface(text)


_SPECIAL: Mapping[str, tuple[str, ...]] = {
    "isPrivate": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "isLoopback": ("127.0.0.0/8", "::1/128"),
    "isLinkLocal": ("169.254.0.0/16", "fe80::/10"),
    "isMulticast": ("224.0.0.0/4", "ff00::/8"),
    "isCarrierGrade": ("100.64.0.0/10",),
    "isDocumentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"),
}
SPECIAL: Mapping[str, tuple[Interface, ...]] = {
    name: tuple(map(ip_interface, networks)) for name, networks in _SPECIAL.items()
}
"""The networks with a meaning of their own, as IANA's registries list them."""


def network_text(value: Interface, *, always: bool = False) -> str:
    """The length of the prefix is left out where it is the whole address, unless `always`."""
    number = int(value.ip)
    is_mapped = value.version == 6 and number >> 32 == 0xFFFF
    host = f"::ffff:{IPv4Address(number & 0xFFFFFFFF)}" if is_mapped else value.ip.compressed
    length = value.network.prefixlen
    return f"{host}/{length}" if always or length < value.max_prefixlen else host


def is_within(inner: Interface, outer: Interface) -> bool:
    """Whether it is the network, or lies in it."""
    return inner.version == outer.version and _shared(inner, outer) == outer.network.prefixlen


def _shared(one: Interface, other: Interface) -> int:
    """How many bits of the prefixes are the same."""
    least = min(one.network.prefixlen, other.network.prefixlen)
    difference = (int(one.ip) ^ int(other.ip)) >> (one.max_prefixlen - least)
    return least - difference.bit_length()


def _compare(one: Interface, other: Interface) -> int:
    """By version, by what both prefixes have, by their lengths, by the addresses."""
    if one.version != other.version:
        return one.version - other.version
    least = min(one.network.prefixlen, other.network.prefixlen)
    unequal = one.max_prefixlen - least
    for left, right in (
        (int(one.ip) >> unequal, int(other.ip) >> unequal),
        (one.network.prefixlen, other.network.prefixlen),
        (int(one.ip), int(other.ip)),
    ):
        if left != right:
            return 1 if left > right else -1
    return 0


@total_ordering
class NetworkKey:
    """In PostgreSQL's order."""

    __slots__ = ("_value",)

    def __init__(self, value: Interface) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkKey) and _compare(self._value, other._value) == 0

    def __lt__(self, other: NetworkKey) -> bool:
        return _compare(self._value, other._value) < 0

    __hash__ = None  # type: ignore[assignment]
