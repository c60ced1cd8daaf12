"""One client's HTTP/1.1 connection: requests in, answers out, one after the other."""

from __future__ import annotations

from typing import Any, Final

from fraiseql.context import ANONYMOUS, Caller, ClientRequest
from fraiseql.effects import Emission
from fraiseql.errors import RemoteProtocolError, RequestError
from fraiseql.observations import InternalErrorMasked, RequestCompleted, RequestRefused
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, refuse
from fraiseql.protocol.http11 import (
    NEED_DATA,
    PAUSED,
    Data,
    DeadlineKind,
    EndOfMessage,
    InformationalResponse,
    Request,
    ServerConnection,
    State,
)
from fraiseql.session.coding import Choice
from fraiseql.session.endpoint import Endpoint
from fraiseql.session.event_stream import EventStream
from fraiseql.session.events import (
    CancelOperation,
    CloseConnection,
    Command,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    OperationEmitted,
    OperationEnded,
    OperationFailed,
    OperationJoined,
    SendData,
    SendingPaused,
    SendingResumed,
    SessionEvent,
    StartOperation,
)
from fraiseql.session.finishing import Unfinished, finish
from fraiseql.session.graphql_http import (
    EVENT_STREAM,
    Answer,
    HttpRefusal,
    answer,
    error_answer,
    negotiate,
    read_request,
)
from fraiseql.session.routes import GRAPHQL, answer_other_path, open_websocket, wants_websocket
from fraiseql.session.websocket import WebSocketSession

__all__ = ["HttpSession"]

_TIMED_OUT: Final = (Outcome.TIMED_OUT, "The request took longer than the server allows.", "REQUEST_TIMEOUT")
_CHALLENGE: Final = ((b"www-authenticate", b"Bearer"),)  # RFC 9110 §15.5.2
_ANSWER: Final = object()  # to be waited for until the request's time is over
_BROKEN: Final = (Outcome.FAILED, "Internal server error.", "INTERNAL_SERVER_ERROR")


class HttpSession:
    """Serves GraphQL over one HTTP/1.1 connection.

    One operation runs at a time; pipelined requests wait in the machine's bounded buffer, so that answers keep the
    order of the requests. A client that closes its side while its operation runs has left: the operation is cancelled.

    Args:
        endpoint: what all connections share.
        connection_id: unique in the process; request ids begin with it.
        address: the client's IP address, where there is one.

    Attributes:
        deadline: when to deliver DeadlineReached, in the seconds of `now`; None where nothing is waited for.
        successor: the session that goes on after an upgrade, and the bytes that it gets first.
    """

    __slots__ = (
        "_address",
        "_began",
        "_body",
        "_choice",
        "_closed",
        "_connection_id",
        "_draining",
        "_endpoint",
        "_graphql",
        "_is_authorising",
        "_machine",
        "_media_type",
        "_observe",
        "_operations",
        "_request",
        "_request_id",
        "_requests",
        "_running",
        "_sending_paused",
        "_stream",
        "_unfinished",
        "_waiting",
        "_waiting_in",
        "deadline",
        "successor",
    )

    def __init__(self, endpoint: Endpoint, connection_id: str, address: str | None = None) -> None:
        self._endpoint = endpoint
        self._address = address
        self._observe = endpoint.observe
        self._connection_id = connection_id
        self._machine = ServerConnection(endpoint.http)
        self._request: Request | None = None
        self._graphql: GraphQLRequest | None = None
        self._body: list[bytes] = []
        self._media_type = b""
        self._choice: Choice | None = None  # of a content coding
        self._unfinished: Answer | None = None  # what runs makes it ready to go out
        self._began = 0.0
        self._requests = 0
        self._request_id = f"{connection_id}-0"
        self._operations = 0
        self._running = False
        self._is_authorising = False  # what runs finds out who asks
        self._stream: EventStream | None = None
        self._sending_paused = False
        self._draining = False
        self._closed = False
        self._waiting: Any = None  # what the deadline is for: a DeadlineKind, _ANSWER or nothing ...
        self._waiting_in = 0  # ... in which request
        self.deadline: float | None = None
        self.successor: tuple[WebSocketSession, bytes] | None = None

    @property
    def wants_data(self) -> bool:
        """Whether to read from the client now."""
        return not self._closed and not self._sending_paused and self._machine.wants_data

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        """Take an event and say what to do, in this order.

        Args:
            now: seconds on a clock that never goes back.
            date: the wall clock as an IMF-fixdate (RFC 9110 §5.6.7).
        """
        commands: list[Command] = []
        if self._closed:
            return commands
        kind = type(event)
        if kind is DataReceived:  # these two are nearly all
            self._machine.receive_data(event.data)  # type: ignore[union-attr]
        elif kind is OperationEnded:
            self._operation_ended(event.operation_id, event.result, now, date, commands)  # type: ignore[union-attr]
        else:
            self._happened(event, now, date, commands)
        self._advance(now, date, commands)
        self._set_deadline(now)
        return commands

    def _happened(self, event: SessionEvent, now: float, date: bytes, commands: list[Command]) -> None:
        match event:
            case OperationJoined(operation_id):
                if self._stream is not None and operation_id == self._operations:
                    self._stream.times_out = None  # a subscription may last
                    if self._draining:
                        self._cut_stream(commands)
            case OperationEmitted(operation_id, emission, is_state):
                self._emitted(operation_id, emission, is_state, now, commands)
            case OperationFailed(operation_id, error):
                self._operation_failed(operation_id, error, now, date, commands)
            case SendingPaused():
                self._sending_paused = True
            case SendingResumed():
                self._sending_paused = False
                if self._stream is not None:
                    self._stream.resume(self._operations, now, commands)
            case EofReceived():
                self._machine.receive_eof()
                if self._running:
                    self._leave(commands)
            case DeadlineReached():
                self._deadline_reached(now, date, commands)
            case DrainRequested():
                self._draining = True
                if self._stream is not None and self._stream.times_out is None:
                    self._cut_stream(commands)
                elif self._is_authorising and self._media_type == EVENT_STREAM:
                    commands.append(CancelOperation(self._operations))
                    self._refuse_request(503, "The server is stopping.", "SERVER_STOPPING", now, date, commands)

    def _advance(self, now: float, date: bytes, commands: list[Command]) -> None:
        """Read what can be read, until an operation runs or more bytes are needed."""
        while not self._running and not self._closed and not self._sending_paused and self.successor is None:
            try:
                event = self._machine.next_event()
            except RemoteProtocolError as error:
                self._refuse_peer(error, date, commands)
                return
            if event is NEED_DATA or event is PAUSED:
                # Between requests there is nothing to finish for a server that stops.
                if self._draining and self._machine.deadline_kind is DeadlineKind.IDLE:
                    self._close(commands)
                return
            if isinstance(event, Request):
                self._request = event
                self._requests += 1
                self._request_id = f"{self._connection_id}-{self._requests}"
                self._began = now
                self._invite_body(event, date, commands)
            elif isinstance(event, Data):
                self._body.append(event.data)
            elif isinstance(event, EndOfMessage):
                self._dispatch(now, date, commands)
            else:
                self._close(commands)

    def _invite_body(self, request: Request, date: bytes, commands: list[Command]) -> None:
        """Ask for a body that the client holds back, if it can be of use; refuse it otherwise (RFC 9110 §10.1.1)."""
        if not self._machine.client_is_waiting_for_100_continue:
            return
        if request.path in GRAPHQL and request.method == b"POST":
            commands.append(SendData(self._machine.send(InformationalResponse(100))))
        else:
            self._dispatch(self._began, date, commands)

    def _dispatch(self, now: float, date: bytes, commands: list[Command]) -> None:
        """Answer a complete request, or start the operation that will."""
        request = self._request
        assert request is not None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        if request.path not in GRAPHQL:
            self._answer(answer_other_path(request), now, date, commands)
        elif wants_websocket(request):
            self._upgrade(request, body, now, date, commands)
        else:
            self._start(request, body, now, date, commands)

    def _upgrade(self, request: Request, body: bytes, now: float, date: bytes, commands: list[Command]) -> None:
        """Open a WebSocket, or say why not."""
        try:
            handshake = open_websocket(self._endpoint, request, has_body=bool(body), is_draining=self._draining)
        except HttpRefusal as refusal:
            self._answer(refusal.answer, now, date, commands)
            return
        commands.append(SendData(self._machine.send(handshake.response, date)))
        seen = self._client_request(request, "websocket")
        session = WebSocketSession(self._endpoint, self._connection_id, handshake, seen, self._requests - 1, now)
        self.successor = session, self._machine.trailing_data

    def _start(self, request: Request, body: bytes, now: float, date: bytes, commands: list[Command]) -> None:
        """Start the operation that a request asks for, or answer what is wrong with it."""
        try:
            self._media_type = negotiate(request)
            accepted = request.get(b"accept-encoding")
            self._choice = self._endpoint.compression.choose(accepted, self._media_type) if accepted else None
            graphql = read_request(request, body, self._endpoint.pipeline.limits)
        except HttpRefusal as refusal:
            self._answer(refusal.answer, now, date, commands)
            return
        self._running = True
        if self._endpoint.context is None:
            self._begin(graphql, ANONYMOUS, now, date, commands)
            return
        self._graphql, self._is_authorising = graphql, True
        self._operations += 1
        seen = self._client_request(request, "sse" if self._media_type == EVENT_STREAM else "http")
        commands.append(StartOperation(self._operations, self._endpoint.authorise(seen)))

    def _client_request(self, request: Request, transport: str) -> ClientRequest:
        method, path = request.method.decode("latin-1"), request.path.decode("latin-1")
        return ClientRequest(transport, request.headers, None, method, path, self._address)

    def _begin(self, graphql: GraphQLRequest, caller: Caller, now: float, date: bytes, commands: list[Command]) -> None:
        """Start what is asked for, now that it is known who asks."""
        self._operations += 1
        if self._media_type != EVENT_STREAM:
            program = self._endpoint.pipeline.execute(graphql, self._request_id, caller)
            commands.append(StartOperation(self._operations, program))
        else:
            self._begin_stream(graphql, caller, now, date, commands)

    def _begin_stream(
        self, graphql: GraphQLRequest, caller: Caller, now: float, date: bytes, commands: list[Command]
    ) -> None:
        """Answer with events from now on."""
        timeout = self._endpoint.pipeline.limits.request_timeout
        self._stream = EventStream(self._machine, self._endpoint.subscriptions, timeout, now)
        commands.append(SendData(self._stream.begin(date, close=self._draining)))
        program = self._endpoint.pipeline.operate(graphql, self._request_id, caller, self._last_event_id)
        commands.append(StartOperation(self._operations, program))

    def _emitted(
        self, operation_id: int, emission: Emission, is_state: bool, now: float, commands: list[Command]
    ) -> None:
        stream = self._stream
        if stream is None or operation_id != self._operations:
            return
        too_slow = stream.emitted(operation_id, emission, is_state, self._sending_paused, now, commands)
        if too_slow is not None:
            commands.append(CancelOperation(operation_id))
            self._finish_stream(stream, too_slow, now, commands)

    def _operation_ended(
        self, operation_id: int, result: Any, now: float, date: bytes, commands: list[Command]
    ) -> None:
        if not self._running or operation_id != self._operations:
            return
        if self._is_authorising:
            graphql, self._graphql, self._is_authorising = self._graphql, None, False
            assert graphql is not None
            self._begin(graphql, result, now, date, commands)
            return
        if self._unfinished is not None:
            self._finished(self._unfinished, result, now, date, commands)
            return
        response: GraphQLResponse | None = result
        if response is not None and response.cause is not None:
            self._observe(InternalErrorMasked(self._request_id, response.cause))
        if self._stream is not None:
            self._finish_stream(self._stream, response, now, commands)
            return
        assert response is not None, "only a stream ends without a response"
        assert self._request is not None
        given = answer(response, self._media_type)
        choice = self._choice
        if (choice and len(given.body) >= choice.min_size) or self._request.method != b"POST":
            ready = finish(given, response.outcome, self._request, choice, self._endpoint.etags)
            if isinstance(ready, Unfinished):
                self._unfinished = ready.answer
                self._operations += 1
                commands.append(StartOperation(self._operations, ready.program))
                return
            given = ready
        self._running = False
        self._answer(given, now, date, commands)

    def _finished(self, unfinished: Answer, result: Any, now: float, date: bytes, commands: list[Command]) -> None:
        """Send the answer, as it was where it could not be finished, or not in time."""
        if isinstance(result, GraphQLResponse) and result.cause is not None:
            self._observe(InternalErrorMasked(self._request_id, result.cause))
        self._running, self._unfinished = False, None
        self._answer(result if isinstance(result, Answer) else unfinished, now, date, commands)

    def _operation_failed(
        self, operation_id: int, error: BaseException, now: float, date: bytes, commands: list[Command]
    ) -> None:
        if not self._is_authorising or operation_id != self._operations:
            self._operation_ended(operation_id, self._refuse(*_BROKEN, error), now, date, commands)
        elif isinstance(error, RequestError):
            status = 401 if error.code == "UNAUTHENTICATED" else 403
            self._refuse_request(status, error.message, error.code, now, date, commands)
        else:
            self._observe(InternalErrorMasked(self._request_id, error))
            _, message, code = _BROKEN
            self._refuse_request(500, message, code, now, date, commands)

    def _refuse_request(
        self, status: int, message: str, code: str, now: float, date: bytes, commands: list[Command]
    ) -> None:
        """Answer a request whose operation does not begin."""
        self._running, self._is_authorising, self._graphql = False, False, None
        headers = _CHALLENGE if status == 401 else ()
        self._answer(error_answer(status, message, code, headers), now, date, commands)

    @property
    def _last_event_id(self) -> str | None:
        """What a browser's EventSource says when it comes back (WHATWG HTML §9.2.4)."""
        assert self._request is not None
        value = self._request.get(b"last-event-id")
        return value.decode("utf-8", "replace") if value else None

    def _finish_stream(
        self, stream: EventStream, response: GraphQLResponse | None, now: float, commands: list[Command]
    ) -> None:
        self._running, self._stream = False, None
        commands.append(SendData(stream.finish(response)))
        self._answered(200, now, commands)

    def _cut_stream(self, commands: list[Command]) -> None:
        """End the answer of a server that stops, so that the client comes back."""
        assert self._stream is not None
        commands.append(CancelOperation(self._operations))
        commands.append(SendData(self._stream.cut()))
        self._running, self._stream = False, None
        self._close(commands)

    def _answer(self, given: Answer, now: float, date: bytes, commands: list[Command]) -> None:
        """Send an answer and go on to the next request, or close."""
        headers = (*given.headers, (b"connection", b"close")) if self._draining else given.headers
        commands.append(SendData(self._machine.send_response(given.status, headers, given.body, date)))
        self._answered(given.status, now, commands)

    def _answered(self, status: int, now: float, commands: list[Command]) -> None:
        request, machine = self._request, self._machine
        assert request is not None
        self._request = None
        path = request.path.decode("ascii", "replace")
        method = request.method.decode("ascii", "replace")
        self._observe(RequestCompleted(self._request_id, method, path, status, now - self._began))
        if machine.our_state is State.DONE and machine.their_state is State.DONE:
            machine.start_next_cycle()
        elif not machine.keep_alive:
            self._close(commands)

    def _deadline_reached(self, now: float, date: bytes, commands: list[Command]) -> None:
        if self.deadline is None or now < self.deadline:
            return
        if self._stream is not None and (self._stream.times_out is None or now < self._stream.times_out):
            if not self._sending_paused:
                commands.append(SendData(self._stream.comment(now)))
        elif self._is_authorising:
            commands.append(CancelOperation(self._operations))
            _, message, code = _TIMED_OUT
            self._refuse_request(504, message, code, now, date, commands)
        elif self._running:
            commands.append(CancelOperation(self._operations))
            self._operation_ended(self._operations, self._refuse(*_TIMED_OUT), now, date, commands)
        elif self._machine.deadline_kind is DeadlineKind.IDLE:
            self._close(commands)
        else:
            error = RemoteProtocolError("The request did not arrive in time.", status=408)  # RFC 9110 §15.5.9
            self._refuse_peer(error, date, commands)

    def _refuse_peer(self, error: RemoteProtocolError, date: bytes, commands: list[Command]) -> None:
        """Answer a client that broke the protocol, where no answer was begun, and close."""
        self._observe(RequestRefused(self._connection_id, error.status, str(error)))
        if self._machine.our_state in (State.IDLE, State.SEND_RESPONSE):
            refusal = error_answer(error.status, str(error), "BAD_REQUEST")
            headers = (*refusal.headers, (b"connection", b"close"))
            commands.append(SendData(self._machine.send_response(refusal.status, headers, refusal.body, date)))
        self._close(commands)

    def _refuse(self, outcome: Outcome, message: str, code: str, cause: BaseException | None = None) -> GraphQLResponse:
        error = RequestError(message, code=code, extensions={"requestId": self._request_id})
        return refuse(outcome, [error], cause)

    def _leave(self, commands: list[Command]) -> None:
        commands.append(CancelOperation(self._operations))
        self._running, self._stream = False, None
        self._close(commands)

    def _close(self, commands: list[Command]) -> None:
        commands.append(CloseConnection())
        self._closed = True

    def _set_deadline(self, now: float) -> None:
        """A deadline is set when what is waited for changes, and not moved by bytes that trickle in."""
        if self._closed or (self._sending_paused and not (self._running and self._stream is None)):
            self.deadline, self._waiting = None, None
            return
        if self._stream is not None:
            self.deadline, self._waiting = self._stream.deadline, None
            return
        kind: Any = _ANSWER if self._running else self._machine.deadline_kind
        if kind is self._waiting and self._waiting_in == self._requests:
            return
        self._waiting, self._waiting_in = kind, self._requests
        if kind is _ANSWER:
            self.deadline = now + self._endpoint.pipeline.limits.request_timeout
        else:
            self.deadline = None if kind is None else now + self._patience(kind)

    def _patience(self, kind: DeadlineKind) -> float:
        http = self._endpoint.http
        if kind is DeadlineKind.IDLE:
            return http.idle_timeout
        return http.head_timeout if kind is DeadlineKind.HEAD else http.body_timeout
