"""What holds for an HTTP/1.1 connection at every step, whatever the peer sends: checked around each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from fraiseql.limits import HttpLimits
from fraiseql.protocol import http11
from fraiseql.protocol.http11.state import Input

__all__ = ["SMALL", "USUAL", "Watch", "cut", "encode_body", "encode_fields", "require"]

USUAL = HttpLimits()
SMALL = HttpLimits(
    max_head=160, max_target=24, max_fields=5, max_body=24, max_chunk_extensions=12, max_trailers=32, max_pipelined=64
)

Result = TypeVar("Result")
Inputs: TypeAlias = tuple[Input, ...]
Written: TypeAlias = http11.Response | http11.InformationalResponse | http11.Data | http11.EndOfMessage
_INPUTS: dict[type, Input] = {
    http11.Request: Input.REQUEST,
    http11.InformationalResponse: Input.INFORMATIONAL_RESPONSE,
    http11.Response: Input.RESPONSE,
    http11.Data: Input.DATA,
    http11.EndOfMessage: Input.END_OF_MESSAGE,
    http11.ConnectionClosed: Input.CONNECTION_CLOSED,
}

CLIENT_FAULTS = frozenset((400, 413, 414, 417, 431, 501, 505))
SERVER_FAULTS = frozenset((502,))


def require(condition: object, what: str) -> None:
    """Raise AssertionError unless the condition holds, also where Python strips asserts."""
    if not condition:
        raise AssertionError(what)


def cut(raw: bytes, seed: int) -> list[bytes]:
    """Cut into pieces, as a seed of one byte says: single bytes for 0, else of 1 to some dozens of bytes."""
    pieces = []
    number = seed
    while raw:
        number = (number * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        size = 1 + ((number >> 16) % seed if seed else 0)
        pieces.append(raw[:size])
        raw = raw[size:]
    return pieces


class Watch:
    """A connection whose every step is checked.

    Args:
        conn: the connection.
        limits: what it was made with.
    """

    def __init__(self, conn: http11.ServerConnection | http11.ClientConnection, limits: HttpLimits) -> None:
        self.conn = conn
        self._limits = limits
        self._body = 0
        chunk_line = limits.max_chunk_size_digits + limits.max_chunk_extensions + 4
        self._bound = max(limits.max_pipelined, limits.max_head, limits.max_trailers + 2, chunk_line)

    def receive(self, data: bytes) -> None:
        """Give it bytes."""
        self._call(lambda: self.conn.receive_data(data))
        require(self.conn.buffered <= self._bound + len(data), "the buffer is bounded")

    def receive_eof(self) -> None:
        """Give it the end."""
        self._call(self.conn.receive_eof)
        require(not self.conn.wants_data, "nothing comes after the end")

    def send(self, event: http11.Request | Written) -> bytes:
        """Send an event."""
        both = (Input.REQUEST,) if isinstance(event, http11.Request) else ()
        return self._call(lambda: self.conn.send(event), ours=(_INPUTS[type(event)],), theirs=both)  # type: ignore[arg-type]

    def send_response(self, status: int, headers: http11.Headers, body: bytes) -> bytes:
        """Send a whole answer."""
        conn = self.conn
        assert isinstance(conn, http11.ServerConnection)
        return self._call(
            lambda: conn.send_response(status, headers, body), ours=(Input.RESPONSE, Input.END_OF_MESSAGE)
        )

    def send_request(self, method: bytes, target: bytes, headers: http11.Headers) -> bytes:
        """Send a whole request."""
        conn = self.conn
        assert isinstance(conn, http11.ClientConnection)
        return self._call(
            lambda: conn.send_request(method, target, headers),
            ours=(Input.REQUEST, Input.END_OF_MESSAGE),
            theirs=(Input.REQUEST,),
        )

    def start_next_cycle(self) -> None:
        """Go on to the next exchange."""
        self._call(self.conn.start_next_cycle, ours=(Input.NEXT_CYCLE,), theirs=(Input.NEXT_CYCLE,))

    def next_event(self) -> http11.Event | http11.ResponseEvent | http11.Signal:
        """Take an event; RemoteProtocolError is the only way out but it."""
        conn, before = self.conn, self._states()
        try:
            event = conn.next_event()
        except http11.RemoteProtocolError as error:
            self._moved(before, (Input.FAULT,), (Input.FAULT,))
            self._refused(error)
            raise
        self._took(before, event)
        if event is http11.NEED_DATA:
            waiting = conn.their_state in (http11.State.IDLE, http11.State.SEND_RESPONSE, http11.State.SEND_BODY)
            require(not waiting or conn.wants_data, "nobody waits for bytes that nobody reads, or that cannot come")
        elif isinstance(event, http11.Data):
            self._body += len(event.data)
            require(event.data, "no piece of a body is empty")
            require(self._body <= self._limits.max_body, "a body is bounded")
        elif isinstance(event, http11.EndOfMessage):
            self._bounded(event.trailers, self._limits.max_trailers)
        elif isinstance(event, http11.Request):
            line = len(event.method) + len(event.target) + 12
            self._bounded(event.headers, self._limits.max_head - line)
            require(len(event.target) <= self._limits.max_target, "a target is bounded")
            self._body = 0
        elif isinstance(event, http11.Response | http11.InformationalResponse):
            self._bounded(event.headers, self._limits.max_head - 15 - len(event.reason))
            self._body = 0
        return event

    def _states(self) -> tuple[http11.State, http11.State]:
        return self.conn.our_state, self.conn.their_state

    def _call(self, call: Callable[[], Result], *, ours: Inputs = (), theirs: Inputs = ()) -> Result:
        before = self._states()
        result = call()
        self._moved(before, ours, theirs)
        return result

    def _took(self, before: tuple[http11.State, http11.State], event: object) -> None:
        what: Inputs = () if isinstance(event, http11.Signal) else (_INPUTS[type(event)],)
        if isinstance(event, http11.Response) and event.status == 101:
            what = (Input.SWITCHING,)
        both = isinstance(event, http11.Request) or what == (Input.SWITCHING,)
        self._moved(before, what if both else (), what)

    def _moved(self, before: tuple[http11.State, http11.State], ours: Inputs, theirs: Inputs) -> None:
        """Each side has made the moves of these inputs and no other, but that the last exchange may have ended."""
        tables = self.conn._OURS, self.conn._THEIRS
        sides = zip(("our", "their"), tables, before, (ours, theirs), self._states(), strict=True)
        for side, table, start, inputs, now in sides:
            expected = start
            for what in inputs:
                require((expected, what) in table, f"{side} side took {what} in {expected}")
                expected = table[expected, what]
            ended = None if self.conn.keep_alive else table.get((expected, Input.LAST_EXCHANGE))
            require(now in (expected, ended), f"{side} side went from {start} to {now}, not {expected}")
        require(self.conn.deadline_kind is None or self.conn.wants_data, "a deadline is for reading")

    def _bounded(self, fields: http11.Headers, size: int) -> None:
        require(len(fields) <= self._limits.max_fields, "the number of fields is bounded")
        require(sum(len(name) + len(value) + 3 for name, value in fields) + 2 <= size + 2, "the fields are bounded")
        for name, value in fields:
            require(name == name.lower(), "names are in lower case")
            require(value == value.strip(b" \t"), "values have no white space around them")

    def _refused(self, error: http11.RemoteProtocolError) -> None:
        conn = self.conn
        faults = CLIENT_FAULTS if isinstance(conn, http11.ServerConnection) else SERVER_FAULTS
        require(error.status in faults, f"{error.status} is no status of a refusal")
        require(error.close and not conn.keep_alive, "a fault closes the connection")
        require(conn.their_state is http11.State.ERROR and conn.buffered == 0, "nothing is read after a fault")
        before = self._states()
        event = conn.next_event()
        require(isinstance(event, http11.Signal | http11.ConnectionClosed), "a fault is told once")
        self._took(before, event)


def encode_fields(fields: http11.Headers) -> bytes:
    """Field lines, in as few bytes as possible."""
    return b"".join([b"%b:%b\r\n" % field for field in fields])


def encode_body(message: http11.Request | http11.Response, body: bytes, trailers: http11.Headers) -> bytes:
    """A body, framed as the head says."""
    if message.get(b"transfer-encoding") is None:
        return body
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return chunk + b"0\r\n" + encode_fields(trailers) + b"\r\n"
