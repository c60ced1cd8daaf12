"""Reads heads and bodies out of a buffer that grows.

A reader takes what it has read off the front of the buffer. It gives None where it needs more bytes. What it decides
never depends on how the bytes were cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from re import Match
from typing import Final, Protocol

from fraiseql.errors import LimitExceeded, RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11.events import Data, EndOfMessage, Headers
from fraiseql.protocol.http11.grammar import CHUNK_LINE, NEXT_CHUNK_LINE, REQUEST_HEAD, parse_fields
from fraiseql.protocol.http11.scanner import PARTS, Cursor
from fraiseql.protocol.http11.semantics import FORBIDDEN_TRAILERS, check_target

__all__ = ["BodyReader", "ChunkedReader", "Head", "HeadReader", "LengthReader", "take"]

_START: Final = PARTS["start"]
_BLANK: Final = PARTS["blank"]
_TARGET: Final = PARTS["target-start"]
_AFTER_TARGET: Final = PARTS["version-0"]
_VERSION: Final = PARTS["version-end"]
_FIRST_FIELD: Final = PARTS["first-field"]
_NAME: Final = PARTS["name"]
_END: Final = PARTS["end"]
_SIZE: Final = PARTS["size-start"]
_EXTENSION: Final = PARTS["extension"]
_SIZE_LF: Final = PARTS["size-lf"]
_CHUNK_DATA: Final = PARTS["chunk-data"]
_DATA_END: Final = PARTS["data-end"]

_LONG_METHOD: Final = ("the method is too long", 501)  # RFC 9112 §3
_LONG_TARGET: Final = ("the target is too long", 414)  # RFC 9112 §3, RFC 9110 §15.5.15
_LONG_HEAD: Final = ("the head is too long", 431)  # RFC 6585 §5
_LONG_SIZE: Final = ("the chunk size has too many digits", 400)  # RFC 9112 §7.1
_LONG_EXTENSIONS: Final = ("the chunk extensions are too long", 400)  # RFC 9112 §7.1.1
_LONG_TRAILERS: Final = ("the trailers are too long", 431)


@dataclass(slots=True)
class Head:
    """A complete request head whose form is valid."""

    method: bytes
    target: bytes
    minor: int
    headers: Headers


class HeadReader:
    """Reads one request head.

    A complete head is matched by one pattern. One that is incomplete or that the pattern refuses is walked over by a
    cursor, which finds the first impossible byte and the limit that was passed.
    """

    __slots__ = ("_blank_lines", "_cursor", "_fields", "_head_end", "_limits")

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._blank_lines = 0
        self._cursor: Cursor | None = None
        self._fields = 0
        self._head_end = limits.max_head

    @property
    def begun(self) -> bool:
        """Whether any byte of a head, or of a blank line before it, was read."""
        return self._cursor is not None

    def read(self, buffer: bytearray) -> Head | None:
        """The head at the front of the buffer.

        Raises:
            RemoteProtocolError: the head is malformed (400), or its version or method is not ours (501, 505).
            LimitExceeded: the head, its target or its fields exceed a limit (414, 431, 501).
        """
        if self._cursor is None:
            if not buffer:
                return None
            found = REQUEST_HEAD.match(buffer, 0, self._limits.max_head)
            if found is not None:
                head = _head(found)
                if len(head.target) <= self._limits.max_target and len(head.headers) <= self._limits.max_fields:
                    check_target(head.method, head.target)
                    del buffer[: found.end()]
                    return head
            self._cursor = Cursor(_START, 0, self._limits.max_head, _LONG_METHOD)
        cursor = self._cursor
        while cursor.advance(buffer):
            if cursor.part is _END:
                return self._complete(buffer, cursor.pos)
            self._halt(cursor, buffer)
        return None

    def _halt(self, cursor: Cursor, buffer: bytearray) -> None:
        part, limits = cursor.part, self._limits
        if part is _NAME:
            if self._fields == limits.max_fields:
                raise LimitExceeded("too many fields", status=431)  # RFC 6585 §5
            self._fields += 1
        elif part is _TARGET:
            cursor.bound(min(cursor.pos + limits.max_target + 1, limits.max_head), _LONG_TARGET)
        elif part is _AFTER_TARGET:
            cursor.bound(limits.max_head, _LONG_HEAD)
        elif part is _VERSION:
            _check_major(buffer[cursor.pos - 3])
        elif part is _FIRST_FIELD:
            method, target, _ = bytes(buffer[: cursor.pos]).split(b" ")
            check_target(method, target)
        elif part is _BLANK:
            if self._blank_lines == limits.max_blank_lines:
                raise LimitExceeded("too many blank lines before the request", status=400)  # RFC 9112 §2.2
            self._blank_lines += 1
        else:  # a blank line is complete; it is no part of the head
            del buffer[: cursor.pos]
            cursor.pos = 0

    def _complete(self, buffer: bytearray, end: int) -> Head:
        found = REQUEST_HEAD.match(buffer, 0, end)
        assert found is not None, "the cursor accepts what the pattern refuses"
        head = _head(found)  # before the buffer changes: a match looks its groups up when asked
        del buffer[:end]
        self._cursor = None
        self._fields = self._blank_lines = 0
        return head


def _head(found: Match[bytes]) -> Head:
    method, target, minor, lines = found.groups()
    return Head(method, target, minor[0] - 0x30, parse_fields(lines))


def _check_major(digit: int) -> None:
    if digit == 0x30:
        raise RemoteProtocolError("HTTP/0.9 has no such request line")
    if digit != 0x31:
        raise RemoteProtocolError("only HTTP/1.1 and HTTP/1.0 are spoken here", status=505)  # RFC 9110 §15.6.6


class BodyReader(Protocol):
    """Reads one body."""

    def read(self, buffer: bytearray) -> Data | EndOfMessage | None:
        """The next piece at the front of the buffer, then its end; raises RemoteProtocolError."""


class LengthReader:
    """Reads a body of a known length (RFC 9112 §6.2).

    Args:
        length: in bytes.
    """

    __slots__ = ("_remaining",)

    def __init__(self, length: int) -> None:
        self._remaining = length

    def read(self, buffer: bytearray) -> Data | EndOfMessage | None:
        """All that is there, then the end."""
        if not self._remaining:
            return EndOfMessage()
        if not buffer:
            return None
        data = take(buffer, self._remaining)
        self._remaining -= len(data)
        return Data(data)


class ChunkedReader:
    """Reads a chunked body (RFC 9112 §7.1); several chunks may come as one piece.

    Args:
        limits: of the body, its chunk extensions and its trailers.
    """

    __slots__ = (
        "_cursor",
        "_extensions",
        "_extensions_begin",
        "_fault",
        "_fields",
        "_in_trailers",
        "_limits",
        "_remaining",
        "_total",
    )

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._remaining = 0  # of the current chunk
        self._total = 0  # of all chunks that were announced
        self._extensions = limits.max_chunk_extensions  # bytes that are left for all of them
        self._extensions_begin = 0  # in the current line; 0 where it has none
        self._in_trailers = False
        self._fields = 0
        self._fault: RemoteProtocolError | None = None
        self._cursor = Cursor(_SIZE, 0, limits.max_chunk_size_digits + 1, _LONG_SIZE)

    def read(self, buffer: bytearray) -> Data | EndOfMessage | None:
        """The data of all chunks that are there, then the end with the trailers.

        Raises:
            RemoteProtocolError: the framing or a trailer is malformed (400).
            LimitExceeded: the body (413), a chunk's line (400) or the trailers (431) exceed a limit.
        """
        if self._fault is not None:
            raise self._fault
        pieces: list[bytes] = []
        try:
            while self._remaining or (not self._in_trailers and self._read_line(buffer)):
                if not self._read_data(buffer, pieces):
                    break
        except RemoteProtocolError as fault:
            if not pieces:
                raise
            self._fault = fault  # what came before it goes first
        if pieces:
            return Data(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        return self._read_trailers(buffer) if self._in_trailers else None

    def _read_data(self, buffer: bytearray, pieces: list[bytes]) -> bool:
        """Take what is there of the current chunk; whether this was all of it."""
        if self._remaining and buffer:
            piece = take(buffer, self._remaining)
            self._remaining -= len(piece)
            pieces.append(piece)
            if not self._remaining:
                self._cursor.restart(_DATA_END, 2, _LONG_SIZE)
        return not self._remaining

    def _read_line(self, buffer: bytearray) -> bool:
        """Go on to the next chunk's data, or to the trailers; False where the buffer ends before."""
        cursor = self._cursor
        if cursor.pos == 0:
            found = (CHUNK_LINE if cursor.part is _SIZE else NEXT_CHUNK_LINE).match(buffer)
            if found is not None and len(found[1]) <= self._limits.max_chunk_size_digits:
                digits = found[1]
                del buffer[: found.end()]
                self._begin_chunk(digits)
                return True
        while cursor.advance(buffer):
            if cursor.part is _CHUNK_DATA:
                digits = bytes(buffer[: cursor.pos - 2]).partition(b";")[0]
                del buffer[: cursor.pos]
                self._begin_chunk(digits)
                return True
            self._halt(cursor, buffer)
        return False

    def _halt(self, cursor: Cursor, buffer: bytearray) -> None:
        if cursor.part is _EXTENSION:
            if not self._extensions_begin:
                self._extensions_begin = cursor.pos
                cursor.bound(cursor.pos + self._extensions, _LONG_EXTENSIONS)
        elif cursor.part is _SIZE_LF:
            if self._extensions_begin:
                self._extensions -= cursor.pos - self._extensions_begin
                self._extensions_begin = 0
            cursor.bound(cursor.pos + 1, _LONG_SIZE)
        else:  # the data's CR LF is complete
            del buffer[: cursor.pos]
            cursor.pos = 0
            cursor.bound(self._limits.max_chunk_size_digits + 1, _LONG_SIZE)

    def _begin_chunk(self, digits: bytes) -> None:
        self._remaining = int(digits, 16)
        self._total += self._remaining
        if self._total > self._limits.max_body:
            raise LimitExceeded("the body is too long", status=413)  # RFC 9112 §7.1, RFC 9110 §15.5.14
        if not self._remaining:
            self._in_trailers = True
            self._cursor.restart(_FIRST_FIELD, self._limits.max_trailers + 2, _LONG_TRAILERS)

    def _read_trailers(self, buffer: bytearray) -> EndOfMessage | None:
        cursor = self._cursor
        while cursor.advance(buffer):
            if cursor.part is _END:
                trailers = parse_fields(bytes(buffer[: cursor.pos - 2]))
                del buffer[: cursor.pos]
                if not FORBIDDEN_TRAILERS.isdisjoint([name for name, _ in trailers]):
                    raise RemoteProtocolError("this field may not stand in the trailers")  # RFC 9110 §6.5.1
                return EndOfMessage(trailers)
            if self._fields == self._limits.max_fields:
                raise LimitExceeded("too many trailers", status=431)
            self._fields += 1
        return None


def take(buffer: bytearray, size: int) -> bytes:
    """Take up to `size` bytes off the front of the buffer."""
    data = bytes(buffer[:size])
    del buffer[:size]
    return data
