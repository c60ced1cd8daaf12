"""What both ends of an HTTP/1.1 connection do alike: buffer, read bodies, frame bodies, begin and end exchanges."""

from __future__ import annotations

from typing import ClassVar, Final

from fraiseql.errors import LimitExceeded, LocalProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11.body_reading import NO_BODY, BodyReader, ChunkedReader, LengthReader
from fraiseql.protocol.http11.events import (
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Signal,
)
from fraiseql.protocol.http11.state import SERVER_THEIRS, Input, State, Table, move
from fraiseql.protocol.http11.writing import BodyWriter, LengthWriter

__all__ = ["Connection"]

_IDLE: Final = State.IDLE
_SEND_BODY: Final = State.SEND_BODY
_DONE: Final = State.DONE
_READ: Final = move(SERVER_THEIRS, _SEND_BODY, Input.END_OF_MESSAGE)  # in both roles
_REFUSING: Final = frozenset((State.MUST_CLOSE, State.CLOSED, State.ERROR, State.SWITCHED_PROTOCOL))


class Connection:
    """One end of a connection. Where a call raises LocalProtocolError, nothing was written and no state has changed.

    Args:
        limits: of what the peer may send.

    Attributes:
        our_state: our side.
        their_state: the peer's side.
        keep_alive: whether the connection survives the current exchange.
    """

    __slots__ = ("_body", "_buffer", "_enough", "_eof", "_limits", "_writer", "keep_alive", "our_state", "their_state")

    _OURS: ClassVar[Table]
    _THEIRS: ClassVar[Table]

    def __init__(self, limits: HttpLimits | None = None) -> None:
        self._limits = limits or HttpLimits()
        self._buffer = bytearray()
        self._enough = _enough(self._limits)
        self._eof = False
        self._body: BodyReader = NO_BODY
        self._writer: BodyWriter = LengthWriter(0)
        self.our_state = State.IDLE
        self.their_state = State.IDLE
        self.keep_alive = True

    # Reading

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer.

        They are discarded after a fault of the peer and after the last exchange.

        Raises:
            LocalProtocolError: the end was received before, or the bytes belong to another protocol since an upgrade.
        """
        if self._eof:
            raise LocalProtocolError("data after the end of the connection")
        if self.their_state not in _REFUSING:
            self._buffer += data
        elif self.their_state is State.SWITCHED_PROTOCOL:
            raise LocalProtocolError("the bytes belong to another protocol now")

    def receive_eof(self) -> None:
        """Take note that the peer sends nothing more; it may still read (RFC 9112 §9.6)."""
        self._eof = True

    @property
    def trailing_data(self) -> bytes:
        """The bytes that followed the last message of HTTP, once another protocol has taken over."""
        if self.their_state is not State.SWITCHED_PROTOCOL:
            raise LocalProtocolError("no other protocol has taken over")
        return bytes(self._buffer)

    @property
    def buffered(self) -> int:
        """Bytes that were received and are in no event yet."""
        return len(self._buffer)

    @property
    def wants_data(self) -> bool:
        """Whether to go on reading; False while the bytes at hand already fill the buffer, and after the end.

        `receive_data` takes what was read nevertheless, so the buffer exceeds its bound by one read at most.
        """
        if self._eof or self.their_state is State.SWITCHED_PROTOCOL:
            return False
        bound = self._limits.max_pipelined if self.their_state is _DONE else self._enough
        return not self._buffer or len(self._buffer) < bound

    def _fail(self) -> None:
        """The peer broke the protocol: nothing more is read from it."""
        self.their_state = move(self._THEIRS, self.their_state, Input.FAULT)
        self.our_state = move(self._OURS, self.our_state, Input.FAULT)
        self.keep_alive = False
        self._buffer.clear()

    def _expect_body(self, length: int | None) -> None:
        """Prepare to read a body of this length, or a chunked one."""
        if length is None:
            self._body = ChunkedReader(self._limits)
        elif length > self._limits.max_body:
            raise LimitExceeded("the body is too long", status=413)  # RFC 9110 §15.5.14
        else:
            self._body = LengthReader(length) if length else NO_BODY

    def _read_body(self) -> Data | EndOfMessage | Signal:
        event = self._body.read(self._buffer)
        if event is None:
            if not self._eof:
                return NEED_DATA
            event = self._body.end()
        if type(event) is EndOfMessage:  # data leaves the state as it is
            self.their_state = _READ
            if not self.keep_alive:
                self._settle()
        return event

    def _idle_event(self) -> ConnectionClosed | Signal:
        """What there is to say while the peer owes nothing."""
        if self.their_state is State.SWITCHED_PROTOCOL or (self.their_state is _DONE and self._buffer):
            return PAUSED
        return self._close() if self._eof else NEED_DATA

    def _close(self) -> ConnectionClosed:
        self.their_state = move(self._THEIRS, self.their_state, Input.CONNECTION_CLOSED)
        self.keep_alive = False
        self._settle()
        return ConnectionClosed()

    # Writing

    def _send_rest(self, event: Data | EndOfMessage | ConnectionClosed) -> bytes:
        """Encode what follows a head."""
        if isinstance(event, Data):
            after = move(self._OURS, self.our_state, Input.DATA)
            data = self._writer.data(event.data)
        elif isinstance(event, EndOfMessage):
            after = move(self._OURS, self.our_state, Input.END_OF_MESSAGE)
            data = self._writer.end(event.trailers)
        elif isinstance(event, ConnectionClosed):
            after = move(self._OURS, self.our_state, Input.CONNECTION_CLOSED)
            data = b""
            self.keep_alive = False
        else:
            raise LocalProtocolError(f"{type(event).__name__} is nothing that this side sends")
        self.our_state = after
        self._settle()
        return data

    # Both sides

    def start_next_cycle(self) -> None:
        """Go on to the next exchange on this connection; raises LocalProtocolError unless both sides are DONE."""
        if self.our_state is not _DONE or self.their_state is not _DONE:
            raise LocalProtocolError("the next cycle is not possible before both sides are done with this one")
        self.our_state = self.their_state = _IDLE

    def _settle(self) -> None:
        """End the connection's last exchange where a side is done with it."""
        if self.keep_alive:
            return
        if self.our_state is _DONE:
            self.our_state = move(self._OURS, _DONE, Input.LAST_EXCHANGE)
        if self.their_state is _DONE or (self.their_state is _IDLE and self.our_state is State.CLOSED):
            self._discard()

    def _discard(self) -> None:
        self.their_state = move(self._THEIRS, self.their_state, Input.LAST_EXCHANGE)
        self._buffer.clear()


def _enough(limits: HttpLimits) -> int:
    """How many bytes to hold at least before reading pauses: what is incomplete must fit, or it is never completed."""
    chunk_line = limits.max_chunk_size_digits + limits.max_chunk_extensions + 4
    return max(limits.max_pipelined, limits.max_head, limits.max_trailers + 2, chunk_line)
