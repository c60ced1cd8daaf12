"""What a head means: its target, its body's framing, and what becomes of the connection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from fraiseql.errors import LimitExceeded, RemoteProtocolError
from fraiseql.protocol.http11.events import Headers, combine
from fraiseql.protocol.http11.grammar import PROTOCOL, TOKEN, TOKENS
from fraiseql.protocol.http11.target import PERCENT, SLASH, check_target, valid_host

__all__ = [
    "FORBIDDEN_TRAILERS",
    "MAX_LENGTH_DIGITS",
    "Answer",
    "Exchange",
    "Fields",
    "Line",
    "options",
    "protocols",
    "read_request",
    "read_response",
]

# Fields that hold one value only (RFC 9110, RFC 6265 §5.4 apart, RFC 6454, RFC 6455): two lines of one are ambiguous.
_SINGLE: Final = frozenset(
    (
        b"authorization",
        b"content-length",
        b"content-location",
        b"content-range",
        b"content-type",
        b"date",
        b"etag",
        b"from",
        b"host",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"last-modified",
        b"location",
        b"max-forwards",
        b"origin",
        b"proxy-authorization",
        b"range",
        b"referer",
        b"sec-websocket-accept",
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"user-agent",
    )
)
# What the codec itself asks for.
_ASKED: Final = frozenset((*_SINGLE, b"connection", b"expect", b"transfer-encoding", b"upgrade"))

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

Line: TypeAlias = tuple[bytes, bytes, bytes]
"""The parts of a first line."""
Fields: TypeAlias = dict[bytes, bytes] | Headers
"""Fields by name; or the field lines, where a name is repeated."""

MAX_LENGTH_DIGITS: Final = 20  # 64 bits: checked before int(), whose time grows with the square of the digits
# Registered codings (RFC 9112 §12.3 and §7.2), and `identity` of RFC 2616. None of them ends a request's body.
_KNOWN_CODINGS: Final = frozenset((b"chunked", b"compress", b"deflate", b"gzip", b"identity", b"x-compress", b"x-gzip"))


@dataclass(slots=True)
class Exchange:
    """What the codec must remember of a request: a value, never changed.

    Attributes:
        length: of the body in bytes; None where it is chunked.
        keep_alive: whether the client wants, and may have, another exchange on this connection.
        expects_continue: the client may wait for 100 before it sends the body.
        upgrades: protocols offered in Upgrade, in lower case; h2c is not among them (RFC 9110 §7.8 lets us ignore it).
        is_head: the answer has no body, whatever its fields say.
        is_http11: the client reads chunked bodies and interim answers.
        is_plain: the two do not restrict the answer.
    """

    length: int | None = 0
    keep_alive: bool = True
    expects_continue: bool = False
    upgrades: tuple[bytes, ...] = ()
    is_head: bool = False
    is_http11: bool = True
    is_plain: bool = True


class Answer(NamedTuple):
    """What the codec must know of a response.

    Attributes:
        status: 100 to 599.
        is_chunked: whether its body is, if it has one.
        length: of its body in bytes; None where this is not said.
        keep_alive: whether the server lets the connection stay.
        upgrades: protocols named in Upgrade, in lower case.
    """

    status: int
    is_chunked: bool
    length: int | None
    keep_alive: bool
    upgrades: tuple[bytes, ...]


_PLAIN: Final = Exchange()  # what most requests mean
_STAYING: Final = (None, b"keep-alive")  # of Connection


@lru_cache(maxsize=64)
def elements(value: bytes) -> tuple[bytes, ...]:
    """The elements of a comma-separated list in lower case (RFC 9110 §5.6.1); empty ones are kept."""
    return tuple([element.strip(b" \t") for element in value.lower().split(b",")])


@lru_cache(maxsize=64)
def options(value: bytes) -> tuple[bytes, ...]:
    """What a Connection lists, in lower case; raises RemoteProtocolError for what is no token (RFC 9110 §7.6.1)."""
    found = tuple([option for option in elements(value) if option])
    if not all(map(TOKEN.fullmatch, found)):
        raise RemoteProtocolError("bad Connection")
    return found


@lru_cache(maxsize=64)
def protocols(value: bytes) -> tuple[bytes, ...]:
    """What an Upgrade lists, in lower case; raises RemoteProtocolError for what names no protocol (RFC 9110 §7.8)."""
    found = tuple([protocol for protocol in elements(value) if protocol])
    if not all(map(PROTOCOL.fullmatch, found)):
        raise RemoteProtocolError("bad Upgrade")
    return found


def read_request(line: Line, fields: Fields) -> Exchange:
    """What a well-formed request head means for the codec.

    Args:
        line: method, target and minor version; all minor versions above 0 are treated as 1 (RFC 9110 §2.5).
        fields: the fields.

    Raises:
        RemoteProtocolError: the target or the fields contradict each other or the grammar (400), or ask for what is
            not there (417, 501).
    """
    method, target, minor = line
    if target[0] != SLASH or PERCENT in target or method == b"CONNECT":
        check_target(method, target)
    if not isinstance(fields, dict):
        fields = _combine_asked(fields)
    is_http11 = minor != b"0"
    host = fields.get(b"host")
    if host is None:
        if is_http11:
            raise RemoteProtocolError("no Host")  # RFC 9112 §3.2
    elif not valid_host(host):
        raise RemoteProtocolError("bad Host")  # RFC 9112 §3.2, RFC 9110 §7.2
    is_head = method == b"HEAD"
    if (
        is_http11
        and not is_head
        and b"content-length" not in fields
        and b"transfer-encoding" not in fields
        and b"expect" not in fields
        and b"upgrade" not in fields
        and fields.get(b"connection") in _STAYING
    ):
        return _PLAIN
    is_chunked, length = _framing(fields, is_http11)
    keep_alive, offers = _connection(fields, is_http11)
    has_body = is_chunked or bool(length)
    # RFC 9110 §10.1.1: ignored in HTTP/1.0
    expects = is_http11 and b"expect" in fields and _expects_continue(fields[b"expect"]) and has_body
    upgrades = tuple([offer for offer in offers if offer != b"h2c"])
    return Exchange(
        None if is_chunked else length or 0,
        keep_alive,
        expects,
        upgrades,
        is_head,
        is_http11,
        is_http11 and not is_head,
    )


def read_response(line: Line, fields: Fields) -> Answer:
    """What a well-formed response head means for the codec, whatever it answers.

    Args:
        line: minor version, status and reason.
        fields: the fields.

    Raises:
        RemoteProtocolError: the fields contradict each other or the grammar, or name a coding that is not chunked.
    """
    minor, status, _ = line
    if not isinstance(fields, dict):
        fields = _combine_asked(fields)
    is_http11 = minor != b"0"
    is_chunked, length = _framing(fields, is_http11)
    keep_alive, upgrades = _connection(fields, is_http11)
    return Answer(int(status), is_chunked, length, keep_alive, upgrades)


def _combine_asked(headers: Headers) -> dict[bytes, bytes]:
    """The fields that the codec asks for; raises RemoteProtocolError where one of a single value is repeated."""
    asked = tuple([field for field in headers if field[0] in _ASKED])
    single = [name for name, _ in asked if name in _SINGLE]
    if len(set(single)) != len(single):
        name = next(name for name in single if single.count(name) > 1)
        raise RemoteProtocolError(f"more than one {name.decode('ascii')}")  # RFC 9110 §5.3, §8.6; RFC 9112 §3.2
    return combine(asked)


def _framing(fields: dict[bytes, bytes], is_http11: bool) -> tuple[bool, int | None]:
    """Whether a body is chunked, and the length that is given for it.

    RFC 9112 §6.3, in its order; what it calls unrecoverable, and all that it lets a server refuse, is refused.
    """
    coding = fields.get(b"transfer-encoding")
    length = fields.get(b"content-length")
    if coding is not None:
        if not is_http11:
            raise RemoteProtocolError("Transfer-Encoding in HTTP/1.0")  # RFC 9112 §6.1
        if length is not None:
            raise RemoteProtocolError("both Transfer-Encoding and Content-Length")  # RFC 9112 §6.1
        if coding.lower() != b"chunked":
            raise _coding_fault(coding.lower())
        return True, None
    if length is None:
        return False, None
    if not length.isdigit():  # RFC 9110 §8.6: 1*DIGIT, and no list of equal values
        raise RemoteProtocolError("bad Content-Length")
    if len(length) > MAX_LENGTH_DIGITS:
        raise LimitExceeded("Content-Length has too many digits", status=413)
    return False, int(length)


def _coding_fault(value: bytes) -> RemoteProtocolError:
    """Which fault a Transfer-Encoding other than `chunked` is (RFC 9112 §6.1, §6.3-4.3, §7)."""
    if TOKENS.fullmatch(value) is None:  # empty elements and parameters too
        return RemoteProtocolError("bad Transfer-Encoding")
    codings = elements(value)
    if b"chunked" in codings[:-1]:
        return RemoteProtocolError("chunked is not the last coding, or is applied twice")
    if not _KNOWN_CODINGS.issuperset(codings) or codings[-1] == b"chunked":
        return RemoteProtocolError("this Transfer-Encoding is not implemented", status=501)
    return RemoteProtocolError("the last Transfer-Encoding is not chunked")


def _connection(fields: dict[bytes, bytes], is_http11: bool) -> tuple[bool, tuple[bytes, ...]]:
    """Whether the connection stays (RFC 9112 §9.3), and which protocols are named for a change (RFC 9110 §7.8)."""
    offers = protocols(fields[b"upgrade"]) if b"upgrade" in fields else ()
    value = fields.get(b"connection")
    if value is None:
        return is_http11, ()
    said = options(value)
    if b"close" in said:  # it wins over keep-alive
        return False, ()
    if not is_http11:  # Upgrade is ignored
        return b"keep-alive" in said, ()
    return True, offers if b"upgrade" in said else ()


def _expects_continue(value: bytes) -> bool:
    expectations = [expectation for expectation in elements(value) if expectation]
    if any(expectation != b"100-continue" for expectation in expectations):
        raise RemoteProtocolError("this expectation cannot be met", status=417)  # RFC 9110 §10.1.1
    return bool(expectations)
