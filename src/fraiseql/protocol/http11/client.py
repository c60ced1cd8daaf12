"""One HTTP/1.1 connection, seen from the client: requests in, bytes out; bytes in, answers out."""

from __future__ import annotations

from typing import Final

from fraiseql.errors import LocalProtocolError, RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11.body_reading import NO_BODY, UntilCloseReader
from fraiseql.protocol.http11.connection import Connection
from fraiseql.protocol.http11.events import (
    NEED_DATA,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Headers,
    InformationalResponse,
    Request,
    Response,
    ResponseEvent,
    Signal,
)
from fraiseql.protocol.http11.head_reading import RESPONSE, HeadReader
from fraiseql.protocol.http11.heads import check_fields, request_head
from fraiseql.protocol.http11.semantics import Answer, protocols, read_response
from fraiseql.protocol.http11.state import CLIENT_OURS, CLIENT_THEIRS, DeadlineKind, Input, State, move
from fraiseql.protocol.http11.writing import NO_CONTENT, BodyWriter, frame_request

__all__ = ["ClientConnection"]

_BAD_GATEWAY: Final = 502  # RFC 9110 §15.6.3: what a server answers that had to ask this peer


class ClientConnection(Connection):
    """The client's side of one HTTP/1.1 connection.

    Write what `send` or `send_request` return, feed it with `receive_data`, and take events from `next_event` until it
    gives NEED_DATA, PAUSED or ConnectionClosed. Once both sides are done, `start_next_cycle` makes room for the next
    request; nothing is pipelined. Where a call raises LocalProtocolError, nothing was written and no state has changed.

    The tunnels of CONNECT are not supported.

    Args:
        limits: of what the peer may send.

    Attributes:
        our_state: the client's side.
        their_state: the server's side.
        keep_alive: whether the connection survives the current exchange.
    """

    __slots__ = ("_head", "_method", "_offers")

    _OURS = CLIENT_OURS
    _THEIRS = CLIENT_THEIRS

    def __init__(self, limits: HttpLimits | None = None) -> None:
        super().__init__(limits)
        self._head = HeadReader(RESPONSE, self._limits, read_response)
        self._method = b""
        self._offers: tuple[bytes, ...] = ()  # protocols that the request offered to change to

    # Writing

    def send(self, event: Request | Data | EndOfMessage | ConnectionClosed) -> bytes:
        """Encode one event.

        Args:
            event: what to send. A Request says by Content-Length or Transfer-Encoding that it has a body, and has none
                otherwise. ConnectionClosed is no bytes: it says that the caller closes the connection.

        Raises:
            LocalProtocolError: the state forbids it, or the event could not be read back as what it is.
        """
        if isinstance(event, Request):
            if event.http_version != b"1.1":
                raise LocalProtocolError("only HTTP/1.1 is spoken here")
            data, self._writer = self._begin(event.method, event.target, event.headers)
            return data
        return self._send_rest(event)

    def send_request(self, method: bytes, target: bytes, headers: Headers, body: bytes = b"") -> bytes:
        """Encode a whole request: Request, Data and EndOfMessage in one call.

        Args:
            method: case-sensitive.
            target: origin-form, absolute-form, or `*` for OPTIONS.
            headers: with Host. Content-Length is added where there is a body, or the method expects one.
            body: all of it.

        Raises:
            LocalProtocolError: as `send`.
        """
        fields = check_fields(headers)
        if fields.length not in (None, len(body)):
            raise LocalProtocolError("the body is longer or shorter than its Content-Length")
        request, _ = self._begin(method, target, headers, body)
        self.our_state = move(CLIENT_OURS, self.our_state, Input.END_OF_MESSAGE)
        self._settle()
        return request

    def _begin(
        self, method: bytes, target: bytes, headers: Headers, body: bytes | None = None
    ) -> tuple[bytes, BodyWriter]:
        ours = move(CLIENT_OURS, self.our_state, Input.REQUEST)
        theirs = move(CLIENT_THEIRS, self.their_state, Input.REQUEST)
        if self._buffer or self._eof:  # it would be taken for the answer to this request
            raise LocalProtocolError("the server has sent or closed something: ask next_event first")
        fields = check_fields(headers)
        framing, writer = frame_request(method, fields, None if body is None else len(body))
        if fields.expects_continue and not framing and not fields.length:
            raise LocalProtocolError("Expect: 100-continue in a request without a body")  # RFC 9110 §10.1.1
        data = request_head(method, target, fields, framing)
        if body is not None:
            data += body
        self.our_state, self.their_state = ours, theirs
        self.keep_alive = not fields.close
        self._method = method
        self._offers = () if fields.upgrade is None else protocols(fields.upgrade)
        return data, writer

    # Reading

    def next_event(self) -> ResponseEvent | Signal:
        """The next event, or why there is none.

        Returns:
            InformationalResponse, Response, Data, EndOfMessage or ConnectionClosed (again at every call); NEED_DATA
            where more bytes are needed; PAUSED where the bytes at hand belong to another protocol, after
            Response(101).

        Raises:
            RemoteProtocolError: the peer broke the protocol. Close the connection; nothing more is read from it. The
                `status` is 502, for a caller that is a server itself.
            LimitExceeded: the same, for a limit.
        """
        try:
            return self._next_event()
        except RemoteProtocolError as error:
            self._fail()
            error.status = _BAD_GATEWAY
            raise

    def _next_event(self) -> ResponseEvent | Signal:
        state = self.their_state
        if state is State.SEND_RESPONSE:
            return self._read_answer() if self._head.read(self._buffer) else self._no_head()
        if state is State.SEND_BODY:
            return self._read_body()
        if state in (State.IDLE, State.DONE) and self._buffer:  # RFC 9112 §6.3
            raise RemoteProtocolError("these bytes answer no request")
        return self._idle_event()

    def _no_head(self) -> Signal:
        if not self._eof:
            return NEED_DATA
        raise RemoteProtocolError("the connection ended before the answer did")  # RFC 9112 §8

    def _read_answer(self) -> InformationalResponse | Response:
        answer, fields, reason = self._head.meaning, self._head.fields, self._head.line[2]
        if answer.status == 101:
            self._switch(answer)
            return Response(101, fields, reason)
        if answer.status < 200:
            self.their_state = move(CLIENT_THEIRS, self.their_state, Input.INFORMATIONAL_RESPONSE)
            return InformationalResponse(answer.status, fields, reason)
        keep_alive = self.keep_alive and answer.keep_alive
        # RFC 9112 §6.3, in its order
        if self._method == b"HEAD" or answer.status in NO_CONTENT:
            self._body = NO_BODY
        elif answer.is_chunked:
            self._expect_body(None)
        elif answer.length is not None:
            self._expect_body(answer.length)
        else:
            self._body = UntilCloseReader(self._limits.max_body)
            keep_alive = False
        self.keep_alive = keep_alive
        self.their_state = move(CLIENT_THEIRS, self.their_state, Input.RESPONSE)
        self._settle()
        return Response(answer.status, fields, reason)

    def _switch(self, answer: Answer) -> None:
        """RFC 9110 §7.8: to a protocol that was offered, once the request has ended."""
        offered = bool(answer.upgrades) and set(answer.upgrades) <= set(self._offers)
        if not offered or self.our_state is not State.DONE:
            raise RemoteProtocolError("a change of protocol that was not offered, or not yet")
        self.our_state = move(CLIENT_OURS, self.our_state, Input.SWITCHING)
        self.their_state = move(CLIENT_THEIRS, self.their_state, Input.SWITCHING)

    @property
    def deadline_kind(self) -> DeadlineKind | None:
        """Which timeout runs now.

        None while the server has not begun its answer: how long that may take is the caller's to say.
        """
        if self._eof or not self.wants_data:
            return None
        if self.their_state is State.IDLE:
            return DeadlineKind.IDLE
        if self.their_state is State.SEND_BODY:
            return DeadlineKind.BODY
        has_begun = self.their_state is State.SEND_RESPONSE and (self._buffer or self._head.begun)
        return DeadlineKind.HEAD if has_begun else None
