"""One client's WebSocket: many operations at once, by graphql-transport-ws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fraiseql.context import Caller, ClientRequest
from fraiseql.errors import RemoteProtocolError, RequestError
from fraiseql.observations import InternalErrorMasked, RequestRefused, WebSocketClosed
from fraiseql.protocol import graphql_transport_ws as graphql
from fraiseql.protocol import websocket
from fraiseql.session.delivery import Unread
from fraiseql.session.endpoint import Endpoint
from fraiseql.session.events import (
    CancelOperation,
    CloseConnection,
    Command,
    ConnectionMade,
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
from fraiseql.session.operations import Operations
from fraiseql.session.outgoing import Outgoing

__all__ = ["WebSocketSession"]

_AUTHORISING: Final = 0  # the operation that finds out who the client is
_MAX_HELD: Final = 65_536  # bytes held for a client that does not read, before nothing more is read from it
_GOING_AWAY: Final = 1001
_ABNORMAL: Final = 1006  # without a closing handshake; never sent (RFC 6455 §7.1.5)


class WebSocketSession:
    """Serves GraphQL over one WebSocket.

    While the client does not read, results are kept for each operation up to a limit, and beyond it the operation ends
    with an error that says where to resume; a live query keeps its latest result only.

    Args:
        endpoint: what all connections share.
        connection_id: unique in the process; request ids begin with it.
        handshake: that opened the WebSocket.
        client: what the HTTP request has shown of it.
        last_number: of the requests that came before on this connection.
        now: seconds on a clock that never goes back.

    Attributes:
        deadline: when to deliver DeadlineReached, in the seconds of `now`; None where nothing is waited for.
    """

    __slots__ = (
        "_authorising",
        "_client",
        "_closed",
        "_closing",
        "_connection_id",
        "_draining",
        "_endpoint",
        "_heartbeat",
        "_machine",
        "_next_step",
        "_operations",
        "_outgoing",
        "_pong",
        "_socket",
        "_subprotocol",
        "deadline",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        connection_id: str,
        handshake: websocket.Handshake,
        client: ClientRequest,
        last_number: int,
        now: float,
    ) -> None:
        self._endpoint = endpoint
        self._connection_id = connection_id
        self._client: ClientRequest | None = client  # until it has introduced itself
        self._subprotocol = handshake.subprotocol
        self._socket = websocket.ServerConnection(endpoint.websocket, handshake.deflate)
        self._machine = graphql.ServerConnection(max_operations=endpoint.subscriptions.max_operations)
        self._heartbeat = websocket.Heartbeat(endpoint.websocket, now)
        unread = Unread(endpoint.subscriptions.max_unread)
        self._outgoing = Outgoing(self._socket, unread)
        self._operations = Operations(endpoint, self._machine, self._outgoing, unread, connection_id, last_number)
        self._authorising = False
        # When connection_init, then what context says, then the client's Close is overdue
        self._next_step: float | None = now + endpoint.subscriptions.init_timeout
        self._pong: websocket.Pong | None = None  # for a client that does not read
        self._draining = False
        self._closing = False
        self._closed = False
        self.deadline: float | None = None

    @property
    def wants_data(self) -> bool:
        """Whether to read from the client now."""
        return not self._closed and self._socket.wants_data and self._outgoing.held_bytes < _MAX_HELD

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        """Take an event and say what to do, in this order.

        Args:
            now: seconds on a clock that never goes back.
            date: is for HTTP alone.
        """
        commands: list[Command] = []
        if self._closed:
            return commands
        match event:
            case OperationEmitted(operation_id, emission, is_state):
                self._operations.emitted(operation_id, emission, is_state, now, commands)
                if not self._outgoing.overflowed:
                    return commands  # changes no deadline
            case OperationJoined(operation_id):
                self._operations.joined(operation_id)
            case DataReceived(data):
                self._heartbeat.data_received(now)
                self._socket.receive_data(data)
                self._read(now, commands)
            case OperationEnded(operation_id, result):
                self._ended(operation_id, result, now, commands)
            case OperationFailed(operation_id, error):
                self._failed(operation_id, error, now, commands)
            case SendingPaused():
                self._outgoing.paused = True
            case SendingResumed():
                self._resume(now, commands)
            case DeadlineReached():
                self._deadline_reached(now, commands)
            case EofReceived():
                self._socket.receive_eof()
                self._read(now, commands)
                self._end(_ABNORMAL, "the client left", now, commands)
            case DrainRequested():
                self._draining = self._operations.refuses = True
            case ConnectionMade():
                if self._subprotocol is None:
                    self._close(
                        graphql.CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable", now, commands
                    )
        if self._outgoing.overflowed:
            self._end(_ABNORMAL, "the client did not read what it asked for", now, commands)
        if self._draining and not self._closing and not self._operations.deadlines:
            self._close(_GOING_AWAY, "Going away", now, commands)
        self._set_deadline()
        return commands

    # What the client says

    def _read(self, now: float, commands: list[Command]) -> None:
        pong: websocket.Pong | None = self._pong
        while not self._closed:
            try:
                event = self._socket.next_event()
            except RemoteProtocolError as error:
                self._refuse_peer(error, now, commands)
                self._end(error.status, str(error), now, commands)  # nothing more is read (RFC 6455 §7.1.7)
                return
            match event:
                case websocket.Text() | websocket.Bytes():
                    if not self._closing:
                        self._receive(event, now, commands)
                case websocket.Ping():
                    pong = event.answer()  # of several it is enough to answer the latest (RFC 6455 §5.5.3)
                case websocket.Pong(payload):
                    self._heartbeat.pong_received(payload, now)
                case websocket.Close():
                    self._close_received(event, now, commands)
                case _:
                    break
        self._pong = pong if self._outgoing.paused else None
        if pong is not None and not self._closing and not self._outgoing.paused:
            commands.append(SendData(self._socket.send(pong)))

    def _receive(self, event: websocket.Text | websocket.Bytes, now: float, commands: list[Command]) -> None:
        try:
            if isinstance(event, websocket.Bytes):
                self._machine.receive_bytes(event.data)
            else:
                self._message(event.data, now, commands)
        except RemoteProtocolError as error:
            self._refuse_peer(error, now, commands)

    def _message(self, text: str, now: float, commands: list[Command]) -> None:
        match self._machine.receive_text(text):
            case graphql.Subscribe() as subscribe:
                self._operations.start(subscribe, now, commands)
            case graphql.Complete(operation):
                self._operations.cancel(operation, now, commands)
            case graphql.Ping(payload):
                self._outgoing.say(self._machine.send_pong(payload), commands)
            case graphql.ConnectionInit(payload):
                self._authorising = True
                self._next_step = now + self._endpoint.pipeline.limits.request_timeout
                assert self._client is not None, "only once"
                request, self._client = replace(self._client, payload=payload), None
                commands.append(StartOperation(_AUTHORISING, self._endpoint.authorise(request)))
            case graphql.Refused(_, answer):
                self._outgoing.say(answer, commands)

    # What operations bring

    def _ended(self, operation_id: int, result: Any, now: float, commands: list[Command]) -> None:
        if operation_id != _AUTHORISING:
            self._operations.ended(operation_id, result, now, commands)
        elif self._authorising:
            caller: Caller = result
            self._authorising, self._next_step, self._operations.caller = False, None, caller
            self._outgoing.say(self._machine.accept(), commands)

    def _failed(self, operation_id: int, error: BaseException, now: float, commands: list[Command]) -> None:
        if operation_id != _AUTHORISING:
            self._operations.failed(operation_id, error, now, commands)
        elif self._authorising:
            self._authorising = False
            if isinstance(error, RequestError):
                self._refuse_peer(self._machine.refuse(), now, commands)
            else:
                self._endpoint.observe(InternalErrorMasked(self._operations.request_id(_AUTHORISING), error))
                self._close(graphql.CloseCode.INTERNAL_SERVER_ERROR, "Internal server error", now, commands)

    def _resume(self, now: float, commands: list[Command]) -> None:
        """The client has read all: send what was kept for it."""
        self._heartbeat.data_received(now)
        self._outgoing.resume(commands)
        self._operations.resume(commands)
        self._read(now, commands)

    # The end

    def _deadline_reached(self, now: float, commands: list[Command]) -> None:
        if self.deadline is None or now < self.deadline:
            return
        if self._closing:
            self._end(_ABNORMAL, "the client did not close in time", now, commands)
        elif self._next_step is not None and now >= self._next_step:
            too_late = self._machine.init_timed_out()
            if too_late is not None:
                self._refuse_peer(too_late, now, commands)
            else:
                self._close(graphql.CloseCode.INTERNAL_SERVER_ERROR, "Internal server error", now, commands)
        else:
            self._operations.time_out(now, commands)
            if now >= self._heartbeat.deadline and not self._outgoing.paused:
                self._beat(now, commands)

    def _beat(self, now: float, commands: list[Command]) -> None:
        payload = self._heartbeat.deadline_reached(now)
        if payload is not None:
            commands.append(SendData(self._socket.send(websocket.Ping(payload))))
        else:
            self._end(_ABNORMAL, "the client did not answer a ping", now, commands)

    def _refuse_peer(self, error: RemoteProtocolError, now: float, commands: list[Command]) -> None:
        """The client broke one of the protocols."""
        self._endpoint.observe(RequestRefused(self._connection_id, error.status, str(error)))
        self._close(error.status, str(error), now, commands)

    def _close(self, code: int, reason: str, now: float, commands: list[Command]) -> None:
        """Begin the closing handshake: cancel all operations and wait for the client's Close (RFC 6455 §7.1.2)."""
        if self._closing:
            return
        commands.append(SendData(self._socket.send(websocket.Close(code, reason))))
        self._closing = True
        self._outgoing.end()
        self._cancel_all(now, commands)
        self._next_step = now + self._endpoint.websocket.close_timeout

    def _close_received(self, close: websocket.Close, now: float, commands: list[Command]) -> None:
        """Answer the client's Close, unless it answers ours."""
        if not self._closing:
            commands.append(SendData(self._socket.send(close.answer())))
        self._end(close.code, close.reason, now, commands)

    def _end(self, code: int, reason: str, now: float, commands: list[Command]) -> None:
        if self._closed:
            return
        self._cancel_all(now, commands)
        self._closing = self._closed = True
        commands.append(CloseConnection())
        self._endpoint.observe(WebSocketClosed(self._connection_id, code, reason))

    def _cancel_all(self, now: float, commands: list[Command]) -> None:
        if self._authorising:
            self._authorising = False
            commands.append(CancelOperation(_AUTHORISING))
        self._operations.cancel_all(now, commands)

    def _set_deadline(self) -> None:
        deadlines = self._operations.deadlines
        if self._next_step is not None:
            deadlines.append(self._next_step)
        if not self._closing and not self._outgoing.paused:
            deadlines.append(self._heartbeat.deadline)
        self.deadline = min(deadlines) if deadlines and not self._closed else None
