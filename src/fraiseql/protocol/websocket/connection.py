"""What both ends of a WebSocket connection do alike: buffer, read frames, put messages together, send."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Final

from fraiseql.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from fraiseql.limits import WebSocketLimits
from fraiseql.protocol.websocket.closing import TOO_BIG, read_close, write_close
from fraiseql.protocol.websocket.deflate import Deflate, Deflater, Inflater
from fraiseql.protocol.websocket.events import (
    NEED_DATA,
    Bytes,
    Close,
    ConnectionClosed,
    Event,
    Ping,
    Pong,
    Sendable,
    Signal,
    Text,
)
from fraiseql.protocol.websocket.frames import (
    BINARY,
    CLOSE,
    COMPRESSED,
    DEFLATE_KINDS,
    KINDS,
    MAX_CONTROL,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    Kind,
    fault_of,
    read_length,
)
from fraiseql.protocol.websocket.masking import mask
from fraiseql.protocol.websocket.messages import BinaryAssembly, MessageAssembly, TextAssembly
from fraiseql.protocol.websocket.state import OURS, THEIRS, Input, State, move

__all__ = ["Connection"]

_OPEN: Final = State.OPEN
_IN_MESSAGE: Final = State.IN_MESSAGE
_MAX_BUFFERED: Final = 65_536  # bytes not yet asked for, beyond which reading pauses: one usual read of a socket
_KEY_SIZE: Final = 4


class Connection(ABC):
    """One end of a connection after its handshake.

    Where a call raises LocalProtocolError, nothing was written and no state has changed.

    Args:
        limits: of what the peer may send.
        deflate: what the handshake agreed on; None where messages are not deflated.

    Attributes:
        our_state: our side.
        their_state: the peer's side.
    """

    __slots__ = (
        "_after",
        "_assembly",
        "_at",
        "_data",
        "_deflater",
        "_eof",
        "_fragments",
        "_inflater",
        "_is_compressed",
        "_key",
        "_kind",
        "_kinds",
        "_left",
        "_limits",
        "_packed",
        "_size",
        "our_state",
        "their_state",
    )

    _PEER_MASKS: ClassVar[bool]

    def __init__(self, limits: WebSocketLimits | None, deflate: Deflate | None) -> None:
        self._limits = limits or WebSocketLimits()
        self._kinds = KINDS if deflate is None else DEFLATE_KINDS
        self._inflater: Inflater | None = None
        self._deflater: Deflater | None = None
        if deflate is not None:
            self._inflater, self._deflater = self._codecs(deflate)
        self._data = b""
        self._at = 0  # what comes before it in the data was read
        self._eof = False
        # The frame whose payload is being read: its kind, the state after it, what is left of it, its key from there on
        self._kind: Kind | None = None
        self._after = _OPEN
        self._left = 0
        self._key = b""
        # The message that is being read: its frames, the length of their payloads, and its own length
        self._assembly: MessageAssembly | None = None
        self._is_compressed = False
        self._fragments = 0
        self._packed = 0
        self._size = 0
        self.our_state = _OPEN
        self.their_state = _OPEN

    @abstractmethod
    def _codecs(self, deflate: Deflate) -> tuple[Inflater, Deflater]:
        """What inflates the peer's messages and deflates ours."""

    @abstractmethod
    def _frame(self, first: int, payload: bytes) -> bytes:
        """A frame as this side sends it."""

    # Reading

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer; they are discarded after its close frame and after a fault of it.

        Raises:
            LocalProtocolError: the end was received before.
        """
        if self._eof:
            raise LocalProtocolError("data after the end of the connection")
        if self._data:
            data = self._data[self._at :] + data
        elif type(data) is not bytes:
            data = bytes(data)
        self._at = 0
        if self.their_state is _OPEN or self.their_state is _IN_MESSAGE:
            self._data = data

    def receive_eof(self) -> None:
        """Take note that the peer sends nothing more."""
        self._eof = True

    @property
    def wants_data(self) -> bool:
        """Whether to go on reading; False while there is much that was not asked for, and after the end.

        It is True whenever `next_event` has given NEED_DATA. `receive_data` takes what was read nevertheless, so a
        caller that looks here before each read holds 64 KiB and one read at most, beside the message under way.
        """
        return not self._eof and len(self._data) - self._at < _MAX_BUFFERED

    @property
    def buffered(self) -> int:
        """Bytes that were received and are in no event yet; those of a deflated message as they were inflated."""
        return len(self._data) - self._at + self._size

    def next_event(self) -> Event | Signal:
        """The next event, or why there is none.

        Returns:
            Text, Bytes, Ping, Pong, Close or ConnectionClosed (again at every call); NEED_DATA where more bytes are
            needed.

        Raises:
            RemoteProtocolError: the peer broke the protocol; `status` is the code to close with (1002, 1007, 1009).
            LimitExceeded: it sent a message that is too long, or in too many fragments (1009).
        """
        try:
            return self._read()
        except RemoteProtocolError:
            self._end(move(THEIRS, self.their_state, Input.FAULT), Input.FAULT)
            raise

    def _read(self) -> Event | Signal:
        while self.their_state is _OPEN or self.their_state is _IN_MESSAGE:
            kind = self._kind or self._begin_frame()
            if kind is None:
                break
            event = self._read_control(kind) if kind.is_control else self._read_data(kind)
            if event is not None:
                return event
            if self._kind is not None:  # its payload is incomplete
                break
        if self._eof:
            self._end(move(THEIRS, self.their_state, Input.CONNECTION_CLOSED), Input.CONNECTION_CLOSED)
            return ConnectionClosed()
        if self._at:  # a slice keeps what it was cut from
            self._data = self._data[self._at :]
            self._at = 0
        return NEED_DATA

    def _end(self, their_state: State, what: Input) -> None:
        """The peer sends nothing more that we read."""
        self.their_state = their_state
        self.our_state = move(OURS, self.our_state, what)
        self._data, self._at, self._size = b"", 0, 0
        self._kind = self._assembly = self._inflater = None

    def _begin_frame(self) -> Kind | None:
        """Read the header of a frame; None where it is incomplete. What is wrong in it is found at its first byte."""
        data, at = self._data, self._at
        if at >= len(data):
            return None
        kind = self._kinds.get(data[at])
        if kind is None:
            raise fault_of(data[at])
        after = THEIRS.get((self.their_state, kind.input))
        if after is None:  # RFC 6455 §5.4
            raise RemoteProtocolError(f"{kind.input.value} is not possible here", status=PROTOCOL_ERROR)
        found = read_length(data, at + 1, is_control=kind.is_control, is_masked=self._PEER_MASKS)
        if found is None:
            return None
        length, at = found
        if not kind.is_control and self._packed + length > self._limits.max_message:
            raise LimitExceeded("the message is too long", status=TOO_BIG)
        if self._PEER_MASKS:
            self._key = data[at : at + _KEY_SIZE]
            at += _KEY_SIZE
            if at > len(data):
                return None
        self._at, self._kind, self._after, self._left = at, kind, after, length
        if not kind.is_control:
            self._begin_payload(kind, length)
        return kind

    def _begin_payload(self, kind: Kind, length: int) -> None:
        """Count a data frame, and begin its message where it is the first one."""
        if self._assembly is None:
            self._assembly = TextAssembly() if kind.is_text else BinaryAssembly()
            self._is_compressed = kind.is_compressed
        self.their_state = _IN_MESSAGE if self._after is _IN_MESSAGE else self.their_state
        self._packed += length
        self._fragments += 1
        if self._fragments > self._limits.max_fragments:
            raise LimitExceeded("the message has too many fragments", status=TOO_BIG)

    def _take(self, size: int) -> bytes:
        """The next bytes of the payload, without their mask."""
        start = self._at
        self._at = start + size
        self._left -= size
        piece = self._data[start : self._at]
        if not self._PEER_MASKS:
            return piece
        key = self._key
        turn = size % _KEY_SIZE
        self._key = key[turn:] + key[:turn]
        return mask(piece, key)

    def _read_control(self, kind: Kind) -> Ping | Pong | Close | None:
        if len(self._data) - self._at < self._left:
            return None
        payload = self._take(self._left)
        if kind.input is Input.CLOSE:
            close = read_close(payload)
            self._end(self._after, Input.PEER_CLOSE)
            return close
        self._kind = None
        return Ping(payload) if kind.input is Input.PING else Pong(payload)

    def _read_data(self, kind: Kind) -> Text | Bytes | None:
        """Take what there is of a data frame; its message where it ends that."""
        assembly = self._assembly
        assert assembly is not None
        piece = self._take(min(self._left, len(self._data) - self._at))
        if self._is_compressed:
            self._inflate(assembly, piece, is_end=kind.is_last and not self._left)
        else:
            self._size += len(piece)
            assembly.add(piece)
        if self._left:
            return None
        self._kind = None
        self.their_state = self._after
        if not kind.is_last:
            return None
        self._assembly = None
        self._fragments = self._packed = self._size = 0
        return assembly.end()

    def _inflate(self, assembly: MessageAssembly, piece: bytes, *, is_end: bool) -> None:
        inflater = self._inflater
        assert inflater is not None
        room = self._limits.max_message - self._size
        for found in inflater.inflate(piece, room, is_end=is_end):
            room = self._limits.max_message - self._size
            assembly.add(found[:room])  # what was wrong before the limit is found however the message was cut
            if len(found) > room:
                raise LimitExceeded("the message is too long", status=TOO_BIG)
            self._size += len(found)

    # Writing

    def send(self, event: Sendable) -> bytes:
        """Encode one message or control frame, in one frame.

        Args:
            event: what to send. Close(NO_STATUS) is a close frame without a code.

        Raises:
            LocalProtocolError: the state forbids it, or the event could not be read back as what it is.
        """
        if isinstance(event, Text):
            return self.send_text(event.data)
        if isinstance(event, Bytes):
            move(OURS, self.our_state, Input.MESSAGE)
            return self._message(BINARY, event.data)
        if isinstance(event, Ping):
            return self._control(PING, event.payload, Input.PING)
        if isinstance(event, Pong):
            return self._control(PONG, event.payload, Input.PONG)
        if isinstance(event, Close):
            return self._control(CLOSE, write_close(event), Input.CLOSE)
        raise LocalProtocolError(f"{type(event).__name__} is nothing that is sent")

    def send_text(self, data: str | bytes) -> bytes:
        """Encode one text message; what `send(Text(...))` does in less time.

        Args:
            data: the text, or its UTF-8, which is not checked.

        Raises:
            LocalProtocolError: as `send`.
        """
        move(OURS, self.our_state, Input.MESSAGE)
        return self._message(TEXT, _utf8(data) if isinstance(data, str) else data)

    def _message(self, first: int, data: bytes) -> bytes:
        deflater = self._deflater
        if deflater is not None and len(data) >= deflater.min_size:
            return self._frame(first | COMPRESSED, deflater.deflate(data))
        return self._frame(first, data)

    def _control(self, first: int, payload: bytes, what: Input) -> bytes:
        after = move(OURS, self.our_state, what)
        if len(payload) > MAX_CONTROL:
            raise LocalProtocolError("a payload of more than 125 bytes")  # RFC 6455 §5.5
        data = self._frame(first, payload)
        self.our_state = after
        return data


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise LocalProtocolError("the text holds half of a surrogate pair") from None
