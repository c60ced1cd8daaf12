"""What the driver of a client needs of others: a session, a transport, and who carries out effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from fraiseql.effects import Effect, Fetch, Join, Program
from fraiseql.observations import Observer
from fraiseql.runtimes.loop import Clock
from fraiseql.runtimes.operations import Gate, Participant
from fraiseql.session import Command, SessionEvent

__all__ = ["Done", "OperationRunner", "Session", "Surroundings", "Ticket", "Transport"]

Done: TypeAlias = Callable[[Any, Exception | None], None]
"""Told the result, or the error."""


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


class Transport(Protocol):
    """A client's socket.

    It tells its driver `data_received`, `eof_received`, `written` and, once and last, `connection_lost`; none of them
    within a call of the driver's.
    """

    @property
    def unsent(self) -> int:
        """How many bytes are kept, since the client does not read."""

    def send(self, data: bytes) -> bool:
        """Send, and give whether all is written; what is not is kept, and `written` told when it is."""

    def pause_reading(self) -> None:
        """Deliver nothing."""

    def resume_reading(self) -> None:
        """Deliver again."""

    def half_close(self) -> bool:
        """Say that nothing more comes; gives whether the client can be heard any longer."""

    def close(self) -> None:
        """Close in order: what is unsent is written first."""

    def abort(self) -> None:
        """Close at once."""


class Ticket(Protocol):
    """Something under way."""

    def abandon(self) -> None:
        """Cancel it, with its SQL; nobody is told of its end any more."""


class OperationRunner(Protocol):
    """Carries out effects."""

    def submit(self, effect: Fetch, done: Done) -> Ticket:
        """Run a statement outside of a transaction; `done` is called later, never within this call."""

    def join(self, effect: Join, participant: Participant, done: Done) -> Ticket | None:
        """Take part in a stream; None where that takes a task. `done` is called later, never within this call."""

    def run(self, program: Program[Any], effect: Effect, participant: Participant, gate: Gate, done: Done) -> Ticket:
        """Run a program on from an effect that it has yielded, in a task.

        `done` is called later, once nothing of it runs any more, also where it was abandoned: then with None for both,
        or with what it met on its way out.
        """


def _forget(driver: object) -> None:
    """For who does not count the clients."""


@dataclass(slots=True, kw_only=True, eq=False)
class Surroundings:
    """What the drivers of a server share.

    Attributes:
        clock: by which deadlines are kept.
        date: gives the wall clock as HTTP writes it.
        operations: carries out what sessions start.
        max_statements: that one client's operations may run at once, lest it take all connections to the database.
        write_timeout: seconds for a client that takes nothing of its answer.
        observe: is told of clients that do not read, and of defects.
        gone: called once for each driver, when its connection is lost and nothing of it runs any more.
    """

    clock: Clock
    date: Callable[[], bytes]
    operations: OperationRunner
    max_statements: int
    write_timeout: float
    observe: Observer
    gone: Callable[[Any], None] = _forget
