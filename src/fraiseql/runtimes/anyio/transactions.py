"""Transactions under asyncio and trio: one conversation at a time, and an end, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio

from fraiseql.effects import Execute, Fetch, Isolation, ResultSet, Row, Settings
from fraiseql.errors import DatabaseError
from fraiseql.postgres import ENDED_BY_USER, Conversation, Transaction
from fraiseql.runtimes.anyio.leases import Lease
from fraiseql.runtimes.anyio.waits import in_time
from fraiseql.runtimes.dispatching import TookTooLong

__all__ = ["OpenTransaction"]

_Result = TypeVar("_Result")


class OpenTransaction:
    """What Begin gives: a connection of one's own, until the transaction ends.

    Methods that are called while another one runs wait for it. Cancelled, or too late, a statement takes the whole
    transaction with it: nobody could say any more what was done in it.

    Args:
        lease: of a clean connection.
        isolation: see Isolation.

    Attributes:
        when_ended: called once, as soon as the connection is given back.
    """

    __slots__ = ("_ended", "_lease", "_lock", "_talk", "when_ended")

    def __init__(self, lease: Lease, isolation: Isolation) -> None:
        self._talk = Transaction(lease.connection, isolation)
        self._lease = lease
        self._lock = anyio.Lock(fast_acquire=True)
        self._ended: DatabaseError | None = None
        self.when_ended: list[Callable[[], None]] = []

    @property
    def is_open(self) -> bool:
        """Whether it holds its connection."""
        return self._ended is None

    async def fetch(self, effect: Fetch) -> Row:
        """Run one statement and return its only row; raises DatabaseError."""
        return await self._run(self._talk.fetch(effect), effect.timeout)

    async def execute(self, effect: Execute) -> ResultSet:
        """Run a statement of a user's own and return what it gave; raises DatabaseError."""
        return await self._run(self._talk.execute(effect), effect.timeout)

    async def commit(self, settings: Settings = ()) -> None:
        """Commit under these settings; sends nothing where there was no statement.

        Raises:
            DatabaseError: it is not committed; 08007 where nobody can tell.
        """
        async with self._lock:
            self._need_open()
            try:
                if self._talk.has_begun:
                    await self._lease.drive(self._talk.commit(settings))
                elif self._talk.connection.unclean:
                    raise DatabaseError("the transaction did not begin", sqlstate="25P02")
            finally:
                await self._end(_over())

    async def rollback(self) -> None:
        """Roll back, if it has not ended; raises nothing."""
        if self._ended is not None:
            return
        async with self._lock:
            if self._ended is None:
                await self._end(_over())

    def cut(self) -> None:
        """The connection was cut off: give it back, unless a conversation is under way, which meets the cut itself."""
        if self._ended is None and not self._lock.locked():
            self._leave(DatabaseError("the database connections were closed", sqlstate="57P01", retryable=True))

    async def _run(self, conversation: Conversation[_Result], timeout: float | None) -> _Result:
        async with self._lock:
            self._need_open()
            try:
                return await in_time(self._lease.clock, self._lease.drive(conversation), timeout)
            except TookTooLong as error:
                await self._end(_rolled_back(str(error), "08006"))
                raise
            except DatabaseError as error:
                connection = self._talk.connection
                if error.sqlstate == ENDED_BY_USER and self._talk.is_spoilt:
                    await self._end(error)  # nobody can tell what became of it, now or later
                elif self._talk.is_spoilt or connection.is_busy or connection.is_lost:
                    await self._end(_rolled_back(str(error), "08006" if error.unavailable else "25P02"))
                raise
            except BaseException:
                await self._end(_rolled_back("a statement of it was cancelled", "25P02"))
                raise

    def _need_open(self) -> None:
        if self._ended is not None:
            raise DatabaseError(str(self._ended), sqlstate=self._ended.sqlstate, retryable=self._ended.retryable)

    async def _end(self, why: DatabaseError) -> None:
        try:
            await self._lease.recover()
        finally:
            self._leave(why)

    def _leave(self, why: DatabaseError) -> None:
        self._ended = why
        self._lease.give_back("a transaction did not come to a clean end in time")
        for tell in self.when_ended:
            tell()


def _over() -> DatabaseError:
    return DatabaseError("the transaction has ended", sqlstate="25P01")


def _rolled_back(reason: str, sqlstate: str) -> DatabaseError:
    return DatabaseError(f"the transaction was rolled back: {reason}", sqlstate=sqlstate, retryable=sqlstate == "08006")
