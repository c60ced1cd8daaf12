"""The codec of permessage-deflate (RFC 7692 §7.2): what is agreed, and both directions of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fraiseql.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from fraiseql.protocol.websocket.closing import INVALID_DATA, TOO_BIG

if TYPE_CHECKING:
    from zlib import _Compress, _Decompress

__all__ = ["MAX_BITS", "MIN_BITS", "Deflate", "Deflater", "Inflater"]

MIN_BITS: Final = 9  # zlib makes 9 of 8, which the peer could not inflate
MAX_BITS: Final = 15
_TAIL: Final = b"\x00\x00\xff\xff"  # of an empty block, which ends each message and is not sent (RFC 7692 §7.2.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deflate:
    """How messages are deflated: what a side wants before the handshake, what was agreed after it.

    The defaults hold no memory between messages. Windows that are kept find more to leave out, and hold 54 KB for each
    connection, both directions together, with 12 bits and memory level 5, and 312 KB with 15 and 8.

    Args:
        server_no_context_takeover: the server forgets its window after each message.
        client_no_context_takeover: the client does.
        server_max_window_bits: 9 to 15, of the server's window.
        client_max_window_bits: 9 to 15, of the client's; a client that does not offer to limit it uses 15.
        level: 1 (fast) to 9 (small), of what we deflate.
        memory_level: 1 to 9, of what we deflate.
        min_size: shorter messages are sent as they are.

    Raises:
        LocalProtocolError: a value is out of its range.
    """

    server_no_context_takeover: bool = True
    client_no_context_takeover: bool = True
    server_max_window_bits: int = 12
    client_max_window_bits: int = 12
    level: int = 5
    memory_level: int = 5
    min_size: int = 256

    def __post_init__(self) -> None:
        if not (MIN_BITS <= self.server_max_window_bits <= MAX_BITS >= self.client_max_window_bits >= MIN_BITS):
            raise LocalProtocolError(f"a window has {MIN_BITS} to {MAX_BITS} bits")
        if not (1 <= self.level <= 9 and 1 <= self.memory_level <= 9 and self.min_size >= 1):
            raise LocalProtocolError("the levels are 1 to 9, and an empty message cannot be deflated")


class Deflater:
    """Deflates messages.

    Args:
        agreed: the outcome of the handshake.
        bits: of our window.
        forgets: whether each message begins with an empty one.
    """

    __slots__ = ("_agreed", "_bits", "_forgets", "_zlib", "min_size")

    def __init__(self, agreed: Deflate, *, bits: int, forgets: bool) -> None:
        self._agreed = agreed
        self._bits = bits
        self._forgets = forgets
        self._zlib: _Compress | None = None
        self.min_size = agreed.min_size

    def deflate(self, message: bytes) -> bytes:
        """One message, which is not empty."""
        codec = self._zlib
        if codec is None:
            codec = zlib.compressobj(self._agreed.level, zlib.DEFLATED, -self._bits, self._agreed.memory_level)
            if not self._forgets:
                self._zlib = codec
        # RFC 7692 §7.2.1: flushed to a whole byte, and without the last four of them
        return codec.compress(message) + codec.flush(zlib.Z_SYNC_FLUSH)[: -len(_TAIL)]


class Inflater:
    """Inflates messages piece by piece, and never more than is asked for.

    Args:
        bits: of the peer's window.
        forgets: whether the peer begins each message with an empty one.
        max_blocks: final blocks of one message, since each takes a new decompressor.
    """

    __slots__ = ("_bits", "_blocks", "_forgets", "_max_blocks", "_window", "_zlib")

    def __init__(self, *, bits: int, forgets: bool, max_blocks: int) -> None:
        self._bits = bits
        self._forgets = forgets
        self._max_blocks = max_blocks
        self._blocks = 0
        self._zlib: _Decompress | None = None
        self._window = b""

    def inflate(self, data: bytes, room: int, *, is_end: bool) -> Iterator[bytes]:
        """What a piece of a message holds, in some pieces.

        Args:
            data: the piece.
            room: bytes that there may be. One more is given where there are too many; then ask for no more.
            is_end: whether this ends the message.

        Raises:
            RemoteProtocolError: this is not deflated data (1007).
            LimitExceeded: it is cut into too many blocks (1009).
        """
        rest = data + _TAIL if is_end else data  # RFC 7692 §7.2.2
        while rest:
            codec = self._codec()
            try:
                found = codec.decompress(rest, room + 1)
            except zlib.error:
                raise RemoteProtocolError("the message cannot be inflated", status=INVALID_DATA) from None
            rest = codec.unused_data if codec.eof else b""
            if rest or not (is_end and self._forgets):
                self._window = (self._window + found)[-(1 << self._bits) :]
            yield found
            room -= len(found)
        if is_end:
            self._blocks = 0
            if self._forgets:
                self._zlib = None
                self._window = b""

    def _codec(self) -> _Decompress:
        codec = self._zlib
        if codec is None:
            codec = self._zlib = zlib.decompressobj(-self._bits)
        elif codec.eof:
            # RFC 7692 §7.2.3.4: a peer may end a block with BFINAL, which ends the stream for zlib, but not the window
            self._blocks += 1
            if self._blocks > self._max_blocks:
                raise LimitExceeded("the message has too many blocks", status=TOO_BIG)
            codec = self._zlib = zlib.decompressobj(-self._bits, zdict=self._window)
        return codec
