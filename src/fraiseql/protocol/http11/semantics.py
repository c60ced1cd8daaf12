"""What a request's head means: its target, its body's framing, and what becomes of the connection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from fraiseql.errors import LimitExceeded, RemoteProtocolError
from fraiseql.protocol.http11.events import Headers
from fraiseql.protocol.http11.grammar import HOST, TOKEN

__all__ = ["FORBIDDEN_TRAILERS", "Exchange", "check_target", "elements", "examine", "valid_host"]

# Fields that hold one value only (RFC 9110, RFC 6265 §5.4 apart, RFC 6454, RFC 6455): two lines of one are ambiguous.
_SINGLE: Final = (
    b"authorization",
    b"content-length",
    b"content-location",
    b"content-range",
    b"content-type",
    b"date",
    b"from",
    b"host",
    b"if-modified-since",
    b"if-range",
    b"if-unmodified-since",
    b"max-forwards",
    b"origin",
    b"proxy-authorization",
    b"range",
    b"referer",
    b"sec-websocket-key",
    b"sec-websocket-version",
    b"user-agent",
)

# RFC 9110 §6.5.1: framing, routing, modifiers, authentication and what tells how to read the content.
FORBIDDEN_TRAILERS: Final = frozenset(
    (
        *_SINGLE,
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"cookie",
        b"expect",
        b"if-match",
        b"if-none-match",
        b"keep-alive",
        b"proxy-connection",
        b"set-cookie",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)

_MAX_LENGTH_DIGITS: Final = 20  # 64 bits: checked before int(), whose time grows with the square of the digits
# Registered codings (RFC 9112 §12.3 and §7.2), and `identity` of RFC 2616. None of them ends a request's body.
_KNOWN_CODINGS: Final = frozenset((b"chunked", b"compress", b"deflate", b"gzip", b"identity", b"x-compress", b"x-gzip"))
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]*+)(?:[/?].*+)?+", re.IGNORECASE)
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(slots=True)
class Exchange:
    """What the codec must remember of a request.

    Attributes:
        length: of the body; None where it is chunked.
        keep_alive: whether the peer wants, and may have, another exchange on this connection.
        expects_continue: the peer may wait for 100 before it sends the body.
        upgrades: protocols offered in Upgrade, in lower case; h2c is not among them (RFC 9110 §7.8 lets us ignore it).
        is_head: the answer has no body, whatever its fields say.
        is_http11: the peer reads chunked bodies and interim answers.
    """

    length: int | None = 0
    keep_alive: bool = True
    expects_continue: bool = False
    upgrades: tuple[bytes, ...] = ()
    is_head: bool = False
    is_http11: bool = True


def elements(value: bytes) -> list[bytes]:
    """The elements of a comma-separated list in lower case (RFC 9110 §5.6.1); empty ones are kept."""
    return [element.strip(b" \t").lower() for element in value.split(b",")]


def check_target(method: bytes, target: bytes) -> None:
    """Raise RemoteProtocolError unless the target has the form that goes with the method (RFC 9112 §3.2)."""
    if method == b"CONNECT":
        host, _, port = target.rpartition(b":")
        if not host or not port.isdigit() or not valid_host(target):
            raise RemoteProtocolError("the target of CONNECT is not a host and a port")  # RFC 9112 §3.2.3
        raise RemoteProtocolError("CONNECT is not supported", status=501)  # RFC 9110 §9.3.6
    if b"%" in target and _BAD_ESCAPE.search(target) is not None:
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


def examine(method: bytes, minor: int, headers: Headers, fields: dict[bytes, bytes]) -> Exchange:
    """What a valid head means for the codec.

    Args:
        method: the method.
        minor: the minor version; all above 0 are treated as 1 (RFC 9110 §2.5).
        headers: the field lines.
        fields: the same, combined by name.

    Raises:
        RemoteProtocolError: the fields contradict each other or the grammar (400), or ask for what is not there
            (417, 501).
    """
    if len(fields) != len(headers):
        _check_single(headers)
    is_http11 = minor > 0
    host = fields.get(b"host")
    if host is None:
        if is_http11:
            raise RemoteProtocolError("no Host")  # RFC 9112 §3.2
    elif not valid_host(host):
        raise RemoteProtocolError("bad Host")  # RFC 9112 §3.2, RFC 9110 §7.2
    exchange = Exchange(_body_length(fields, is_http11), is_http11, False, (), method == b"HEAD", is_http11)
    options = fields.get(b"connection")
    if options is not None:
        _read_connection(exchange, elements(options), fields)
    if b"expect" in fields and is_http11:  # RFC 9110 §10.1.1: ignored in HTTP/1.0
        exchange.expects_continue = _expects_continue(fields[b"expect"]) and exchange.length != 0
    return exchange


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


def _check_single(headers: Headers) -> None:
    names = [name for name, _ in headers]
    for name in _SINGLE:
        if names.count(name) > 1:
            raise RemoteProtocolError(f"more than one {name.decode('ascii')}")  # RFC 9110 §5.3, §8.6; RFC 9112 §3.2


def _body_length(fields: dict[bytes, bytes], is_http11: bool) -> int | None:
    """RFC 9112 §6.3, in its order; what it calls unrecoverable, and all that it lets a server refuse, is refused."""
    coding = fields.get(b"transfer-encoding")
    length = fields.get(b"content-length")
    if coding is not None:
        if not is_http11:
            raise RemoteProtocolError("Transfer-Encoding in HTTP/1.0")  # RFC 9112 §6.1
        if length is not None:
            raise RemoteProtocolError("both Transfer-Encoding and Content-Length")  # RFC 9112 §6.1
        if coding.lower() != b"chunked":
            raise _coding_fault(elements(coding))
        return None
    if length is None:
        return 0
    if not length.isdigit():  # RFC 9110 §8.6: 1*DIGIT, and no list of equal values
        raise RemoteProtocolError("bad Content-Length")
    if len(length) > _MAX_LENGTH_DIGITS:
        raise LimitExceeded("Content-Length has too many digits", status=413)
    return int(length)


def _coding_fault(codings: list[bytes]) -> RemoteProtocolError:
    """Which fault a Transfer-Encoding other than `chunked` is (RFC 9112 §6.1, §6.3-4.3, §7)."""
    if any(TOKEN.fullmatch(coding) is None for coding in codings):  # empty elements and parameters too
        return RemoteProtocolError("bad Transfer-Encoding")
    if b"chunked" in codings[:-1]:
        return RemoteProtocolError("chunked is not the last coding, or is applied twice")
    if not _KNOWN_CODINGS.issuperset(codings) or codings[-1] == b"chunked":
        return RemoteProtocolError("this Transfer-Encoding is not implemented", status=501)
    return RemoteProtocolError("the last Transfer-Encoding is not chunked")


def _read_connection(exchange: Exchange, options: list[bytes], fields: dict[bytes, bytes]) -> None:
    if b"close" in options:  # RFC 9112 §9.3: it wins over keep-alive
        exchange.keep_alive = False
    elif b"keep-alive" in options:
        exchange.keep_alive = True
    if b"upgrade" in options and exchange.keep_alive and exchange.is_http11:
        # RFC 9110 §7.8: ignored in HTTP/1.0
        offers = elements(fields.get(b"upgrade", b""))
        exchange.upgrades = tuple([offer for offer in offers if offer not in (b"", b"h2c")])


def _expects_continue(value: bytes) -> bool:
    expectations = [expectation for expectation in elements(value) if expectation]
    if any(expectation != b"100-continue" for expectation in expectations):
        raise RemoteProtocolError("this expectation cannot be met", status=417)  # RFC 9110 §10.1.1
    return bool(expectations)
