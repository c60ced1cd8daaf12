"""Drives one client's session: reads, keeps its deadline, carries out its commands, runs its operations.

Telling the session of something and doing what it says never waits: what the client does not take at once is kept and
written by a task of its own, and the session is told, so that it holds back what it can. Whatever happens on the event
loop may therefore be told at any time, and the session's commands are carried out in its order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from fraiseql.effects import Emission, Program
from fraiseql.observations import InternalErrorMasked, Observer, RequestRefused
from fraiseql.pipeline import GraphQLResponse
from fraiseql.runtimes.anyio.background import running_clock
from fraiseql.runtimes.anyio.programs import Participant, Perform, Run, run_program
from fraiseql.runtimes.anyio.transport import ClientSocket
from fraiseql.session import (
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
    PauseOperation,
    ResumeOperation,
    SendData,
    SendingPaused,
    SendingResumed,
    SessionEvent,
    StartOperation,
)

__all__ = ["ClientConnection", "Session"]

_LINGER = 2.0  # seconds for a client to close after our last answer


class Session(Protocol):
    """What the driver needs of a session."""

    @property
    def deadline(self) -> float | None:
        """When to deliver DeadlineReached."""

    @property
    def wants_data(self) -> bool:
        """Whether to read from the client now."""

    @property
    def lasts(self) -> bool:
        """Whether the client means to stay."""

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        """Take an event and say what to do, in this order."""


class _Operation(Participant):
    """A running operation: what its program's streams emit is told to the session."""

    __slots__ = ("_connection", "_id", "scope")

    def __init__(self, connection: ClientConnection, operation_id: int) -> None:
        super().__init__()
        self._connection = connection
        self._id = operation_id
        self.scope = anyio.CancelScope()

    def joined(self) -> None:
        self._connection.joined(self._id)

    def deliver(self, emission: Emission, is_state: bool) -> None:
        self._connection.emitted(self._id, emission, is_state)


class ClientConnection:
    """One client's connection and its session.

    Args:
        client: its socket.
        session: decides everything.
        perform: carries out the effects of operations.
        max_statements: that its operations may run at once, lest one client take all connections to the database.
        date: gives the wall clock as HTTP writes it.
        connection_id: for observations.
        write_timeout: seconds for a client that takes nothing of its answer.
        observe: is told of a client that does not read.
    """

    def __init__(
        self,
        client: ClientSocket,
        session: Session,
        *,
        perform: Perform,
        max_statements: int,
        date: Callable[[], bytes],
        connection_id: str,
        write_timeout: float,
        observe: Observer,
    ) -> None:
        self._client = client
        self._session = session
        self._perform = perform
        self._gate = anyio.Semaphore(max_statements, fast_acquire=True)
        self._date = date
        self.connection_id = connection_id
        self._write_timeout = write_timeout
        self._observe = observe
        self._operations: dict[int, _Operation] = {}
        self._unsent: deque[bytes | memoryview] = deque()
        self._written: anyio.Event | None = None  # while something is unsent
        self._clock: Callable[[], float] = anyio.current_time
        self._group: TaskGroup | None = None
        self._pause: anyio.CancelScope | None = None  # around what the reader waits for
        self._eof = False
        self._draining = False
        self._closing = False
        self._gone = False
        self._answered = False  # the last commands sent something before they closed

    @property
    def lasts(self) -> bool:
        """Whether the client means to stay: it has a WebSocket."""
        return self._session.lasts

    async def run(self) -> None:
        """Serve the client until its connection is closed; cancelled, its operations and their SQL are cancelled."""
        self._clock = running_clock()
        try:
            async with anyio.create_task_group() as self._group:
                self._tell(ConnectionMade())
                if self._draining:
                    self._tell(DrainRequested())
                while not self._closing:
                    await self._read()
                if self._written is not None and not self._gone:
                    await self._written.wait()
                self._group.cancel_scope.cancel()
            if self._answered and not self._eof and not self._gone:
                await self._client.linger(_LINGER)
        finally:
            self._closing = True
            self._client.close()

    def drain(self) -> None:
        """Tell the session that the server is stopping."""
        self._draining = True
        if self._group is not None:
            self._tell(DrainRequested())

    def emitted(self, operation_id: int, emission: Emission, is_state: bool) -> None:
        """A stream emitted for an operation; a defect met on the way is no concern of the stream."""
        if operation_id in self._operations and not self._closing:
            try:
                self._apply(OperationEmitted(operation_id, emission, is_state))
            except Exception as error:
                self._observe(InternalErrorMasked(self.connection_id, error))
                self._leave()

    def joined(self, operation_id: int) -> None:
        """An operation takes part in a stream: it may last."""
        if operation_id in self._operations:
            self._tell(OperationJoined(operation_id))

    async def _read(self) -> None:
        """Wait for the client, or for the deadline, and tell the session."""
        data: bytes | None = None
        with anyio.CancelScope() as self._pause:
            self._move_deadline()
            if self._session.wants_data and not self._eof:
                data = await self._client.receive()
            else:
                await anyio.sleep_forever()
        self._pause = None
        if self._closing:
            return
        if data:
            self._tell(DataReceived(data))
        elif data is not None:
            self._eof = True
            self._tell(EofReceived())
        elif self._session.deadline is not None and self._clock() >= self._session.deadline:
            self._tell(DeadlineReached())

    def _move_deadline(self) -> None:
        if self._pause is not None:
            deadline = self._session.deadline
            if deadline is None:
                deadline = math.inf
            if deadline != self._pause.deadline:  # to set it anew costs a timer
                self._pause.deadline = deadline

    def _tell(self, event: SessionEvent) -> None:
        """Give the session an event and do what it says."""
        if self._closing:
            return
        wanted_data = self._session.wants_data
        self._apply(event)
        if self._closing or self._session.wants_data is not wanted_data:
            if self._pause is not None:
                self._pause.cancel()
        else:
            self._move_deadline()

    def _apply(self, event: SessionEvent) -> None:
        """Give it an event that changes nothing of what it waits for, or not before its deadline."""
        all_written = self._written is None
        self._carry_out(self._session.handle(event, self._clock(), self._date()))
        if all_written and self._written is not None and not self._closing:
            self._carry_out(self._session.handle(SendingPaused(), self._clock(), self._date()))
            if self._pause is not None:  # a session that is paused may want no data
                self._pause.cancel()

    def _carry_out(self, commands: list[Command]) -> None:
        assert self._group is not None
        self._answered = False
        for command in commands:
            match command:
                case SendData(data):
                    self._answered = True
                    self._send(data)
                case StartOperation(operation_id, program):
                    operation = self._operations[operation_id] = _Operation(self, operation_id)
                    self._group.start_soon(self._operate, operation_id, program, operation)
                case CancelOperation(operation_id):
                    if (running := self._operations.pop(operation_id, None)) is not None:
                        running.scope.cancel()
                case PauseOperation(operation_id):
                    if operation_id in self._operations:
                        self._operations[operation_id].pause()
                case ResumeOperation(operation_id):
                    if operation_id in self._operations:
                        self._operations[operation_id].resume()
                case CloseConnection():
                    self._closing = True

    def _send(self, data: bytes) -> None:
        if self._gone:
            return
        if self._written is not None:
            self._unsent.append(data)
            return
        sent = self._client.send_nowait(data)
        if sent < 0:
            self._give_up()
        elif sent < len(data):
            assert self._group is not None
            self._unsent.append(memoryview(data)[sent:])
            self._written = anyio.Event()
            self._group.start_soon(self._write)

    async def _write(self) -> None:
        """Write what the client did not take at once, and tell the session when it has taken all."""
        while self._unsent:
            if not await self._client.send(self._unsent.popleft(), patience=self._write_timeout):
                self._give_up()
                return
        assert self._written is not None
        self._written.set()
        self._written = None
        self._tell(SendingResumed())

    def _give_up(self) -> None:
        """The client has left or does not read: nothing more can be said to it."""
        self._observe(RequestRefused(self.connection_id, 408, "the client left or did not read its answer"))
        self._leave()

    def _leave(self) -> None:
        self._closing = self._gone = True
        self._unsent.clear()
        if self._group is not None:
            self._group.cancel_scope.cancel()

    async def _operate(self, operation_id: int, program: Program[Any], operation: _Operation) -> None:
        event: OperationEnded | OperationFailed | None = None
        if operation_id not in self._operations:  # cancelled before its first step, which costs the most
            return
        with operation.scope:
            try:
                result = await run_program(program, self._perform, Run(operation, gate=self._gate))
                event = OperationEnded(operation_id, result)
            except Exception as error:  # a program answers all errors it knows of: this is a defect
                event = OperationFailed(operation_id, error)
        if event is None:
            return
        if self._operations.pop(operation_id, None) is not None:
            self._tell(event)
        elif isinstance(event, OperationFailed):  # what a cancelled one raised on its way out
            self._observe(InternalErrorMasked(f"{self.connection_id}-{operation_id}", event.error))
        elif isinstance(event.result, GraphQLResponse) and event.result.cause is not None:
            self._observe(InternalErrorMasked(f"{self.connection_id}-{operation_id}", event.result.cause))
