"""Transactions of one thread: one statement after the other, and an end, whatever happens."""

from __future__ import annotations

from typing import Protocol, TypeVar

from fraiseql.effects import Execute, Fetch, Isolation, ResultSet, Row, Settings
from fraiseql.errors import DatabaseError
from fraiseql.postgres import ENDED_BY_USER, Connection, Conversation, Transaction
from fraiseql.runtimes.threads.waiting import TookTooLong, Waiter, drive

__all__ = ["OpenTransaction"]

_Result = TypeVar("_Result")


class _LetGo(Protocol):
    def __call__(self, reason: str, *, apart: bool) -> None: ...


class OpenTransaction:
    """What Begin gives: a connection of one's own, until the transaction ends.

    Interrupted, or too late, a statement takes the whole transaction with it: nobody could say any more what was done
    in it.

    Args:
        connection: a clean one.
        isolation: see Isolation.
        let_go: takes the connection, whatever state it is in; see Database.
    """

    __slots__ = ("_ended", "_let_go", "_talk")

    def __init__(self, connection: Connection, isolation: Isolation, let_go: _LetGo) -> None:
        self._talk = Transaction(connection, isolation)
        self._let_go = let_go
        self._ended: DatabaseError | None = None

    @property
    def is_open(self) -> bool:
        """Whether it holds its connection."""
        return self._ended is None

    def fetch(self, effect: Fetch, waiter: Waiter) -> Row:
        """Run one statement and return its only row; raises DatabaseError, Interrupted."""
        return self._run(self._talk.fetch(effect), effect.timeout, waiter)

    def execute(self, effect: Execute, waiter: Waiter) -> ResultSet:
        """Run a statement of a user's own and return what it gave; raises DatabaseError, Interrupted."""
        return self._run(self._talk.execute(effect), effect.timeout, waiter)

    def commit(self, settings: Settings, waiter: Waiter) -> None:
        """Commit under these settings; sends nothing where there was no statement.

        Raises:
            DatabaseError: it is not committed; 08007 where nobody can tell.
            Interrupted: nobody can tell, and nobody asks.
        """
        self._need_open()
        try:
            if self._talk.has_begun:
                drive(self._talk.commit(settings), waiter)
            elif self._talk.connection.unclean:
                raise DatabaseError("the transaction did not begin", sqlstate="25P02")
        finally:
            self._end(_over())

    def rollback(self) -> None:
        """Roll back, if it has not ended; raises nothing."""
        if self._ended is None:
            self._end(_over())

    def _run(self, conversation: Conversation[_Result], timeout: float | None, waiter: Waiter) -> _Result:
        self._need_open()
        try:
            return drive(conversation, waiter, None if timeout is None else waiter.now() + timeout)
        except TookTooLong as error:
            self._end(_rolled_back(str(error), "08006"), apart=True)
            raise
        except DatabaseError as error:
            connection = self._talk.connection
            if error.sqlstate == ENDED_BY_USER and self._talk.is_spoilt:
                self._end(error)  # nobody can tell what became of it, now or later
            elif self._talk.is_spoilt or connection.is_busy or connection.is_lost:
                self._end(_rolled_back(str(error), "08006" if error.unavailable else "25P02"))
            raise
        except BaseException:
            self._end(_rolled_back("a statement of it was cancelled", "25P02"), apart=True)
            raise

    def _need_open(self) -> None:
        if self._ended is not None:
            raise DatabaseError(str(self._ended), sqlstate=self._ended.sqlstate, retryable=self._ended.retryable)

    def _end(self, why: DatabaseError, *, apart: bool = False) -> None:
        self._ended = why
        self._let_go("a transaction did not come to a clean end in time", apart=apart)


def _over() -> DatabaseError:
    return DatabaseError("the transaction has ended", sqlstate="25P01")


def _rolled_back(reason: str, sqlstate: str) -> DatabaseError:
    return DatabaseError(f"the transaction was rolled back: {reason}", sqlstate=sqlstate, retryable=sqlstate == "08006")
