"""Drives one client's session: reads, keeps its deadline, carries out its commands, runs its operations.

All that a session orders is carried out before it is told of anything else, under one lock: an answer is written before
the next operation starts, and a client that does not read stops its own operations only. Reading goes on while an
operation runs, so that a client that leaves is noticed.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from fraiseql.effects import Fetch, Program, Row
from fraiseql.errors import DatabaseError
from fraiseql.observations import Observer, RequestRefused
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
    OperationEnded,
    OperationFailed,
    SendData,
    SessionEvent,
    StartOperation,
)

__all__ = ["ClientConnection", "Session", "run_program"]

_LINGER = 2.0  # seconds for a client to close after our last answer


class Session(Protocol):
    """What the driver needs of a session."""

    deadline: float | None

    @property
    def wants_data(self) -> bool:
        """Whether to read from the client now."""

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        """Take an event and say what to do, in this order."""


async def run_program(program: Program[Any], perform: Callable[[Any], Awaitable[Any]]) -> Any:
    """Carry out a program's effects and return its result; cancelled, it is closed where it stands."""
    try:
        effect = next(program)
        while True:
            try:
                row = await perform(effect)
            except DatabaseError as error:
                effect = program.throw(error)
            else:
                effect = program.send(row)
    except StopIteration as stop:
        return stop.value
    finally:
        program.close()


class ClientConnection:
    """One client's connection and its session.

    Args:
        client: its socket.
        session: decides everything.
        perform: carries out the effects of operations.
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
        perform: Callable[[Fetch], Awaitable[Row]],
        date: Callable[[], bytes],
        connection_id: str,
        write_timeout: float,
        observe: Observer,
    ) -> None:
        self._client = client
        self._session = session
        self._perform = perform
        self._date = date
        self.connection_id = connection_id
        self._write_timeout = write_timeout
        self._observe = observe
        self._lock = anyio.Lock(fast_acquire=True)
        self._operations: dict[int, anyio.CancelScope] = {}
        self._group: TaskGroup | None = None
        self._pause: anyio.CancelScope | None = None  # around what the reader waits for
        self._eof = False
        self._draining = False
        self._closing = False
        self._answered = False  # the last commands sent something before they closed

    async def run(self) -> None:
        """Serve the client until its connection is closed; cancelled, its operations and their SQL are cancelled."""
        try:
            async with anyio.create_task_group() as self._group:
                await self._tell(ConnectionMade())
                if self._draining:
                    await self._tell(DrainRequested())
                while not self._closing:
                    await self._read()
                self._group.cancel_scope.cancel()
            if self._answered and not self._eof:
                await self._client.linger(_LINGER)
        finally:
            self._closing = True
            self._client.close()

    async def drain(self) -> None:
        """Tell the session that the server is stopping."""
        self._draining = True
        if self._group is not None:
            await self._tell(DrainRequested())

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
            await self._tell(DataReceived(data))
        elif data is not None:
            self._eof = True
            await self._tell(EofReceived())
        elif self._session.deadline is not None and anyio.current_time() >= self._session.deadline:
            await self._tell(DeadlineReached())

    def _move_deadline(self) -> None:
        if self._pause is not None:
            self._pause.deadline = math.inf if self._session.deadline is None else self._session.deadline

    async def _tell(self, event: SessionEvent, operation_id: int | None = None) -> None:
        """Give the session an event and do what it says; that of a cancelled operation is dropped."""
        async with self._lock:
            if self._closing or (operation_id is not None and self._operations.pop(operation_id, None) is None):
                return
            wanted_data = self._session.wants_data
            await self._carry_out(self._session.handle(event, anyio.current_time(), self._date()))
            if self._closing or self._session.wants_data is not wanted_data:
                if self._pause is not None:
                    self._pause.cancel()
            else:
                self._move_deadline()

    async def _carry_out(self, commands: list[Command]) -> None:
        assert self._group is not None
        self._answered = False
        for command in commands:
            match command:
                case SendData(data):
                    self._answered = True
                    if not await self._client.send(data, patience=self._write_timeout):
                        self._give_up()
                        return
                case StartOperation(operation_id, program):
                    scope = self._operations[operation_id] = anyio.CancelScope()
                    self._group.start_soon(self._operate, operation_id, program, scope)
                case CancelOperation(operation_id):
                    if (running := self._operations.pop(operation_id, None)) is not None:
                        running.cancel()
                case CloseConnection():
                    self._closing = True

    def _give_up(self) -> None:
        """The client has left or does not read: nothing more can be said to it."""
        assert self._group is not None
        self._observe(RequestRefused(self.connection_id, 408, "the client left or did not read its answer"))
        self._closing, self._answered = True, False
        self._group.cancel_scope.cancel()

    async def _operate(self, operation_id: int, program: Program[Any], scope: anyio.CancelScope) -> None:
        event: SessionEvent | None = None
        with scope:
            try:
                event = OperationEnded(operation_id, await run_program(program, self._perform))
            except Exception as error:  # a program answers all errors it knows of: this is a defect
                event = OperationFailed(operation_id, error)
        if event is not None:
            await self._tell(event, operation_id)
