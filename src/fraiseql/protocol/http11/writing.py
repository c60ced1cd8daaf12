"""Turns answers into bytes, and refuses what could not be read back as the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Final, Protocol

from fraiseql.errors import LocalProtocolError
from fraiseql.protocol.http11.events import Headers
from fraiseql.protocol.http11.grammar import FIELD_VALUE, TOKEN
from fraiseql.protocol.http11.semantics import FORBIDDEN_TRAILERS, elements

__all__ = [
    "BodyWriter",
    "CheckedFields",
    "ChunkedWriter",
    "HiddenWriter",
    "LengthWriter",
    "UntilCloseWriter",
    "check_fields",
    "connection_line",
    "date_line",
    "frame",
    "status_line",
]

_MAX_CACHED: Final = 128  # most servers use a handful of header sets

_NO_CONTENT: Final = frozenset((204, 205, 304))  # RFC 9110 §15.3.5, §15.3.6, §15.4.5: never a body

_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}


def status_line(status: int, reason: bytes) -> bytes:
    """RFC 9112 §4; the version is ours, whatever the peer's is (RFC 9110 §6.2)."""
    if not reason:
        known = _STATUS_LINES.get(status)
        if known is not None:
            return known
    elif FIELD_VALUE.fullmatch(reason) is None:
        raise LocalProtocolError("the reason holds a control character, or white space around it")
    return b"HTTP/1.1 %d %s\r\n" % (status, reason)


@lru_cache(maxsize=4)
def date_line(date: bytes) -> bytes:
    """The Date field (RFC 9110 §6.6.1); one value serves for a second."""
    if FIELD_VALUE.fullmatch(date) is None:
        raise LocalProtocolError("bad Date")
    return b"date: %b\r\n" % date


@dataclass(frozen=True, slots=True)
class CheckedFields:
    """Fields that are safe to send.

    Attributes:
        block: their lines, Connection and Transfer-Encoding apart.
        length: the value of Content-Length.
        is_chunked: whether Transfer-Encoding said so.
        has_date: whether there is a Date.
        close: whether Connection said so.
        options: what else Connection said, except keep-alive, which is for the machine to say.
        upgrade: the value of Upgrade, in lower case.
    """

    block: bytes
    length: int | None
    is_chunked: bool
    has_date: bool
    close: bool
    options: tuple[bytes, ...]
    upgrade: bytes | None


@lru_cache(maxsize=_MAX_CACHED)
def check_fields(headers: Headers) -> CheckedFields:
    """Check and encode fields.

    Raises:
        LocalProtocolError: a name or value would split the message or is not in the grammar (RFC 9110 §5), or the
            fields that frame the body are repeated, malformed or contradict each other (RFC 9112 §6).
    """
    lines: list[bytes] = []
    special: dict[bytes, bytes] = {}
    options: list[bytes] = []
    for name, value in headers:
        if TOKEN.fullmatch(name) is None:
            raise LocalProtocolError(f"not a field name: {name!r}")
        if FIELD_VALUE.fullmatch(value) is None:
            raise LocalProtocolError(f"the value of {name!r} holds a control character, or white space around it")
        key = name.lower()
        if key == b"connection":
            options += [option for option in elements(value) if option]
            continue
        if key in (b"content-length", b"transfer-encoding", b"date", b"upgrade"):
            if key in special:
                raise LocalProtocolError(f"more than one {key.decode('ascii')}")
            special[key] = value
        if key != b"transfer-encoding":
            lines += (name, b": ", value, b"\r\n")
    length, coding = special.get(b"content-length"), special.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or length is not None):
        raise LocalProtocolError("Transfer-Encoding can only be chunked, and not go with Content-Length")
    if length is not None and not length.isdigit():
        raise LocalProtocolError("bad Content-Length")
    upgrade = special.get(b"upgrade")
    return CheckedFields(
        block=b"".join(lines),
        length=None if length is None else int(length),
        is_chunked=coding is not None,
        has_date=b"date" in special,
        close=b"close" in options,
        options=tuple([option for option in options if option not in (b"close", b"keep-alive")]),
        upgrade=None if upgrade is None else upgrade.lower(),
    )


class BodyWriter(Protocol):
    """Frames one body; raises LocalProtocolError for what the framing cannot carry."""

    def data(self, data: bytes) -> bytes:
        """The bytes for a piece of the body."""

    def end(self, trailers: Headers) -> bytes:
        """The bytes for its end."""


class LengthWriter:
    """A body of a known length (RFC 9112 §6.2).

    Args:
        length: in bytes.
    """

    __slots__ = ("_remaining",)

    def __init__(self, length: int) -> None:
        self._remaining = length

    def data(self, data: bytes) -> bytes:
        """The piece as it is."""
        if len(data) > self._remaining:
            raise LocalProtocolError("the body is longer than its Content-Length")
        self._remaining -= len(data)
        return data

    def end(self, trailers: Headers) -> bytes:
        """Nothing."""
        if self._remaining:
            raise LocalProtocolError("the body is shorter than its Content-Length")
        return _no_trailers(trailers)


class ChunkedWriter:
    """A chunked body (RFC 9112 §7.1)."""

    __slots__ = ()

    def data(self, data: bytes) -> bytes:
        """One chunk; nothing for an empty piece, which would end the body."""
        return b"%x\r\n%b\r\n" % (len(data), data) if data else b""

    def end(self, trailers: Headers) -> bytes:
        """The last chunk and the trailers."""
        if not trailers:
            return b"0\r\n\r\n"
        if not FORBIDDEN_TRAILERS.isdisjoint([name.lower() for name, _ in trailers]):
            raise LocalProtocolError("this field may not stand in the trailers")  # RFC 9110 §6.5.1
        return b"0\r\n%b\r\n" % check_fields(trailers).block


class UntilCloseWriter:
    """A body that ends with the connection, for HTTP/1.0 (RFC 9112 §6.3)."""

    __slots__ = ()

    def data(self, data: bytes) -> bytes:
        """The piece as it is."""
        return data

    def end(self, trailers: Headers) -> bytes:
        """Nothing: the runtime closes the connection."""
        return _no_trailers(trailers)


class HiddenWriter:
    """The body of an answer to HEAD, which is not sent (RFC 9110 §9.3.2), so that one handler can serve GET too."""

    __slots__ = ()

    def data(self, data: bytes) -> bytes:
        """Nothing."""
        return b""

    def end(self, trailers: Headers) -> bytes:
        """Nothing."""
        return b""


def frame(
    status: int, fields: CheckedFields, is_head: bool, is_http11: bool, body_length: int | None
) -> tuple[bytes, BodyWriter]:
    """Choose how a body is framed (RFC 9112 §6).

    Args:
        status: of the answer.
        fields: its fields.
        is_head: whether it answers HEAD.
        is_http11: whether the peer reads chunked bodies.
        body_length: of the whole body where it is known.

    Returns:
        the lines to add to the head, and the body's writer.

    Raises:
        LocalProtocolError: Content-Length contradicts the status or the body.
    """
    length, line = fields.length, b""
    if status in _NO_CONTENT:
        if length is not None and (status == 204 or (status == 205 and length)):  # RFC 9110 §8.6, §15.3.6
            raise LocalProtocolError(f"Content-Length in an answer {status}")
        line = b"content-length: 0\r\n" if status == 205 and length is None else b""
        return line, LengthWriter(0)
    if length is None and body_length is not None:
        length = body_length
        line = b"content-length: %d\r\n" % length
    writer: BodyWriter
    if length is not None:
        writer = LengthWriter(length)
    elif is_http11:
        writer, line = _CHUNKED, b"transfer-encoding: chunked\r\n"
    else:
        writer = _UNTIL_CLOSE
    return line, _HIDDEN if is_head else writer


def connection_line(fields: CheckedFields, keep_alive: bool, is_http11: bool) -> bytes:
    """The Connection field, or nothing where it would say what is understood (RFC 9110 §7.6.1, RFC 9112 §9.3)."""
    if keep_alive and is_http11 and fields.upgrade is None and not fields.options:
        return b""
    options = list(fields.options)
    if fields.upgrade is not None and b"upgrade" not in options:
        options.append(b"upgrade")  # RFC 9110 §7.8
    if not keep_alive:
        options.append(b"close")
    elif not is_http11:
        options.append(b"keep-alive")  # RFC 9112 App. C.2.2
    return b"connection: %b\r\n" % b", ".join(options) if options else b""


_CHUNKED: Final = ChunkedWriter()
_UNTIL_CLOSE: Final = UntilCloseWriter()
_HIDDEN: Final = HiddenWriter()


def _no_trailers(trailers: Headers) -> bytes:
    if trailers:
        raise LocalProtocolError("only a chunked body has trailers")
    return b""
