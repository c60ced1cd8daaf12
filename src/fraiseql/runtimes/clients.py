"""Drives one client's session by callbacks: tells it what comes, carries out its commands, keeps its deadline.

Nothing here waits, and nothing is a task: whatever happens on the event loop is told at once, and the session's
commands are carried out in its order. The usual operation, one statement outside of a transaction, is stepped in place;
any other one is given to a task from the first effect on that needs it.

The states of a connection: open; closing, from the session's CloseConnection until all is written; lingering, until the
client has closed its side as well (RFC 9112 §9.6: closed at once, with bytes of the client unread, the kernel would
reset the connection, and the client lose the answer that is still on its way); lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import Any, Final

from fraiseql.effects import Effect, Emission, Fetch, Join, Program
from fraiseql.observations import InternalErrorMasked, RequestRefused
from fraiseql.pipeline import GraphQLResponse
from fraiseql.runtimes.driving import Session, Surroundings, Ticket, Transport
from fraiseql.runtimes.loop import Timer
from fraiseql.runtimes.operations import Gate, Participant, welcome
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

__all__ = ["ClientDriver"]

_LINGER: Final = 2.0  # seconds for a client to close after our last answer
_LINGER_BYTES: Final = 67_108_864  # that are read from it meanwhile, and thrown away


class _State(Enum):
    OPEN = auto()
    CLOSING = auto()
    LINGERING = auto()
    LOST = auto()


_OPEN: Final = _State.OPEN


class _Operation(Participant):
    """A running operation: what its program's streams emit is told to the session."""

    __slots__ = ("_driver", "id", "part", "program", "statement", "task")

    def __init__(self, driver: ClientDriver, operation_id: int, program: Program[Any]) -> None:
        super().__init__()
        self._driver = driver
        self.id = operation_id
        self.program = program
        self.statement: Ticket | None = None  # while it waits for its row in place
        self.part: Ticket | None = None  # while it takes part in a stream
        self.task: Ticket | None = None  # once a task has it

    def joined(self) -> None:
        self._driver.joined(self.id)

    def deliver(self, emission: Emission, is_state: bool) -> None:
        self._driver.emitted(self.id, emission, is_state)

    def fetched(self, row: Any, error: Exception | None) -> None:
        self._driver.fetched(self, row, error)

    def stream_ended(self, result: Any, error: Exception | None) -> None:
        self._driver.stream_ended(self, result, error)

    def task_ended(self, result: Any, error: Exception | None) -> None:
        self._driver.task_ended(self, result, error)


class ClientDriver:
    """One client's connection and its session.

    Args:
        session: decides everything.
        transport: the client's socket.
        around: what all drivers share.
        connection_id: for observations.
    """

    __slots__ = (
        "_answered",
        "_armed",
        "_around",
        "_clock",
        "_drained",
        "_eof",
        "_events",
        "_gate",
        "_lingering",
        "_operations",
        "_reading",
        "_session",
        "_state",
        "_tasks",
        "_timer",
        "_transport",
        "_unsent",
        "_write_due",
        "connection_id",
    )

    def __init__(self, session: Session, transport: Transport, around: Surroundings, connection_id: str) -> None:
        self._session = session
        self._transport = transport
        self._around = around
        self._clock = around.clock.time
        self.connection_id = connection_id
        self._state = _State.OPEN
        self._operations: dict[int, _Operation] = {}
        self._gate: Gate | None = None
        self._tasks = 0
        self._events: list[SessionEvent] | None = None  # those that came while one is handled
        self._reading = True
        self._eof = False
        self._drained = False
        self._timer: Timer | None = None
        self._armed = math.inf  # when the timer calls
        self._unsent = 0  # bytes that the client has not taken, when that was looked at last; 0 while it takes all
        self._write_due = math.inf
        self._answered = False  # the last commands sent something before they closed
        self._lingering = _LINGER_BYTES

    @property
    def lasts(self) -> bool:
        """Whether the client means to stay: it has a WebSocket."""
        return self._session.lasts

    # What happens

    def start(self) -> None:
        """Begin."""
        self._tell(ConnectionMade())

    def data_received(self, data: bytes) -> None:
        """The client sent bytes, at least one."""
        if self._state is _OPEN:
            self._tell(DataReceived(data))
        elif self._state is _State.LINGERING:
            self._lingering -= len(data)
            if self._lingering < 0:
                self._transport.abort()

    def eof_received(self) -> None:
        """The client has closed its side."""
        if self._eof:
            return
        self._eof = True
        if self._state is _OPEN:
            self._tell(EofReceived())
        elif self._state is _State.LINGERING:
            self._transport.close()

    def written(self) -> None:
        """The client has taken all that was sent."""
        self._unsent, self._write_due = 0, math.inf
        if self._state is _OPEN:
            self._tell(SendingResumed())
        elif self._state is _State.CLOSING:
            self._linger()

    def connection_lost(self) -> None:
        """There is no connection any more."""
        if self._state is _OPEN:
            self.eof_received()
        self._state = _State.LOST
        self._abandon_all()
        self._disarm()
        self._leave()

    def drain(self) -> None:
        """The server is stopping."""
        if not self._drained:
            self._drained = True
            self._tell(DrainRequested())

    def cut(self) -> None:
        """The server has stopped: cancel what runs, and close at once."""
        self._give_up()

    def joined(self, operation_id: int) -> None:
        """An operation takes part in a stream: it may last."""
        if operation_id in self._operations:
            self._tell(OperationJoined(operation_id))

    def emitted(self, operation_id: int, emission: Emission, is_state: bool) -> None:
        """A stream emitted for an operation."""
        if operation_id in self._operations:
            self._tell(OperationEmitted(operation_id, emission, is_state))

    # The session

    def _tell(self, event: SessionEvent) -> None:
        """Give the session an event, and then those that came of it, and do what it says."""
        if self._state is not _OPEN:
            return
        if self._events is not None:
            self._events.append(event)
            return
        self._events = [event]
        try:
            self._handle(self._events)
        except Exception as error:  # a defect, met here or in the session: no concern of the other clients
            self._around.observe(InternalErrorMasked(self.connection_id, error))
            self._give_up()
        finally:
            self._events = None
        self._look()

    def _handle(self, events: list[SessionEvent]) -> None:
        for event in events:  # grows meanwhile
            if self._state is _OPEN:
                self._carry_out(self._session.handle(event, self._clock(), self._around.date()))

    def _look(self) -> None:
        """What the session wants to be told next."""
        if self._state is not _OPEN:
            return
        session = self._session
        if session.wants_data is not self._reading and not self._eof:
            self._reading = not self._reading
            (self._transport.resume_reading if self._reading else self._transport.pause_reading)()
        deadline = session.deadline
        if deadline is not None and deadline < self._armed:
            self._arm(deadline)

    def _carry_out(self, commands: list[Command]) -> None:
        answered = False
        for command in commands:
            kind = type(command)
            if kind is SendData:
                answered = True
                self._send(command.data)  # type: ignore[union-attr]
            elif kind is StartOperation:
                self._start(command.operation_id, command.program)  # type: ignore[union-attr]
            else:
                self._obey(command, answered)

    def _obey(self, command: Command, answered: bool) -> None:
        match command:
            case CancelOperation(operation_id):
                self._abandon(operation_id)
            case PauseOperation(operation_id):
                if operation_id in self._operations:
                    self._operations[operation_id].pause()
            case ResumeOperation(operation_id):
                if operation_id in self._operations:
                    self._operations[operation_id].resume()
            case CloseConnection():
                self._close(answered)

    # Its operations

    def _start(self, operation_id: int, program: Program[Any]) -> None:
        self._operations[operation_id] = operation = _Operation(self, operation_id, program)
        self._step(operation, program.send, None)

    def _step(self, operation: _Operation, step: Callable[[Any], Effect], value: Any) -> None:
        """Take the next effect of an operation's program, and see to it that it is carried out."""
        try:
            effect = step(value)
        except StopIteration as stop:
            self._ended(operation, OperationEnded(operation.id, stop.value))
            return
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a program answers all errors it knows of: this is a defect
            self._ended(operation, OperationFailed(operation.id, welcome(error)))
            return
        gate = self._gate
        if gate is None:
            gate = self._gate = Gate(self._around.max_statements)
        if type(effect) is Fetch and effect.transaction is None and gate.try_enter():
            if gate.pinned:
                effect = replace(effect, primary=True)
            operation.statement = self._around.operations.submit(effect, operation.fetched)
        elif type(effect) is Join and (part := self._take_part(operation, effect)) is not None:
            operation.part = part
            operation.joined()
        else:
            self._tasks += 1
            operation.task = self._around.operations.run(
                operation.program, effect, operation, gate, operation.task_ended
            )

    def fetched(self, operation: _Operation, row: Any, error: Exception | None) -> None:
        """The statement that an operation waited for in place has ended."""
        assert self._gate is not None
        self._gate.leave()
        operation.statement = None
        if error is None:
            self._step(operation, operation.program.send, row)
        else:
            self._step(operation, operation.program.throw, error)

    def _take_part(self, operation: _Operation, effect: Join) -> Ticket | None:
        return self._around.operations.join(effect, operation, operation.stream_ended)

    def stream_ended(self, operation: _Operation, result: Any, error: Exception | None) -> None:
        """The stream that an operation took part in, without a task, has ended."""
        operation.part = None
        if error is None:
            self._step(operation, operation.program.send, result)
        else:
            self._step(operation, operation.program.throw, error)

    def task_ended(self, operation: _Operation, result: Any, error: Exception | None) -> None:
        """The task of an operation has ended, be it that the operation was cancelled."""
        self._tasks -= 1
        if self._operations.get(operation.id) is operation:
            failed = None if error is None else OperationFailed(operation.id, error)
            self._ended(operation, failed or OperationEnded(operation.id, result))
        else:
            cause = result.cause if isinstance(result, GraphQLResponse) else error
            if cause is not None:
                self._around.observe(InternalErrorMasked(f"{self.connection_id}-{operation.id}", cause))
        self._leave()

    def _ended(self, operation: _Operation, event: OperationEnded | OperationFailed) -> None:
        del self._operations[operation.id]
        self._tell(event)

    def _abandon(self, operation_id: int) -> None:
        operation = self._operations.pop(operation_id, None)
        if operation is None:
            return
        if operation.task is not None:
            operation.task.abandon()
        elif operation.statement is not None:
            assert self._gate is not None
            self._gate.leave()
            operation.statement.abandon()
            operation.program.close()
        elif operation.part is not None:
            operation.part.abandon()
            operation.program.close()

    def _abandon_all(self) -> None:
        for operation_id in list(self._operations):
            self._abandon(operation_id)

    # Writing, and the end

    def _send(self, data: bytes) -> None:
        if not self._transport.send(data) and not self._unsent:
            self._unsent = self._transport.unsent
            self._write_due = self._clock() + self._around.write_timeout
            self._arm(self._write_due)
            self._tell(SendingPaused())

    def _close(self, answered: bool) -> None:
        self._state = _State.CLOSING
        self._answered = answered
        self._abandon_all()
        if not self._unsent:
            self._linger()

    def _linger(self) -> None:
        """All is written: wait for the client's end, where it may still have to read.

        Of one that was told nothing only what has come by now is read, a request perhaps, which would be answered with
        a reset: who is idle must not keep a server from stopping.
        """
        if self._eof or not self._transport.half_close():
            self._transport.close()
            return
        self._state = _State.LINGERING
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        self._disarm()
        self._arm(self._clock() + (_LINGER if self._answered else 0.0))

    def _give_up(self) -> None:
        """Nothing more can be said to the client."""
        if self._state is not _State.LOST:
            self._state = _State.CLOSING
            self._abandon_all()
            self._transport.abort()

    def _leave(self) -> None:
        if self._state is _State.LOST and not self._tasks:
            self._around.gone(self)

    # Deadlines

    def _arm(self, when: float) -> None:
        """Have the timer call no later than this; it may call early, which costs less than to set it anew each time."""
        if when < self._armed:
            if self._timer is not None:
                self._timer.cancel()
            self._armed = when
            self._timer = self._around.clock.call_at(when, self._timer_called)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._armed = None, math.inf

    def _timer_called(self) -> None:
        self._timer, self._armed = None, math.inf
        if self._state is _State.LINGERING:
            self._transport.abort()
            return
        now = self._clock()
        if now >= self._write_due:
            self._look_for_progress(now)
        deadline = self._session.deadline
        if self._state is _OPEN and deadline is not None and now >= deadline:
            self._tell(DeadlineReached())
            deadline = self._session.deadline
        if self._state is _OPEN and deadline is not None:
            self._arm(deadline)
        if self._state in (_State.OPEN, _State.CLOSING) and self._write_due < math.inf:
            self._arm(self._write_due)

    def _look_for_progress(self, now: float) -> None:
        unsent = self._transport.unsent
        if unsent < self._unsent:
            self._unsent, self._write_due = unsent, now + self._around.write_timeout
            return
        reason = "the client left or did not read its answer"
        self._around.observe(RequestRefused(self.connection_id, 408, reason))
        self._write_due = math.inf
        self._give_up()
