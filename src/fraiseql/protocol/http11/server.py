"""One HTTP/1.1 connection, seen from the server: bytes in, requests out; answers in, bytes out."""

from __future__ import annotations

from typing import Final

from fraiseql.errors import LocalProtocolError, RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11.body_reading import NO_BODY, WHOLE_END
from fraiseql.protocol.http11.connection import Connection
from fraiseql.protocol.http11.events import (
    NEED_DATA,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    Headers,
    InformationalResponse,
    Request,
    Response,
    Signal,
)
from fraiseql.protocol.http11.head_reading import REQUEST, HeadReader
from fraiseql.protocol.http11.heads import check_fields, final_head, interim_head, switching_head
from fraiseql.protocol.http11.semantics import Exchange, read_request
from fraiseql.protocol.http11.state import SERVER_OURS, SERVER_THEIRS, DeadlineKind, Input, State, move
from fraiseql.protocol.http11.writing import BodyWriter, UntilCloseWriter, frame, may_have_any_length

__all__ = ["ServerConnection"]

_NO_REQUEST: Final = Exchange(is_http11=False)  # what we assume of a peer before its request is complete
_IDLE: Final = State.IDLE
_SEND_BODY: Final = State.SEND_BODY
_SEND_RESPONSE: Final = State.SEND_RESPONSE
# Taken from the tables once: the moves of every exchange
_READING: Final = move(SERVER_THEIRS, _IDLE, Input.REQUEST)
_READ: Final = move(SERVER_THEIRS, _READING, Input.END_OF_MESSAGE)
_ANSWERING: Final = move(SERVER_OURS, _IDLE, Input.REQUEST)
_ANSWERED: Final = move(SERVER_OURS, move(SERVER_OURS, _SEND_RESPONSE, Input.RESPONSE), Input.END_OF_MESSAGE)


class ServerConnection(Connection):
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

    __slots__ = ("_exchange", "_expects_continue", "_head", "_last_answer", "_last_head", "_last_tail")

    _OURS = SERVER_OURS
    _THEIRS = SERVER_THEIRS

    def __init__(self, limits: HttpLimits | None = None) -> None:
        super().__init__(limits)
        self._head = HeadReader(REQUEST, self._limits, read_request)
        self._exchange = _NO_REQUEST
        self._expects_continue = False
        # What the last whole answer was made of, and its head before and after the number of its body's bytes
        self._last_answer: tuple[int, Headers, bytes | None] | None = None
        self._last_head = self._last_tail = b""

    # Reading

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
            if self.their_state is _IDLE:
                head = self._head
                if not head.read(self._buffer):
                    return self._no_head()
                exchange = head.meaning
                if exchange.length == 0:
                    self._body = NO_BODY
                else:
                    self._expect_body(exchange.length)
                self.their_state = _READING
                self.our_state = _ANSWERING
                self._exchange = exchange
                self._expects_continue = exchange.expects_continue
                self.keep_alive = exchange.keep_alive
                method, target, _ = head.line
                return Request(method, target, head.fields, b"1.1" if exchange.is_http11 else b"1.0")
            if self.their_state is _SEND_BODY:
                if self._body is NO_BODY and self.keep_alive:  # most requests
                    self.their_state = _READ
                    return WHOLE_END
                if self._buffer:
                    self._expects_continue = False  # RFC 9110 §10.1.1: the peer has not waited
                return self._read_body()
        except RemoteProtocolError:
            self._fail()
            raise
        return self._idle_event()

    def _no_head(self) -> ConnectionClosed | Signal:
        if not self._eof:
            return NEED_DATA
        if self._buffer:
            raise RemoteProtocolError("the connection ended within a request's head")  # RFC 9112 §8
        return self._close()

    def _fail(self) -> None:
        if self.their_state is _IDLE:
            self._exchange = _NO_REQUEST
        super()._fail()

    @property
    def client_is_waiting_for_100_continue(self) -> bool:
        """Whether the client may hold its body back until it gets an InformationalResponse(100) (RFC 9110 §10.1.1).

        Send that when the body is first wanted. A final answer instead closes the connection.
        """
        return self._expects_continue and not self._buffer and self.our_state is _SEND_RESPONSE

    @property
    def deadline_kind(self) -> DeadlineKind | None:
        """Which timeout runs now; None while it is not the peer's turn."""
        if self._eof or not self.wants_data:
            return None
        if self.their_state is _IDLE:
            return DeadlineKind.HEAD if self._buffer or self._head.begun else DeadlineKind.IDLE
        if self.their_state is _SEND_BODY and not self.client_is_waiting_for_100_continue:
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
        return self._send_rest(event)

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
        if (status, headers, date) == self._last_answer and self._is_plain():
            answer = b"%b%d%b%b" % (self._last_head, len(body), self._last_tail, body)
            self.our_state = _ANSWERED
            return answer
        after = move(SERVER_OURS, move(SERVER_OURS, self.our_state, Input.RESPONSE), Input.END_OF_MESSAGE)
        head, writer, keep_alive = self._encode_head(status, b"", headers, date, len(body))
        data = writer.data(body)
        answer = head + data + writer.end(())  # first of all: it may fail
        self._begin_answer(keep_alive)
        self.our_state = after
        self._settle()
        return answer

    def _is_plain(self) -> bool:
        """Whether nothing but its own arguments bears on the head of a whole answer."""
        return (
            self.our_state is _SEND_RESPONSE
            and self._exchange.is_plain
            and self.keep_alive
            and not self._expects_continue
            and not self._eof
        )

    def _respond(self, event: Response, date: bytes | None) -> bytes:
        if event.status == 101:
            return self._switch(event, date)
        after = move(SERVER_OURS, self.our_state, Input.RESPONSE)
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
        exchange = _NO_REQUEST if self.our_state is _IDLE else self._exchange
        framing, writer = frame(status, fields, exchange.is_head, exchange.is_http11, body_length)
        keep_alive = (
            self.keep_alive
            and not fields.close
            and status != 408  # RFC 9110 §15.5.9
            and not self._expects_continue  # RFC 9110 §10.1.1: the body may come, or not
            and not (self._eof and not self._buffer)
            and not isinstance(writer, UntilCloseWriter)
            and self.our_state is not _IDLE
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
        if body_length is not None and keep_alive and self._is_plain() and may_have_any_length(status, fields):
            before, _, after = head.partition(b"\r\n" + framing)
            self._last_answer = (status, fields.headers, date)  # not what the caller may change
            self._last_head, self._last_tail = before + b"\r\ncontent-length: ", b"\r\n" + after
        return head, writer, keep_alive

    def _begin_answer(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self._expects_continue = False
        if self.their_state is _IDLE:  # an answer before a request: nothing more is read
            self._discard()

    def _inform(self, event: InformationalResponse) -> bytes:
        after = move(SERVER_OURS, self.our_state, Input.INFORMATIONAL_RESPONSE)
        if not self._exchange.is_http11:
            raise LocalProtocolError("HTTP/1.0 has no informational responses")  # RFC 9110 §15.2
        head = interim_head(event)
        self.our_state = after
        if event.status == 100:
            self._expects_continue = False
        return head

    def _switch(self, event: Response, date: bytes | None) -> bytes:
        ours = move(SERVER_OURS, self.our_state, Input.SWITCHING)
        theirs = move(SERVER_THEIRS, self.their_state, Input.SWITCHING)
        head = switching_head(event, self._exchange.upgrades, date)
        self.our_state, self.their_state = ours, theirs
        return head
