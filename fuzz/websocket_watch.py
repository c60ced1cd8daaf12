"""What holds for a WebSocket connection at every step, whatever the peer sends; for both roles.

The first byte of an input says how the connection is set up, the second how the rest is cut into reads.
"""

from __future__ import annotations

from typing import Any

from fraiseql.limits import WebSocketLimits
from fraiseql.protocol import websocket
from fraiseql.protocol.websocket import ClientConnection, Deflate, ServerConnection, State
from fraiseql.protocol.websocket.state import OURS, THEIRS, Input
from fuzz.http11_watch import cut, require

__all__ = ["CLOSING", "DEFLATE", "EOF", "KEPT_WINDOW", "SMALL_LIMITS", "check"]

# Bits of the first byte
SMALL_LIMITS, EOF, DEFLATE, KEPT_WINDOW, CLOSING = 1, 2, 4, 8, 16

USUAL = WebSocketLimits()
SMALL = WebSocketLimits(max_message=24, max_fragments=3)
MAX_HEADER = 14  # bytes
MAX_CONTROL = 125

Connection = ServerConnection | ClientConnection
Transcript = list[Any]

_INPUTS: dict[type, tuple[Input, ...]] = {
    websocket.Text: (Input.MESSAGE, Input.LAST_FRAGMENT),
    websocket.Bytes: (Input.MESSAGE, Input.LAST_FRAGMENT),
    websocket.Ping: (Input.PING,),
    websocket.Pong: (Input.PONG,),
    websocket.Close: (Input.CLOSE,),
    websocket.ConnectionClosed: (Input.CONNECTION_CLOSED,),
}
_CLOSE_CODES = frozenset((1002, 1007, 1009))


def check(data: bytes, role: str) -> None:
    """The verdict does not depend on the cuts, and what was read reads back from the other role."""
    flags, seed, raw = data[0] if data else 0, data[1] if len(data) > 1 else 0, data[2:]
    whole = _Reader(role, flags).run([raw])
    in_pieces = _Reader(role, flags).run(cut(raw, seed))
    require(whole == in_pieces, f"the cuts have changed the verdict:\n{whole}\n{in_pieces}")
    sender, reader = connect("client" if role == "server" else "server", flags), connect(role, flags)
    for event in whole:
        if isinstance(event, websocket.ConnectionClosed | int):
            break
        reader.receive_data(sender.send(event))
        again = reader.next_event()
        require(again == event, f"{event} reads back as {again}")


def connect(role: str, flags: int) -> Connection:
    limits = SMALL if flags & SMALL_LIMITS else USUAL
    deflate = None
    if flags & DEFLATE:
        keeps = bool(flags & KEPT_WINDOW)
        # The least level and memory: a new compressor for each input is what would take the time
        deflate = Deflate(server_no_context_takeover=not keeps, client_no_context_takeover=not keeps, memory_level=1)
    if role == "server":
        return ServerConnection(limits, deflate)
    return ClientConnection(limits, deflate, masking_key=lambda: b"\x01\x02\x03\x04")


class _Reader:
    """A connection whose every step is checked."""

    def __init__(self, role: str, flags: int) -> None:
        self.conn = connect(role, flags)
        self.flags = flags
        self.transcript: Transcript = []
        self._bound = (SMALL if flags & SMALL_LIMITS else USUAL).max_message + MAX_HEADER + MAX_CONTROL
        if flags & CLOSING:
            self.conn.send(websocket.Close())

    def run(self, pieces: list[bytes]) -> Transcript:
        try:
            for piece in pieces:
                self.conn.receive_data(piece)
                self._drain()
            if self.flags & EOF:
                self.conn.receive_eof()
                self._drain()
        except websocket.RemoteProtocolError as error:
            self._refused(error)
        return self.transcript

    def _drain(self) -> None:
        while True:
            before = self._states()
            event = self.conn.next_event()
            if event is websocket.NEED_DATA:
                require(self.conn.wants_data, "nobody waits for bytes that nobody reads")
                require(self.conn.buffered <= self._bound, "what waits is bounded")
                return
            self._moved(before, _INPUTS[type(event)], event)
            self.transcript.append(event)
            if isinstance(event, websocket.ConnectionClosed):
                return

    def _states(self) -> tuple[State, State]:
        return self.conn.our_state, self.conn.their_state

    def _moved(self, before: tuple[State, State], inputs: tuple[Input, ...], event: object) -> None:
        """An event moves the sides as the tables say; a message may have had its first fragments in the same call."""
        ours, theirs = self._states()
        starts = (State.OPEN, State.IN_MESSAGE) if before[1] is State.OPEN else (before[1],)
        require(theirs in {THEIRS.get((start, what)) for start in starts for what in inputs}, f"{before} {event}")
        of_peer = {Input.CLOSE: Input.PEER_CLOSE}.get(inputs[0], inputs[0])
        of_both = (Input.PEER_CLOSE, Input.FAULT, Input.CONNECTION_CLOSED)
        require(ours is (OURS.get((before[0], of_peer)) if of_peer in of_both else before[0]), f"{before} {event}")

    def _refused(self, error: websocket.RemoteProtocolError) -> None:
        conn = self.conn
        require(error.status in _CLOSE_CODES, f"{error.status} is no close code for a fault")
        self.transcript.append(error.status)
        require(conn.their_state is State.ERROR, "a fault is final")
        require(conn.buffered == 0, "nothing is kept of a peer at fault")
        require(conn.next_event() is websocket.NEED_DATA or self.flags & EOF, "nothing more is read")
        if conn.our_state is State.MUST_CLOSE:
            require(conn.send(websocket.Close(error.status, str(error))), "a fault is answered")
        require(conn.our_state is State.CLOSING, "then nothing is sent")
