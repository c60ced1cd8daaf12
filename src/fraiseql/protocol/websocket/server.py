"""One WebSocket connection, seen from the server."""

from __future__ import annotations

from struct import Struct
from typing import Final

from fraiseql.errors import LocalProtocolError
from fraiseql.limits import WebSocketLimits
from fraiseql.protocol.websocket.connection import Connection
from fraiseql.protocol.websocket.deflate import Deflate, Deflater, Inflater
from fraiseql.protocol.websocket.events import NEED_DATA, Event, Signal, Text
from fraiseql.protocol.websocket.frames import MAX_CONTROL, TEXT, frame
from fraiseql.protocol.websocket.masking import REPEATS, WHOLE
from fraiseql.protocol.websocket.state import State

__all__ = ["ServerConnection"]

_OPEN: Final = State.OPEN
_read_key: Final = Struct("<I").unpack_from
_pack_header: Final = Struct(">HH").pack
_TEXT_IN_TWO: Final = TEXT << 8 | 126  # its length follows in two bytes
_HEADERS: Final = tuple([bytes((TEXT, length)) for length in range(MAX_CONTROL + 1)])


class ServerConnection(Connection):
    """The server's side of one WebSocket connection, after `accept`.

    Feed it with `receive_data`, take events from `next_event` until it gives NEED_DATA or ConnectionClosed, and write
    what `send` or `send_text` return. Answer a Ping with `send(ping.answer())`, and a Close, unless `our_state` is
    CLOSING already, with `send(close.answer())`. Where `next_event` raises RemoteProtocolError, send a Close with its
    `status`. Then close the connection. Where a call raises LocalProtocolError, nothing was written and no state has
    changed.

    Args:
        limits: of what the client may send.
        deflate: `Handshake.deflate`.

    Attributes:
        our_state: the server's side.
        their_state: the client's side.
    """

    __slots__ = ("_quick",)

    _PEER_MASKS = True

    def __init__(self, limits: WebSocketLimits | None = None, deflate: Deflate | None = None) -> None:
        super().__init__(limits, deflate)
        self._quick = min(WHOLE, self._limits.max_message)

    def _codecs(self, deflate: Deflate) -> tuple[Inflater, Deflater]:
        inflater = Inflater(
            bits=deflate.client_max_window_bits,
            forgets=deflate.client_no_context_takeover,
            max_blocks=self._limits.max_fragments,
        )
        bits, forgets = deflate.server_max_window_bits, deflate.server_no_context_takeover
        return inflater, Deflater(deflate, bits=bits, forgets=forgets)

    def _frame(self, first: int, payload: bytes) -> bytes:
        return frame(first, payload)

    def next_event(self) -> Event | Signal:
        if self._kind is None and self.their_state is _OPEN:
            # Most of what comes is a text in one frame, all of it at hand. Anything else is left to `_read`.
            data = self._data
            at = self._at
            left = len(data) - at
            if left > 5:
                if data[at] == TEXT:
                    length = data[at + 1] - 0x80
                    start = at + 6
                    if length > MAX_CONTROL:
                        length = data[at + 2] << 8 | data[at + 3] if length == 126 and left > 7 else 0
                        start = at + 8 if length > MAX_CONTROL else len(data) + 1
                    end = start + length
                    if start <= end <= len(data) and length <= self._quick:
                        # As `mask`, whose call would cost as much as this
                        words = (length + 3) >> 2
                        number = int.from_bytes(data[start:end], "little")
                        number ^= _read_key(data, start - 4)[0] * REPEATS[words]
                        try:
                            text = str(number.to_bytes(words << 2, "little")[:length], "utf-8")
                        except UnicodeDecodeError:
                            return super().next_event()  # which says so
                        if end == len(data):
                            self._data = b""
                            self._at = 0
                        else:
                            self._at = end
                        return Text(text)
            elif not left and not self._eof:
                return NEED_DATA
        return super().next_event()

    def send_text(self, data: str | bytes) -> bytes:
        if self._deflater is None and self.our_state is _OPEN:
            if isinstance(data, str):
                try:
                    data = data.encode()
                except UnicodeEncodeError:
                    raise LocalProtocolError("the text holds half of a surrogate pair") from None
            length = len(data)
            if length <= MAX_CONTROL:
                return _HEADERS[length] + data
            return _pack_header(_TEXT_IN_TWO, length) + data if length < 1 << 16 else frame(TEXT, data)
        return super().send_text(data)
