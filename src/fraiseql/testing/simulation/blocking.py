"""The scripted database as threads have it: they wait for the simulation's own tasks, and may be interrupted."""

from __future__ import annotations

import select
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final

from fraiseql.effects import Execute, Fetch, Isolation, ResultSet, Row, Settings
from fraiseql.errors import DatabaseError
from fraiseql.runtimes.threads.waiting import Patience, Waiter
from fraiseql.testing.simulation.descriptors import Answered, Descriptors
from fraiseql.testing.simulation.loop import SimulatedLoop
from fraiseql.testing.simulation.performing import Performer
from fraiseql.testing.simulation.tasks import Task, Wait
from fraiseql.testing.simulation.transactions import OwnTransaction

__all__ = ["BlockingDatabase"]

_RECOVERY: Final = 10.0  # seconds for a rollback: longer than any takes


class _Answer:
    """What a task has brought, for the thread that waits for it.

    Args:
        make: gives what the task runs.
        tell: called once it has ended.
        dropped: is given the result, or None, where nobody waited any more.
    """

    def __init__(
        self, make: Callable[[], Coroutine[Wait, None, Any]], tell: Callable[[], None], dropped: Callable[[Any], None]
    ) -> None:
        self.is_there = False
        self._make, self._tell, self._dropped = make, tell, dropped
        self._result: Any = None
        self._error: Exception | None = None
        self._task: Task | None = None
        self._is_abandoned = False

    def begin(self, loop: SimulatedLoop) -> None:
        """On the loop."""
        self._task = Task(loop, self._make(), self._done)

    def abandon(self) -> None:
        """On the loop: nobody waits any more."""
        self._is_abandoned = True
        if self.is_there:
            self._dropped(self._result)
        elif self._task is not None:
            self._task.cancel()

    def get(self) -> Any:
        """The result; raises the error."""
        if self._error is not None:
            raise self._error
        return self._result

    def _done(self, result: Any, error: Exception | None) -> None:
        self._result, self._error, self.is_there = result, error, True
        if self._is_abandoned:
            self._dropped(result)
        else:
            self._tell()


class BlockingDatabase:
    """What the production performer of threads carries out statements with.

    Args:
        performer: has the tasks.
        descriptors: of the world.
        random: draws how a thread is told.
    """

    def __init__(self, loop: SimulatedLoop, performer: Performer, descriptors: Descriptors, random: Random) -> None:
        self._loop = loop
        self._performer = performer
        self._descriptors = descriptors
        self._random = random

    def perform(self, effect: Fetch, waiter: Waiter) -> Row:
        """Run one statement; raises DatabaseError, Interrupted."""
        if effect.transaction is not None:
            assert isinstance(effect.transaction, _Transaction)
            return effect.transaction.fetch(effect, waiter)
        row: Row = self.wait(lambda: self._performer.fetch(effect), waiter, _drop)
        return row

    def execute(self, effect: Execute, waiter: Waiter) -> ResultSet:
        """No user's own statement is among the scripted ones."""
        raise AssertionError("nobody asks for this here")

    def begin(self, isolation: Isolation, waiter: Waiter) -> _Transaction:
        """Open a transaction; raises DatabaseError, Interrupted."""
        return _Transaction(self, self.wait(self._performer.begin, waiter, _end))

    def wait(
        self, make: Callable[[], Coroutine[Wait, None, Any]], waiter: Waiter, dropped: Callable[[Any], None]
    ) -> Any:
        """Wait for a task, in a thread that may be interrupted; see _Answer."""
        ready = Answered(self._descriptors) if self._random.random() < 0.5 else None
        answer = _Answer(make, ready.set if ready is not None else waiter.wakeup.set, dropped)
        self._loop.call_soon(answer.begin, self._loop)
        try:
            while not answer.is_there:
                found = waiter.wait(None if ready is None else ready.fileno(), select.POLLIN, None)
                assert not found or answer.is_there, "a thread is told of an answer that has not come"
        except BaseException:
            self._loop.call_soon(answer.abandon)
            raise
        finally:
            if ready is not None:
                ready.close()
        return answer.get()

    def settle(self, make: Callable[[], Coroutine[Wait, None, Any]]) -> None:
        """Wait for a task that has to come to its end, in a thread that nothing interrupts."""
        with Patience(system=self._descriptors.system) as patience:
            answer = _Answer(make, patience.wakeup.set, _drop)
            until = patience.now() + _RECOVERY
            self._loop.call_soon(answer.begin, self._loop)
            while not answer.is_there:
                assert patience.now() < until, "a rollback takes too long"
                patience.wait(None, 0, until)
        answer.get()


class _Transaction:
    """What Begin gives to a thread."""

    def __init__(self, database: BlockingDatabase, transaction: OwnTransaction) -> None:
        self._database = database
        self._transaction = transaction
        self._is_interrupted = False

    @property
    def is_open(self) -> bool:
        """Whether it has a connection."""
        return not self._is_interrupted and not self._transaction.is_over

    def fetch(self, effect: Fetch, waiter: Waiter) -> Row:
        """One statement of it; interrupted, it takes the transaction with it."""
        row: Row = self._wait(lambda: self._transaction.run(effect), waiter)
        return row

    def commit(self, settings: Settings, waiter: Waiter) -> None:
        """Commit; interrupted, nobody knows."""
        self._wait(self._transaction.commit, waiter)

    def rollback(self) -> None:
        """Roll back, if it is not over."""
        if self.is_open:
            self._database.settle(self._transaction.rollback)

    def _wait(self, make: Callable[[], Coroutine[Wait, None, Any]], waiter: Waiter) -> Any:
        if self._is_interrupted:
            raise DatabaseError("the transaction was rolled back", sqlstate="25P02")
        try:
            return self._database.wait(make, waiter, lambda _: self._transaction.end())
        except Exception:
            raise
        except BaseException:
            self._is_interrupted = True
            raise


def _drop(result: Any) -> None:
    """Nothing is left of it."""


def _end(transaction: OwnTransaction | None) -> None:
    """It was begun in vain."""
    if transaction is not None:
        transaction.end()
