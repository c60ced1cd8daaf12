"""Frames bodies, and refuses what the framing cannot carry."""

from __future__ import annotations

from typing import Final, Protocol

from fraiseql.errors import LocalProtocolError
from fraiseql.protocol.http11.events import Headers
from fraiseql.protocol.http11.heads import CheckedFields, check_fields
from fraiseql.protocol.http11.semantics import FORBIDDEN_TRAILERS

__all__ = [
    "NO_CONTENT",
    "BodyWriter",
    "ChunkedWriter",
    "HiddenWriter",
    "LengthWriter",
    "UntilCloseWriter",
    "frame",
    "frame_request",
    "may_have_any_length",
]

NO_CONTENT: Final = frozenset((204, 304))  # RFC 9110 §15.3.5, §15.4.5: whatever their fields say
_NO_CONTENT: Final = NO_CONTENT | {205}  # RFC 9110 §15.3.6: framed, but empty
_WITH_CONTENT: Final = frozenset((b"POST", b"PUT", b"PATCH"))  # methods that give content a meaning


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


def may_have_any_length(status: int, fields: CheckedFields) -> bool:
    """Whether `frame` accepts a whole body of any length for this status and these fields."""
    return status not in _NO_CONTENT and fields.length is None


def frame_request(method: bytes, fields: CheckedFields, body_length: int | None) -> tuple[bytes, BodyWriter]:
    """Choose how a request's body is framed (RFC 9112 §6.3-7): without a word of it, there is none.

    Args:
        method: of the request.
        fields: its fields.
        body_length: of the whole body where it is known.

    Returns:
        the line to add to the head, and the body's writer.
    """
    if fields.length is not None:
        return b"", LengthWriter(fields.length)
    if fields.is_chunked and body_length is None:
        return b"transfer-encoding: chunked\r\n", _CHUNKED
    if body_length or (body_length == 0 and method in _WITH_CONTENT):  # RFC 9110 §8.6
        return b"content-length: %d\r\n" % body_length, LengthWriter(body_length)
    return b"", LengthWriter(0)


_CHUNKED: Final = ChunkedWriter()
_UNTIL_CLOSE: Final = UntilCloseWriter()
_HIDDEN: Final = HiddenWriter()


def _no_trailers(trailers: Headers) -> bytes:
    if trailers:
        raise LocalProtocolError("only a chunked body has trailers")
    return b""
