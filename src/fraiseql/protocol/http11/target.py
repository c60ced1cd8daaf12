"""The forms of a request target, and of the host in it or in Host."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from fraiseql.errors import RemoteProtocolError
from fraiseql.protocol.http11.grammar import HOST

__all__ = ["PERCENT", "SLASH", "check_target", "target_authority", "valid_host"]

SLASH, PERCENT = b"/%"  # as numbers: to look for one takes a tenth of the time
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]*+)(?:[/?].*+)?+", re.IGNORECASE)
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def check_target(method: bytes, target: bytes) -> None:
    """Raise RemoteProtocolError unless the target has the form that goes with the method (RFC 9112 §3.2)."""
    if method == b"CONNECT":
        host, _, port = target.rpartition(b":")
        if not host or not port.isdigit() or not valid_host(target):
            raise RemoteProtocolError("the target of CONNECT is not a host and a port")  # RFC 9112 §3.2.3
        raise RemoteProtocolError("CONNECT is not supported", status=501)  # RFC 9110 §9.3.6
    if PERCENT in target and _BAD_ESCAPE.search(target) is not None:
        raise RemoteProtocolError("bad percent-encoding in the target")  # RFC 3986 §2.1
    if target.startswith(b"/"):
        return
    if target == b"*":
        if method != b"OPTIONS":
            raise RemoteProtocolError("the target * goes with OPTIONS only")  # RFC 9112 §3.2.4
        return
    absolute = _ABSOLUTE.fullmatch(target)
    # RFC 9110 §4.2.1 and §4.2.4: no empty host, no user information
    if absolute is None or absolute[1][:1] in (b"", b":") or not valid_host(absolute[1]):
        raise RemoteProtocolError("the target is neither a path nor an http or https URI")


def target_authority(target: bytes) -> bytes | None:
    """Host and port that a valid target names; None where it has no absolute form."""
    absolute = None if target[0] == SLASH else _ABSOLUTE.fullmatch(target)
    return None if absolute is None else absolute[1]


@lru_cache(maxsize=64)
def valid_host(host: bytes) -> bool:
    """Whether this is `uri-host [":" port]`, possibly empty, without user information (RFC 9110 §7.2)."""
    found = HOST.fullmatch(host)
    if found is None:
        return False
    literal = found[1]
    if literal is None:
        return True
    if b"%" in literal:  # no zone of RFC 6874 in a Host
        return False
    try:  # IPvFuture of RFC 3986 has no version yet
        IPv6Address(literal.decode("latin-1"))
    except AddressValueError:
        return False
    return True
