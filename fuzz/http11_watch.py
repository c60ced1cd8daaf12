"""What holds for an HTTP/1.1 connection at every step, whatever the peer sends: checked around each call."""

from __future__ import annotations

from fraiseql.limits import HttpLimits
from fraiseql.protocol import http11
from fraiseql.protocol.http11.connection import Connection
from fraiseql.protocol.http11.state import Table

__all__ = ["SMALL", "USUAL", "Watch", "cut", "encode_body", "encode_fields", "require"]

USUAL = HttpLimits()
SMALL = HttpLimits(
    max_head=160, max_target=24, max_fields=5, max_body=24, max_chunk_extensions=12, max_trailers=32, max_pipelined=64
)

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


def closure(table: Table) -> set[tuple[object, object]]:
    """All pairs of a state and one that can be reached from it, itself included."""
    states = {before for before, _ in table} | set(table.values())
    reached: set[tuple[object, object]] = {(state, state) for state in states}
    for _ in states:
        steps = {(before, after) for (before, _), after in table.items()}
        reached |= {(start, after) for start, middle in reached for before, after in steps if middle is before}
    return reached


class Watch:
    """A connection whose every step is checked.

    Args:
        conn: the connection.
        limits: what it was made with.
    """

    def __init__(self, conn: http11.ServerConnection | http11.ClientConnection, limits: HttpLimits) -> None:
        self.conn = conn
        self._limits = limits
        self._ours, self._theirs = _reachable(conn)
        self._before = conn.our_state, conn.their_state
        self._body = 0
        chunk_line = limits.max_chunk_size_digits + limits.max_chunk_extensions + 4
        self._bound = max(limits.max_pipelined, limits.max_head, limits.max_trailers + 2, chunk_line)

    def receive(self, data: bytes) -> None:
        """Give it bytes."""
        self.conn.receive_data(data)
        self._stepped()
        require(self.conn.buffered <= self._bound + len(data), "the buffer is bounded")

    def receive_eof(self) -> None:
        """Give it the end."""
        self.conn.receive_eof()
        self._stepped()
        require(not self.conn.wants_data, "nothing comes after the end")

    def next_event(self) -> http11.Event | http11.ResponseEvent | http11.Signal:
        """Take an event; RemoteProtocolError is the only way out but it."""
        conn = self.conn
        try:
            event = conn.next_event()
        except http11.RemoteProtocolError as error:
            self._refused(error)
            raise
        self._stepped()
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

    def _stepped(self) -> None:
        now = self.conn.our_state, self.conn.their_state
        require((self._before[0], now[0]) in self._ours, f"our side went from {self._before[0]} to {now[0]}")
        require((self._before[1], now[1]) in self._theirs, f"their side went from {self._before[1]} to {now[1]}")
        require(self.conn.deadline_kind is None or self.conn.wants_data, "a deadline is for reading")
        self._before = now

    def _bounded(self, fields: http11.Headers, size: int) -> None:
        require(len(fields) <= self._limits.max_fields, "the number of fields is bounded")
        require(sum(len(name) + len(value) + 3 for name, value in fields) + 2 <= size + 2, "the fields are bounded")
        for name, value in fields:
            require(name == name.lower(), "names are in lower case")
            require(value == value.strip(b" \t"), "values have no white space around them")

    def _refused(self, error: http11.RemoteProtocolError) -> None:
        conn = self.conn
        self._stepped()
        faults = CLIENT_FAULTS if isinstance(conn, http11.ServerConnection) else SERVER_FAULTS
        require(error.status in faults, f"{error.status} is no status of a refusal")
        require(error.close and not conn.keep_alive, "a fault closes the connection")
        require(conn.their_state is http11.State.ERROR and conn.buffered == 0, "nothing is read after a fault")
        require(isinstance(conn.next_event(), http11.Signal | http11.ConnectionClosed), "a fault is told once")
        self._stepped()


def _reachable(conn: Connection) -> tuple[set[tuple[object, object]], set[tuple[object, object]]]:
    return _CLOSURES[type(conn)]


_CLOSURES = {kind: (closure(kind._OURS), closure(kind._THEIRS)) for kind in Connection.__subclasses__()}


def encode_fields(fields: http11.Headers) -> bytes:
    """Field lines, in as few bytes as possible."""
    return b"".join([b"%b:%b\r\n" % field for field in fields])


def encode_body(message: http11.Request | http11.Response, body: bytes, trailers: http11.Headers) -> bytes:
    """A body, framed as the head says."""
    if message.get(b"transfer-encoding") is None:
        return body
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return chunk + b"0\r\n" + encode_fields(trailers) + b"\r\n"
