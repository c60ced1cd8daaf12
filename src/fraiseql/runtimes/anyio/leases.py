"""What a task holds of the dispatcher: an answer it waits for, and a connection of its own."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import anyio

from fraiseql.postgres import Connection, Conversation
from fraiseql.runtimes.dispatching import Ticket
from fraiseql.runtimes.links import PostgresLink
from fraiseql.runtimes.loop import Clock
from fraiseql.runtimes.replicas import RoutedTicket

__all__ = ["Answer", "Lease"]

_Result = TypeVar("_Result")


class Answer(Generic[_Result]):
    """The answer to a ticket, for a task to wait for.

    Attributes:
        ticket: set before `wait`.
    """

    __slots__ = ("_error", "_event", "_is_there", "_result", "ticket")

    def __init__(self) -> None:
        self.ticket: Ticket | RoutedTicket | None = None
        self._event: anyio.Event | None = None  # only where it has to wait
        self._is_there = False
        self._result: Any = None
        self._error: Exception | None = None

    def told(self, result: Any, error: Exception | None) -> None:
        """It is there."""
        self._result, self._error, self._is_there = result, error, True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> _Result:
        """The answer; raises what it says.

        Cancelled, the ticket is abandoned, and its connection recovered before this returns; cancelled in that too, as
        asyncio can be, the connection is closed.
        """
        try:
            await self.arrival()
        except BaseException:
            await self._let_go()
            raise
        return self.result()

    async def arrival(self) -> None:
        """Wait until it is there."""
        if not self._is_there:
            self._event = anyio.Event()
            await self._event.wait()

    def result(self) -> _Result:
        """What is there; raises what it says."""
        if self._error is not None:
            raise self._error
        result: _Result = self._result
        return result

    async def _let_go(self) -> None:
        assert self.ticket is not None
        recovered = anyio.Event()
        self.ticket.abandon(recovered.set)
        try:
            with anyio.CancelScope(shield=True):
                if not recovered.is_set():
                    await recovered.wait()
        except BaseException:
            self.ticket.give_up()
            raise


class Lease:
    """A connection of one's own, until it is given back.

    Args:
        ticket: one that has its link.
        clock: keeps the deadlines of what runs on it.

    Attributes:
        connection: to be read; all conversations go through `drive`.
    """

    __slots__ = ("_link", "_ticket", "clock", "connection")

    def __init__(self, ticket: Ticket, clock: Clock) -> None:
        link = ticket.link
        assert isinstance(link, PostgresLink)
        self._ticket = ticket
        self._link = link
        self.clock = clock
        self.connection: Connection = link.connection

    async def drive(self, conversation: Conversation[_Result]) -> _Result:
        """Run a conversation to its end and return its result; cancelled, it is closed where it stands.

        Raises:
            DatabaseError: what the conversation raises.
        """
        answer = Answer[_Result]()
        self._link.converse(conversation, answer.told)
        try:
            await answer.arrival()
        except BaseException:
            self._link.stop()
            raise
        return answer.result()

    async def recover(self) -> None:
        """Bring the connection to a clean end, if that takes not too long; raises nothing."""
        recovered = anyio.Event()
        self._link.recover(recovered.set)
        if recovered.is_set():
            return
        try:
            with anyio.CancelScope(shield=True):
                await recovered.wait()
        except BaseException:
            self._link.give_up()
            raise

    def give_back(self, reason: str) -> None:
        """Give it back, whatever state it is in; `reason` says why it may be no clean one."""
        self._ticket.release(reason)
