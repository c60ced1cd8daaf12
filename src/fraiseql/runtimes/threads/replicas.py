"""The database for threads with read replicas: each is a pool of its own; `fraiseql.runtimes.routing` has the rules."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread

from fraiseql.effects import Fetch, Row
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.observations import Observer
from fraiseql.runtimes.loop import Clock
from fraiseql.runtimes.routing import Health, Task, Verdict, Writing, judge, least_loaded
from fraiseql.runtimes.threads.database import Database
from fraiseql.runtimes.threads.waiting import Waiter, Wakeup

__all__ = ["RoutedDatabase"]


class RoutedDatabase(Database):
    """A pool of connections to one PostgreSQL, and one to each of its replicas.

    Args:
        conninfo: a libpq connection string or URI.
        replicas: theirs; statements that only read run there.
        limits, observe, clock: as of Database; the limits are those of each pool.

    Raises:
        ConfigurationError: libpq cannot read a connection string.
    """

    def __init__(
        self,
        conninfo: str,
        replicas: Sequence[str],
        limits: PoolLimits,
        observe: Observer,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(conninfo, limits, observe, clock)
        self._replicas = [_Replica(each, limits, observe, clock) for each in replicas]
        self._writing = Writing()

    @property
    def replicas(self) -> int:
        """How many replicas are used now."""
        return sum(replica.health.is_well for replica in self._replicas)

    def start(self) -> None:
        """As of Database; replicas are used once they are found to be there."""
        super().start()
        for replica in self._replicas:
            replica.start()

    def close(self, patience: float) -> None:
        """As of Database; the replicas first, since what runs there may go on at the primary."""
        until = self._now() + patience
        for replica in self._replicas:
            replica.close(max(0.0, until - self._now()))
        super().close(max(0.0, until - self._now()))

    def perform(self, effect: Fetch, waiter: Waiter) -> Row:
        """As of Database: on the replica that has the least to do, where the statement may run on one."""
        replica = least_loaded(self._replicas) if self._writing.may_leave(effect) else None
        while replica is not None:
            attempt = _Attempt(replica, waiter)
            try:
                return replica.attempt(attempt, effect)
            except _Moved:
                break
            except DatabaseError as error:
                verdict = judge(error, connected=attempt.is_connected)
                if verdict is Verdict.ANSWER:
                    raise
                if verdict is Verdict.WRITES:
                    self._writing.add(effect)
                elif verdict is Verdict.AWAY:
                    replica.fail()
                replica = least_loaded(self._replicas) if verdict is Verdict.AWAY else None
        return super().perform(effect, waiter)


class _Moved(BaseException):
    """The replica is not waited for any more; no Exception: the pool takes it for a statement that is cancelled."""


class _Attempt:
    """A statement on a replica: waits in the name of its operation, and notices when the replica says nothing.

    Attributes:
        is_connected: whether it was granted a connection.
        is_moved: whether it is to run on the primary instead.
    """

    __slots__ = ("_replica", "_waiter", "is_connected", "is_moved", "now")

    def __init__(self, replica: _Replica, waiter: Waiter) -> None:
        self._replica = replica
        self._waiter = waiter
        self.now = waiter.now
        self.is_connected = False
        self.is_moved = False

    @property
    def wakeup(self) -> Wakeup:
        """As of Waiter."""
        return self._waiter.wakeup

    def wait(self, fd: int | None, events: int, until: float | None) -> int:
        """As of Waiter; raises _Moved too."""
        look_at = self._replica.look_at(self)
        by = look_at if until is None or (look_at is not None and look_at < until) else until
        ready = self._waiter.wait(fd, events, by)
        if not ready and look_at is not None and self.now() >= look_at:
            self._replica.advance()  # whoever waits on is told by `look_at` where this has moved it
        return ready

    def move(self) -> None:
        """It is to run on the primary instead; its thread finds that when it wakes at `look_at`."""
        self.is_moved = True


class _Replica(Database):
    """The pool of one replica, and whether that is well.

    Attributes:
        health: is told of everything under the pool's lock.
    """

    def __init__(self, conninfo: str, limits: PoolLimits, observe: Observer, clock: Clock | None) -> None:
        super().__init__(conninfo, limits, observe, clock)
        self.health: Health[_Attempt] = Health(limits, _Attempt.move)

    @property
    def load(self) -> int:
        """How much runs there, and waits."""
        return self._pool.granted + self._pool.waiting

    def close(self, patience: float) -> None:
        """As of Database; what it is being asked meanwhile ends by itself."""
        with self._lock:
            self.health.stop()
        super().close(patience)

    def attempt(self, attempt: _Attempt, effect: Fetch) -> Row:
        """Run a statement; raises as `perform` does, and _Moved."""
        with self._lock:
            if not self.health.is_well:  # any more: nobody would look after it
                raise _Moved
            self.health.ran(attempt, self._now())
        is_answered = False
        try:
            request = self._acquire(attempt)
            attempt.is_connected = True
            row = self._run(request, effect, attempt)
            is_answered = True
            return row
        except DatabaseError as error:
            is_answered = not error.unavailable
            raise
        finally:
            with self._lock:
                self.health.left(attempt, self._now(), answered=is_answered)
            if not is_answered:  # nobody may wait there any more, and look after it
                self._wake_keeper()

    def look_at(self, attempt: _Attempt) -> float | None:
        """When to look what the replica's silence means; never, where it is closing. Raises _Moved."""
        with self._lock:  # else it might be moved between the two, and wait for ever
            if attempt.is_moved:
                raise _Moved
            return self.health.look_at

    def fail(self) -> None:
        """Use it no more, until a probe has succeeded."""
        with self._lock:
            self.health.failed(self._now())
        self._wake_keeper()

    def advance(self) -> None:
        """Do what the time has come for, in a short thread; whoever notices calls this."""
        while True:
            with self._lock:
                task = self.health.due(self._now())
            if task is None:
                return
            try:
                Thread(target=self._do, args=(task,), name="fraiseql replica", daemon=True).start()
            except RuntimeError as error:  # there is no thread to be had
                self._tell(task, DatabaseError(f"the replica was not asked: {error}", sqlstate="53000", retryable=True))

    def _look(self) -> float | None:
        """As of Database: the keeper of the pool is that of its health too."""
        deadline = super()._look()
        self.advance()
        with self._lock:
            own = self.health.deadline
        return own if deadline is None or (own is not None and own < deadline) else deadline

    def _do(self, task: Task) -> None:
        failure: DatabaseError | None = None
        try:
            if task is Task.PROBE:
                self.check()
            else:
                self._connector.connect().close()
        except DatabaseError as error:
            failure = error
        except BaseException as error:  # a defect of ours: it is no use then
            failure = DatabaseError(f"{type(error).__name__}: {error}", sqlstate="XX000")
        self._tell(task, failure)

    def _tell(self, task: Task, error: DatabaseError | None) -> None:
        with self._lock:
            told = self.health.probed if task is Task.PROBE else self.health.reached
            told(error, self._now())
        self._wake_keeper()

    def _wake_keeper(self) -> None:
        if self._timer is not None:
            self._timer.set()
