"""Reads bodies off the front of a buffer that grows.

A reader takes what it has read off the front of the buffer. It gives None where it needs more bytes. What it decides
never depends on how the bytes were cut.
"""

from __future__ import annotations

from typing import Final, Protocol

from fraiseql.errors import LimitExceeded, RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11.events import Data, EndOfMessage
from fraiseql.protocol.http11.field_lines import skip_lines, split_fields
from fraiseql.protocol.http11.grammar import CHUNK_LINE
from fraiseql.protocol.http11.scanner import PARTS, Cursor
from fraiseql.protocol.http11.semantics import FORBIDDEN_TRAILERS

__all__ = ["NO_BODY", "WHOLE_END", "BodyReader", "ChunkedReader", "LengthReader", "UntilCloseReader"]

_FIRST_FIELD: Final = PARTS["first-field"]
_NAME: Final = PARTS["name"]
_END: Final = PARTS["end"]
_SIZE: Final = PARTS["size-start"]
_EXTENSION: Final = PARTS["extension"]
_SIZE_LF: Final = PARTS["size-lf"]
_CHUNK_DATA: Final = PARTS["chunk-data"]
_DATA_END: Final = PARTS["data-end"]

_LONG_BODY: Final = "the body is too long"  # RFC 9110 §15.5.14
_LONG_SIZE: Final = ("the chunk size has too many digits", 400)  # RFC 9112 §7.1
_LONG_EXTENSIONS: Final = ("the chunk extensions are too long", 400)  # RFC 9112 §7.1.1
_LONG_TRAILERS: Final = ("the trailers are too long", 431)

_LF: Final = 10
_SLICE: Final = 65_536  # how much is copied at once beyond the current chunk: a call that stops early copies no more
_SHORTEST_LINE: Final = len(b"\r\n0\r\n")
WHOLE_END: Final = EndOfMessage()
"""The end of a body without trailers."""


class BodyReader(Protocol):
    """Reads one body."""

    def read(self, buffer: bytearray) -> Data | EndOfMessage | None:
        """The next piece at the front of the buffer, then its end; raises RemoteProtocolError."""

    def end(self) -> EndOfMessage:
        """What the end of the connection means for the body; raises RemoteProtocolError where it comes early."""


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
            return WHOLE_END
        if not buffer:
            return None
        data = bytes(buffer[: self._remaining])
        del buffer[: self._remaining]
        self._remaining -= len(data)
        return Data(data)

    def end(self) -> EndOfMessage:
        """A fault: some of the body is missing."""
        raise _cut_short()


NO_BODY: Final = LengthReader(0)


class UntilCloseReader:
    """Reads a body that ends with the connection (RFC 9112 §6.3-8).

    Args:
        max_body: its greatest length.
    """

    __slots__ = ("_remaining",)

    def __init__(self, max_body: int) -> None:
        self._remaining = max_body

    def read(self, buffer: bytearray) -> Data | None:
        """All that is there; raises LimitExceeded (413) at the first byte over the limit."""
        if not buffer:
            return None
        if not self._remaining:
            raise LimitExceeded(_LONG_BODY, status=413)
        data = bytes(buffer[: self._remaining])
        del buffer[: self._remaining]
        self._remaining -= len(data)
        return Data(data)

    def end(self) -> EndOfMessage:
        """The end."""
        return WHOLE_END


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
        "_left",
        "_limits",
        "_line",
        "_remaining",
        "_size",
        "_total",
    )

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._remaining = 0  # of the current chunk
        self._total = 0  # of all chunks that were announced
        self._line = b"\r\n0\r\n"  # the last plain chunk line ...
        self._size = 0  # ... and what it says
        self._extensions = limits.max_chunk_extensions  # bytes that are left for all of them
        self._extensions_begin = 0  # in the current line; 0 where it has none
        self._in_trailers = False
        self._fields = 0
        self._left = 0  # bytes in the buffer that cannot be read before others follow
        self._fault: RemoteProtocolError | None = None
        self._cursor = Cursor(_SIZE, 0, limits.max_chunk_size_digits + 1, _LONG_SIZE)

    def read(self, buffer: bytearray) -> Data | EndOfMessage | None:
        """The data of all chunks that are there, then the end with the trailers.

        Raises:
            RemoteProtocolError: the framing or a trailer is malformed (400).
            LimitExceeded: the body (413), a chunk's line (400) or the trailers (431) exceed a limit.
        """
        if self._fault is None:
            if len(buffer) == self._left:
                return None
            pieces: list[bytes] = []
            try:
                while self._read_slices(buffer, pieces) and self._read_line(buffer):
                    pass
            except RemoteProtocolError as fault:
                self._fault = fault
            self._left = -1 if self._in_trailers else len(buffer)
            if len(pieces) == 1:  # what came before a fault goes first
                return Data(pieces[0])
            if pieces:
                return Data(b"".join(pieces))
        if self._fault is not None:
            raise self._fault
        return self._read_trailers(buffer) if self._in_trailers else None

    def end(self) -> EndOfMessage:
        """A fault: some of the body is missing."""
        raise _cut_short()

    def _read_slices(self, buffer: bytearray, pieces: list[bytes]) -> bool:
        """Take data and chunk lines as long as these are complete and have no extensions; whether one is left."""
        cursor = self._cursor
        while not (self._in_trailers or cursor.pos) and buffer:
            left, end = len(buffer), self._remaining + _SLICE
            if left <= end:
                return self._read_plain(buffer, pieces, bytes(buffer))
            is_left = self._read_plain(buffer, pieces, bytes(buffer[:end]))
            if len(buffer) == left:
                return is_left
        return cursor.pos > 0 and not self._in_trailers

    def _read_plain(self, buffer: bytearray, pieces: list[bytes], data: bytes) -> bool:
        """The same within the front of the buffer."""
        cursor, remaining = self._cursor, self._remaining
        # A line begins with the CR LF that ends the data before it. It is put back where there is none, or was taken.
        taken = 2 if cursor.part is _SIZE and not remaining else 0
        data, pos = (b"\r\n" + data if taken else data), 0
        size = len(data)
        while pos < size and not self._in_trailers:
            if remaining:
                piece = data[pos : pos + remaining]
                pieces.append(piece)
                pos += len(piece)
                remaining -= len(piece)
            elif size - pos < _SHORTEST_LINE:
                break
            elif data.startswith(self._line, pos):  # most senders cut their chunks alike
                pos += len(self._line)
                remaining = self._begin_chunk(self._size)
            else:
                found = CHUNK_LINE.match(data, pos)
                if found is None or len(found[1]) > self._limits.max_chunk_size_digits:
                    break
                pos, self._line, self._size = found.end(), found[0], int(found[1], 16)
                remaining = self._begin_chunk(self._size)
        self._remaining = remaining
        if pos:
            del buffer[: pos - taken]
            if not (remaining or self._in_trailers or cursor.part is _DATA_END):
                cursor.restart(_DATA_END, 2, _LONG_SIZE)
        is_cut = buffer == b"\r\n" and (pos > 0 or not taken)  # the end of the data, and nothing of a line
        return pos < size and not self._in_trailers and not is_cut

    def _read_line(self, buffer: bytearray) -> bool:
        """Walk on to the next chunk's data, or to the trailers; False where the buffer ends before."""
        cursor = self._cursor
        while cursor.advance(buffer):
            if cursor.part is _CHUNK_DATA:
                line = bytes(buffer[: cursor.pos - 2])
                del buffer[: cursor.pos]
                cursor.pos = 0
                self._remaining = self._begin_chunk(int(line.partition(b";")[0], 16))
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

    def _begin_chunk(self, size: int) -> int:
        """Take note of a chunk of this size, which is given back; the last one has none."""
        self._total += size
        if self._total > self._limits.max_body:
            raise LimitExceeded(_LONG_BODY, status=413)  # RFC 9112 §7.1
        if not size:
            self._in_trailers = True
            self._cursor.restart(_FIRST_FIELD, self._limits.max_trailers + 2, _LONG_TRAILERS)
        return size

    def _read_trailers(self, buffer: bytearray) -> EndOfMessage | None:
        cursor = self._cursor
        if not cursor.pos and buffer.startswith(b"\r\n"):
            del buffer[:2]
            return WHOLE_END
        if cursor.part is _FIRST_FIELD:
            self._count(skip_lines(cursor, buffer))
        while cursor.advance(buffer):
            if cursor.part is _END:
                return self._end(buffer, cursor.pos)
            self._count(1 if cursor.part is _NAME else skip_lines(cursor, buffer))
        return None

    def _count(self, lines: int) -> None:
        self._fields += lines
        if self._fields > self._limits.max_fields:
            raise LimitExceeded("too many trailers", status=431)

    def _end(self, buffer: bytearray, end: int) -> EndOfMessage:
        trailers = split_fields(buffer, 0, end, buffer.count(_LF, 0, end) - 1)
        assert trailers is not None, "the cursor accepts what the pattern refuses"
        del buffer[:end]
        if not FORBIDDEN_TRAILERS.isdisjoint([name for name, _ in trailers]):
            raise RemoteProtocolError("this field may not stand in the trailers")  # RFC 9110 §6.5.1
        return EndOfMessage(trailers)


def _cut_short() -> RemoteProtocolError:
    return RemoteProtocolError("the connection ended within a body")  # RFC 9112 §8
