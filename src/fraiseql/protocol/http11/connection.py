"""One HTTP/1.1 connection, seen from the server: bytes in, events out; answers in, bytes out."""

from __future__ import annotations

from typing import Final

from fraiseql.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11.events import (
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    Headers,
    InformationalResponse,
    Request,
    Response,
    Signal,
    combine,
)
from fraiseql.protocol.http11.heads import check_fields, final_head, interim_head, switching_head
from fraiseql.protocol.http11.reading import BodyReader, ChunkedReader, HeadReader, LengthReader
from fraiseql.protocol.http11.semantics import Exchange, examine
from fraiseql.protocol.http11.state import OURS, THEIRS, DeadlineKind, Input, State, move
from fraiseql.protocol.http11.writing import BodyWriter, LengthWriter, UntilCloseWriter, frame

__all__ = ["ServerConnection"]

_NO_REQUEST: Final = Exchange(is_http11=False)  # what we assume of a peer before its request is complete
_NO_BODY: Final = LengthReader(0)
_DISCARDING: Final = frozenset((State.MUST_CLOSE, State.CLOSED, State.ERROR))


class ServerConnection:
    """The server's side of one HTTP/1.1 connection.

    Feed it with `receive_data`, take events from `next_event` until it gives NEED_DATA, PAUSED or ConnectionClosed, and
    write what `send` or `send_response` return. Once both sides are done, `start_next_cycle` goes on to the next
    request. Where a call raises LocalProtocolError, nothing was written and no state has changed.

    Args:
        limits: of what the peer may send.

    Attributes:
        our_state: the server's side.
        their_state: the client's side.
        keep_alive: whether the connection survives the current exchange.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_enough",
        "_eof",
        "_exchange",
        "_expects_continue",
        "_head",
        "_limits",
        "_writer",
        "keep_alive",
        "our_state",
        "their_state",
    )

    def __init__(self, limits: HttpLimits | None = None) -> None:
        self._limits = limits or HttpLimits()
        self._buffer = bytearray()
        self._enough = _enough(self._limits)
        self._eof = False
        self._head = HeadReader(self._limits)
        self._exchange = _NO_REQUEST
        self._body: BodyReader = _NO_BODY
        self._writer: BodyWriter = LengthWriter(0)
        self._expects_continue = False
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
        if self.their_state is State.SWITCHED_PROTOCOL:
            raise LocalProtocolError("the bytes belong to another protocol now")
        if self.their_state not in _DISCARDING:
            self._buffer += data

    def receive_eof(self) -> None:
        """Take note that the peer sends nothing more; it may still read (RFC 9112 §9.6)."""
        self._eof = True

    def next_event(self) -> Event | Signal:
        """The next event, or why there is none.

        Returns:
            Request, Data, EndOfMessage or ConnectionClosed (again at every call); NEED_DATA where more bytes are
            needed; PAUSED where the bytes at hand belong to the next exchange, or to another protocol.

        Raises:
            RemoteProtocolError: the peer broke the protocol; answer with its `status` if `our_state` is SEND_RESPONSE,
                then close. Nothing more is read from this peer.
            LimitExceeded: the same, for a limit.
        """
        try:
            return self._next_event()
        except RemoteProtocolError:
            self.their_state = move(THEIRS, self.their_state, Input.FAULT)
            self.our_state = move(OURS, self.our_state, Input.FAULT)
            self.keep_alive = False
            self._buffer.clear()
            raise

    def _next_event(self) -> Event | Signal:
        state = self.their_state
        if state is State.IDLE:
            return self._read_head()
        if state is State.SEND_BODY:
            return self._read_body()
        if state is State.SWITCHED_PROTOCOL or (state is State.DONE and self._buffer):
            return PAUSED
        return self._close() if self._eof else NEED_DATA

    def _read_head(self) -> Event | Signal:
        head = self._head.read(self._buffer)
        if head is None:
            if not self._eof:
                return NEED_DATA
            if self._buffer:
                raise RemoteProtocolError("the connection ended within a request's head")  # RFC 9112 §8
            return self._close()
        fields = combine(head.headers)
        exchange = examine(head.method, head.minor, head.headers, fields)
        if exchange.length is not None and exchange.length > self._limits.max_body:
            raise LimitExceeded("the body is too long", status=413)
        self.their_state = move(THEIRS, self.their_state, Input.REQUEST)
        self.our_state = move(OURS, self.our_state, Input.REQUEST)
        self._exchange = exchange
        self._expects_continue = exchange.expects_continue
        if exchange.length is None:
            self._body = ChunkedReader(self._limits)
        else:
            self._body = LengthReader(exchange.length) if exchange.length else _NO_BODY
        self.keep_alive = exchange.keep_alive
        return Request(head.method, head.target, head.headers, b"1.1" if exchange.is_http11 else b"1.0", fields)

    def _read_body(self) -> Event | Signal:
        event = self._body.read(self._buffer)
        if event is None:
            if self._eof:
                raise RemoteProtocolError("the connection ended within a request's body")  # RFC 9112 §8
            return NEED_DATA
        self._expects_continue = False  # RFC 9110 §10.1.1: the peer has not waited
        if isinstance(event, EndOfMessage):
            self.their_state = move(THEIRS, self.their_state, Input.END_OF_MESSAGE)
            self._settle()
        else:
            self.their_state = move(THEIRS, self.their_state, Input.DATA)
        return event

    def _close(self) -> ConnectionClosed:
        self.their_state = move(THEIRS, self.their_state, Input.CONNECTION_CLOSED)
        self.keep_alive = False
        self._settle()
        return ConnectionClosed()

    @property
    def client_is_waiting_for_100_continue(self) -> bool:
        """Whether the client may hold its body back until it gets an InformationalResponse(100) (RFC 9110 §10.1.1).

        Send that when the body is first wanted. A final answer instead closes the connection.
        """
        return self._expects_continue and not self._buffer and self.our_state is State.SEND_RESPONSE

    @property
    def trailing_data(self) -> bytes:
        """The bytes that came after the request that changed the protocol; LocalProtocolError before the change."""
        if self.their_state is not State.SWITCHED_PROTOCOL:
            raise LocalProtocolError("the protocol was not changed")
        return bytes(self._buffer)

    @property
    def buffered(self) -> int:
        """How many received bytes were not read as events yet."""
        return len(self._buffer)

    @property
    def wants_data(self) -> bool:
        """Whether to go on reading; False while the bytes at hand already fill the buffer, and after the end.

        `receive_data` takes what was read nevertheless, so the buffer exceeds its bound by one read at most.
        """
        if self._eof or self.their_state is State.SWITCHED_PROTOCOL:
            return False
        bound = self._limits.max_pipelined if self.their_state is State.DONE else self._enough
        return not self._buffer or len(self._buffer) < bound

    @property
    def deadline_kind(self) -> DeadlineKind | None:
        """Which timeout runs now; None while it is not the peer's turn."""
        if self._eof or not self.wants_data:
            return None
        if self.their_state is State.IDLE:
            return DeadlineKind.HEAD if self._buffer or self._head.begun else DeadlineKind.IDLE
        if self.their_state is State.SEND_BODY and not self.client_is_waiting_for_100_continue:
            return DeadlineKind.BODY
        return None

    # Writing

    def send(
        self,
        event: Response | InformationalResponse | Data | EndOfMessage | ConnectionClosed,
        date: bytes | None = None,
    ) -> bytes:
        """Encode one event.

        Args:
            event: what to send. ConnectionClosed is no bytes: it says that the caller closes the connection.
            date: the value of Date, for a Response that has none.

        Raises:
            LocalProtocolError: the state forbids it, or the event could not be read back as what it is.
        """
        if isinstance(event, Response):
            return self._respond(event, date)
        if isinstance(event, InformationalResponse):
            return self._inform(event)
        if isinstance(event, Data):
            after = move(OURS, self.our_state, Input.DATA)
            data = self._writer.data(event.data)
        elif isinstance(event, EndOfMessage):
            after = move(OURS, self.our_state, Input.END_OF_MESSAGE)
            data = self._writer.end(event.trailers)
        else:
            after = move(OURS, self.our_state, Input.CONNECTION_CLOSED)
            data = b""
            self.keep_alive = False
        self.our_state = after
        self._settle()
        return data

    def send_response(self, status: int, headers: Headers, body: bytes, date: bytes | None = None) -> bytes:
        """Encode a whole answer: Response, Data and EndOfMessage in one call.

        Args:
            status: 200 to 599.
            headers: Content-Length is added, and Connection where it is needed.
            body: all of it; for HEAD what GET would get, which is measured and not sent.
            date: the value of Date, if the headers have none.

        Raises:
            LocalProtocolError: as `send`.
        """
        after = move(OURS, move(OURS, self.our_state, Input.RESPONSE), Input.END_OF_MESSAGE)
        head, writer, keep_alive = self._encode_head(status, b"", headers, date, len(body))
        data = writer.data(body)
        tail = writer.end(())
        self._begin_answer(keep_alive)
        self.our_state = after
        self._settle()
        return head + data + tail

    def start_next_cycle(self) -> None:
        """Go on to the next request on this connection; raises LocalProtocolError unless both sides are DONE."""
        theirs = move(THEIRS, self.their_state, Input.NEXT_CYCLE)
        self.our_state = move(OURS, self.our_state, Input.NEXT_CYCLE)
        self.their_state = theirs
        self._exchange = _NO_REQUEST

    def _respond(self, event: Response, date: bytes | None) -> bytes:
        if event.status == 101:
            return self._switch(event, date)
        after = move(OURS, self.our_state, Input.RESPONSE)
        head, writer, keep_alive = self._encode_head(event.status, event.reason, event.headers, date, None)
        self._begin_answer(keep_alive)
        self._writer = writer
        self.our_state = after
        self._settle()
        return head

    def _encode_head(
        self, status: int, reason: bytes, headers: Headers, date: bytes | None, body_length: int | None
    ) -> tuple[bytes, BodyWriter, bool]:
        if not 200 <= status <= 599:
            raise LocalProtocolError(f"{status} is not the status of a final answer")
        fields = check_fields(headers)
        exchange = self._exchange
        framing, writer = frame(status, fields, exchange.is_head, exchange.is_http11, body_length)
        keep_alive = (
            self.keep_alive
            and not fields.close
            and status != 408  # RFC 9110 §15.5.9
            and not self._expects_continue  # RFC 9110 §10.1.1: the body may come, or not
            and not (self._eof and not self._buffer)
            and not isinstance(writer, UntilCloseWriter)
            and self.our_state is not State.IDLE
        )
        head = final_head(
            status,
            reason,
            fields,
            framing=framing,
            keep_alive=keep_alive,
            is_http11=exchange.is_http11,
            date=date,
        )
        return head, writer, keep_alive

    def _begin_answer(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self._expects_continue = False
        if self.their_state is State.IDLE:  # an answer before a request: nothing more is read
            self._discard()

    def _inform(self, event: InformationalResponse) -> bytes:
        after = move(OURS, self.our_state, Input.INFORMATIONAL_RESPONSE)
        if not self._exchange.is_http11:
            raise LocalProtocolError("HTTP/1.0 has no informational responses")  # RFC 9110 §15.2
        head = interim_head(event)
        self.our_state = after
        if event.status == 100:
            self._expects_continue = False
        return head

    def _switch(self, event: Response, date: bytes | None) -> bytes:
        ours = move(OURS, self.our_state, Input.SWITCHING)
        theirs = move(THEIRS, self.their_state, Input.SWITCHING)
        head = switching_head(event, self._exchange.upgrades, date)
        self.our_state, self.their_state = ours, theirs
        return head

    # Both sides

    def _settle(self) -> None:
        """End the connection's last exchange where a side is done with it."""
        if self.keep_alive:
            return
        if self.our_state is State.DONE:
            self.our_state = move(OURS, self.our_state, Input.LAST_EXCHANGE)
        if self.their_state is State.DONE or (self.their_state is State.IDLE and self.our_state is State.CLOSED):
            self._discard()

    def _discard(self) -> None:
        self.their_state = move(THEIRS, self.their_state, Input.LAST_EXCHANGE)
        self._buffer.clear()


def _enough(limits: HttpLimits) -> int:
    """How many bytes to hold at least before reading pauses: what is incomplete must fit, or it is never completed."""
    chunk_line = limits.max_chunk_size_digits + limits.max_chunk_extensions + 4
    return max(limits.max_pipelined, limits.max_head, limits.max_trailers + 2, chunk_line)
