"""One client's HTTP/1.1 connection: requests in, answers out, one after the other."""

from __future__ import annotations

from typing import Final

from fraiseql.errors import RemoteProtocolError, RequestError
from fraiseql.limits import HttpLimits
from fraiseql.observations import InternalErrorMasked, Observer, RequestCompleted, RequestRefused
from fraiseql.pipeline import GraphQLResponse, Outcome, Pipeline, refuse
from fraiseql.protocol.http11 import (
    ConnectionClosed,
    Data,
    DeadlineKind,
    EndOfMessage,
    InformationalResponse,
    Request,
    ServerConnection,
    State,
)
from fraiseql.session.events import (
    CancelOperation,
    CloseConnection,
    Command,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    OperationEnded,
    OperationFailed,
    SendData,
    SessionEvent,
    StartOperation,
)
from fraiseql.session.graphql_http import Answer, HttpRefusal, answer, error_answer, negotiate, read_request

__all__ = ["HttpSession"]

_GRAPHQL: Final = b"/graphql"
_HEALTH: Final = b"/health"
_HEALTHY: Final = Answer(200, ((b"content-type", b"application/json; charset=utf-8"),), b'{"status":"ok"}')
_TIMED_OUT: Final = (Outcome.TIMED_OUT, "The request took longer than the server allows.", "REQUEST_TIMEOUT")
_BROKEN: Final = (Outcome.FAILED, "Internal server error.", "INTERNAL_SERVER_ERROR")


class HttpSession:
    """Serves GraphQL over one HTTP/1.1 connection.

    One operation runs at a time; pipelined requests wait in the machine's bounded buffer, so that answers keep the
    order of the requests. A client that closes its side while its operation runs has left: the operation is cancelled.

    Args:
        pipeline: answers GraphQL requests.
        limits: of the connection.
        connection_id: unique in the process; request ids begin with it.
        observe: is told what happened.

    Attributes:
        deadline: when to deliver DeadlineReached, in the seconds of `now`; None where nothing is waited for.
    """

    def __init__(self, pipeline: Pipeline, limits: HttpLimits, connection_id: str, observe: Observer) -> None:
        self._pipeline = pipeline
        self._connection_id = connection_id
        self._observe = observe
        self._machine = ServerConnection(limits)
        self._timeouts = {
            DeadlineKind.HEAD: limits.head_timeout,
            DeadlineKind.BODY: limits.body_timeout,
            DeadlineKind.IDLE: limits.idle_timeout,
        }
        self._request: Request | None = None
        self._body: list[bytes] = []
        self._media_type = b""
        self._began = 0.0
        self._requests = 0
        self._running = False
        self._draining = False
        self._closed = False
        self._waiting: tuple[DeadlineKind | None, int] | None = None
        self.deadline: float | None = None

    @property
    def wants_data(self) -> bool:
        """Whether to read from the client now."""
        return not self._closed and self._machine.wants_data

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        """Take an event and say what to do, in this order.

        Args:
            now: seconds on a clock that never goes back.
            date: the wall clock as an IMF-fixdate (RFC 9110 §5.6.7).
        """
        commands: list[Command] = []
        if self._closed:
            return commands
        match event:
            case DataReceived(data):
                self._machine.receive_data(data)
            case OperationEnded(operation_id, result):
                self._operation_ended(operation_id, result, now, date, commands)
            case OperationFailed(operation_id, error):
                result = self._refuse(*_BROKEN, error)
                self._operation_ended(operation_id, result, now, date, commands)
            case EofReceived():
                self._machine.receive_eof()
                if self._running:
                    self._leave(commands)
            case DeadlineReached():
                self._deadline_reached(now, date, commands)
            case DrainRequested():
                self._draining = True
        self._advance(now, date, commands)
        self._set_deadline(now)
        return commands

    def _advance(self, now: float, date: bytes, commands: list[Command]) -> None:
        """Read what can be read, until an operation runs or more bytes are needed."""
        while not self._running and not self._closed:
            try:
                event = self._machine.next_event()
            except RemoteProtocolError as error:
                self._refuse_peer(error, date, commands)
                return
            match event:
                case Request():
                    self._request = event
                    self._requests += 1
                    self._began = now
                    self._invite_body(event, date, commands)
                case Data(data):
                    self._body.append(data)
                case EndOfMessage():
                    self._dispatch(now, date, commands)
                case ConnectionClosed():
                    self._close(commands)
                case _:
                    # Between requests there is nothing to finish for a server that stops.
                    if self._draining and self._machine.deadline_kind is DeadlineKind.IDLE:
                        self._close(commands)
                    return

    def _invite_body(self, request: Request, date: bytes, commands: list[Command]) -> None:
        """Ask for a body that the client holds back, if it can be of use; refuse it otherwise (RFC 9110 §10.1.1)."""
        if not self._machine.client_is_waiting_for_100_continue:
            return
        if request.path == _GRAPHQL and request.method == b"POST":
            commands.append(SendData(self._machine.send(InformationalResponse(100))))
        else:
            self._dispatch(self._began, date, commands)

    def _dispatch(self, now: float, date: bytes, commands: list[Command]) -> None:
        """Answer a complete request, or start the operation that will."""
        request = self._request
        assert request is not None
        body = b"".join(self._body)
        self._body.clear()
        if request.path == _GRAPHQL:
            try:
                self._media_type = negotiate(request)
                graphql = read_request(request, body, self._pipeline.limits)
            except HttpRefusal as refusal:
                self._answer(refusal.answer, now, date, commands)
                return
            self._running = True
            commands.append(StartOperation(self._requests, self._pipeline.execute(graphql, self._request_id)))
        else:
            self._answer(_other_path(request), now, date, commands)

    def _operation_ended(
        self, operation_id: int, response: GraphQLResponse, now: float, date: bytes, commands: list[Command]
    ) -> None:
        if not self._running or operation_id != self._requests:
            return
        self._running = False
        if response.cause is not None:
            self._observe(InternalErrorMasked(self._request_id, response.cause))
        self._answer(answer(response, self._media_type), now, date, commands)

    def _answer(self, given: Answer, now: float, date: bytes, commands: list[Command]) -> None:
        """Send an answer and go on to the next request, or close."""
        request, machine = self._request, self._machine
        assert request is not None
        self._request = None
        headers = (*given.headers, (b"connection", b"close")) if self._draining else given.headers
        commands.append(SendData(machine.send_response(given.status, headers, given.body, date)))
        path = request.path.decode("ascii", "replace")
        method = request.method.decode("ascii", "replace")
        self._observe(RequestCompleted(self._request_id, method, path, given.status, now - self._began))
        if machine.our_state is State.DONE and machine.their_state is State.DONE:
            machine.start_next_cycle()
        elif not machine.keep_alive:
            self._close(commands)

    def _deadline_reached(self, now: float, date: bytes, commands: list[Command]) -> None:
        if self.deadline is None or now < self.deadline:
            return
        if self._running:
            commands.append(CancelOperation(self._requests))
            self._operation_ended(self._requests, self._refuse(*_TIMED_OUT), now, date, commands)
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
        commands.append(CancelOperation(self._requests))
        self._running = False
        self._close(commands)

    def _close(self, commands: list[Command]) -> None:
        commands.append(CloseConnection())
        self._closed = True

    @property
    def _request_id(self) -> str:
        return f"{self._connection_id}-{self._requests}"

    def _set_deadline(self, now: float) -> None:
        """A deadline is set when what is waited for changes, and not moved by bytes that trickle in."""
        kind = None if self._running else self._machine.deadline_kind
        waiting = (kind, self._requests)
        if self._closed:
            self.deadline = None
        elif waiting != self._waiting:
            self._waiting = waiting
            if self._running:
                self.deadline = now + self._pipeline.limits.request_timeout
            else:
                self.deadline = None if kind is None else now + self._timeouts[kind]


def _other_path(request: Request) -> Answer:
    if request.path != _HEALTH:
        return error_answer(404, "Nothing is served at this path.", "NOT_FOUND")
    if request.method not in (b"GET", b"HEAD"):
        allowed = ((b"allow", b"GET, HEAD"),)
        return error_answer(405, "The health check is served by GET.", "METHOD_NOT_ALLOWED", allowed)
    return _HEALTHY
