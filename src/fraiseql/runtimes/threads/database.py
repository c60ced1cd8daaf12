"""The database for threads: the pool's machine under a lock, and conversations that whoever needs them drives."""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
import time
from collections import deque
from functools import partial
from threading import Condition, Lock, Thread

from psycopg.pq import ExecStatus

from fraiseql.effects import Execute, Fetch, Isolation, ResultSet, Row
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.observations import ConnectionLost, ConnectionOpened, Observation, Observer, ReconnectFailed
from fraiseql.postgres import Connection, Pool, cancel, drain, execute_alone, pool_events, quick, run, wind_up
from fraiseql.postgres.conversation import CAN_CANCEL, only_row, resume
from fraiseql.postgres.errors import outcome_unknown
from fraiseql.runtimes.loop import Clock
from fraiseql.runtimes.threads.connecting import Connector
from fraiseql.runtimes.threads.transactions import OpenTransaction
from fraiseql.runtimes.threads.waiting import Patience, TookTooLong, Waiter, Wakeup, drive

__all__ = ["Database"]

_EITHER = select.POLLIN | select.POLLOUT
_ROWS = int(ExecStatus.TUPLES_OK)
_MOMENT = 0.05  # seconds to wait for a connection before anything else is looked at
_CANCELLED_AGAIN = 0.1  # seconds; a statement that was reached ends in milliseconds


def _ignore(observation: Observation) -> None:
    """For who wants to hear of nothing."""


class _Request:
    """A request for a connection and its answer, which the thread that gives it writes under the pool's lock."""

    __slots__ = ("connection", "error", "id", "turn", "wakeup")

    def __init__(self) -> None:
        self.id = 0
        self.connection: Connection | None = None
        self.error: DatabaseError | None = None
        self.turn: Lock | None = None  # taken, while it waits for a moment ...
        self.wakeup: Wakeup | None = None  # ... and when that is over

    @property
    def is_answered(self) -> bool:
        return self.connection is not None or self.error is not None

    def must_wait(self) -> None:
        self.turn = Lock()
        self.turn.acquire()

    def wake(self) -> None:
        if self.wakeup is not None:
            self.wakeup.set()
        elif self.turn is not None:
            self.turn.release()


class Database:
    """A pool of connections to one PostgreSQL, for threads.

    Args:
        conninfo: a libpq connection string or URI.
        limits: see PoolLimits.
        observe: is told of connections made and lost, in whatever thread that happens.
        clock: see Poller.

    Raises:
        ConfigurationError: libpq cannot read the connection string.
    """

    def __init__(
        self,
        conninfo: str,
        limits: PoolLimits | None = None,
        observe: Observer = _ignore,
        clock: Clock | None = None,
    ) -> None:
        self._limits = limits or PoolLimits()
        self._clock = clock
        self._now = time.monotonic if clock is None else clock.time
        self._connector = Connector(conninfo, self._limits, clock)
        self._observe = observe
        self._lock = Lock()  # of everything below
        self._released = Condition(self._lock)
        self._pool = Pool(self._limits)
        self._connections: dict[int, Connection] = {}
        self._timer: Wakeup | None = None
        self._keeper: Thread | None = None
        self._armed = math.inf  # when the keeper looks again
        self._checks = 0  # under way
        self._is_open = False

    @property
    def pool(self) -> Pool:
        """The pool's machine, to be read only: `size`, `idle`, `granted`, `opening`, `waiting`."""
        return self._pool

    @property
    def description(self) -> str:
        """Where the database is, without the password."""
        return self._connector.description

    def start(self) -> None:
        """Begin; connections are made as requests need them."""
        self._is_open = True
        waiter = Patience(self._clock)
        self._timer = waiter.wakeup
        self._keeper = Thread(target=self._keep_deadline, args=(waiter,), name="fraiseql pool", daemon=True)
        self._keeper.start()

    def check(self) -> None:
        """Make sure that a connection can be had, and keep it for the first request.

        Raises:
            DatabaseError: the first attempt failed; unlike a request, this does not wait for the database to come.
        """
        self._checks += 1
        try:
            with Patience(self._clock) as waiter:
                request = self._acquire(waiter, patient=False)
        finally:
            self._checks -= 1
        self._handle(pool_events.ConnectionReleased(request.id))

    def close(self, patience: float) -> None:
        """Refuse new requests, wait for the statements that run and the transactions, and close all connections.

        Args:
            patience: seconds to wait; what still runs then is cut off, and raises DatabaseError.
        """
        if not self._is_open:
            return
        self._handle(pool_events.PoolClosing())
        with self._lock:
            if not self._released.wait_for(self._is_unused, patience):
                for connection in self._connections.values():
                    _cut(connection.fd)
                self._released.wait_for(self._is_unused, self._limits.recovery_timeout)
            self._is_open = False
            assert self._timer is not None
            self._timer.set()
        if self._keeper is not None:
            self._keeper.join()

    def perform(self, effect: Fetch, waiter: Waiter) -> Row:
        """Run one statement and return its only row, in text format.

        Interrupted, it cancels the SQL too, in another thread, which gives the connection back only if that came to a
        clean end in `recovery_timeout`.

        Raises:
            DatabaseError: no connection could be had, it was lost, or PostgreSQL refused the statement.
            Interrupted: as `waiter.wait`.
        """
        if effect.transaction is not None:
            return _own(effect.transaction).fetch(effect, waiter)
        return self._run(self._acquire(waiter), effect, waiter)

    def _run(self, request: _Request, effect: Fetch, waiter: Waiter) -> Row:
        """Run one statement on the connection that was granted, and give that back."""
        connection = request.connection
        assert connection is not None
        until = None if effect.timeout is None else waiter.now() + effect.timeout
        try:
            row = _fetch(connection, effect, waiter, until)
        except TookTooLong as error:
            self._let_go(request.id, connection, str(error), apart=True)
            raise
        except DatabaseError as error:
            self._give_back(request.id, connection, str(error))
            raise
        except BaseException:
            self._let_go(request.id, connection, "a cancelled statement did not end cleanly in time", apart=True)
            raise
        self._give_back(request.id, connection, "it was left inside a transaction")
        return row

    def execute(self, effect: Execute, waiter: Waiter) -> ResultSet:
        """Run a statement of a user's own, and undo what it leaves in the session before somebody else is given that.

        Raises:
            DatabaseError: as for `perform`; 08007 where nobody can tell whether it ran.
            Interrupted: as `waiter.wait`.
        """
        if effect.transaction is not None:
            return _own(effect.transaction).execute(effect, waiter)
        request = self._acquire(waiter)
        connection = request.connection
        assert connection is not None
        until = None if effect.timeout is None else waiter.now() + effect.timeout
        apart = True
        try:
            result = drive(execute_alone(connection, effect), waiter, until)
            apart = False
        except TookTooLong as error:
            raise outcome_unknown(str(error)) from None
        except DatabaseError:
            apart = False
            raise
        finally:
            reason = "what a statement left in it could not be undone in time"
            self._let_go(request.id, connection, reason, apart=apart)
        return result

    def begin(self, isolation: Isolation, waiter: Waiter) -> OpenTransaction:
        """Open a transaction; it must be committed or rolled back.

        Raises:
            DatabaseError: no connection could be had.
            Interrupted: as `waiter.wait`.
        """
        request = self._acquire(waiter)
        connection = request.connection
        assert connection is not None
        return OpenTransaction(connection, isolation, partial(self._let_go, request.id, connection))

    def _is_unused(self) -> bool:
        return not self._pool.granted

    def _acquire(self, waiter: Waiter, *, patient: bool = True) -> _Request:
        if not self._is_open:
            raise DatabaseError("the database connections are not open", sqlstate="57P01", retryable=True)
        request = _Request()
        with self._lock:
            self._carry_out(self._pool.handle(pool_events.ConnectionRequested(request, patient), self._now()))
            if not request.is_answered:
                request.must_wait()
        while True:
            if not request.is_answered:
                self._wait(request, waiter)
            if request.error is not None:
                raise request.error
            connection = request.connection
            assert connection is not None
            if connection.is_alive():  # outside of the lock: it asks the kernel
                return request
            self._observe(ConnectionLost(connection.backend_pid, "the server closed it while it was idle"))
            with self._lock:
                request.connection = None
                event = pool_events.ConnectionDistrusted(request.id, lost=True, unused=True)
                self._carry_out(self._pool.handle(event, self._now()))
                if not request.is_answered:
                    request.wakeup = waiter.wakeup

    def _wait(self, request: _Request, waiter: Waiter) -> None:
        try:
            # A lock costs far less than a descriptor: the client is looked after where this is no short wait.
            if request.wakeup is None and request.turn is not None and not request.turn.acquire(timeout=_MOMENT):
                with self._lock:
                    request.wakeup = waiter.wakeup
            while not request.is_answered:
                waiter.wait(None, 0, None)
        except BaseException:
            with self._lock:
                if request.connection is not None:  # granted meanwhile
                    event: pool_events.Event = pool_events.ConnectionReleased(request.id)
                else:
                    event = pool_events.RequestAbandoned(request)
                self._carry_out(self._pool.handle(event, self._now()))
            raise

    def _give_back(self, id: int, connection: Connection, reason: str) -> None:
        if connection.is_idle and not connection.outgrown and not connection.unclean:
            self._handle(pool_events.ConnectionReleased(id))
            return
        if connection.is_idle and not connection.unclean:
            reason = "a very large answer made its buffers grow for good"
        self._observe(ConnectionLost(connection.backend_pid, connection.fault or reason))
        self._handle(pool_events.ConnectionDistrusted(id, lost=connection.is_lost))

    def _let_go(self, id: int, connection: Connection, reason: str, *, apart: bool) -> None:
        """Bring a connection to a clean end and give it back.

        Args:
            reason: for the log, where it is no clean one then.
            apart: whether in a thread of its own: somebody waits for an answer whose time has come, and a server that
                does not cancel what runs must not keep that up.
        """
        if apart and not connection.is_lost and (connection.unclean or not connection.is_idle):
            with contextlib.suppress(RuntimeError):  # there is no thread to be had
                arguments = (id, connection, reason)
                Thread(target=self._clear, args=arguments, name="fraiseql clear", daemon=True).start()
                return
        self._clear(id, connection, reason)

    def _clear(self, id: int, connection: Connection, reason: str) -> None:
        try:
            self._recover(connection)
        finally:
            self._give_back(id, connection, reason)

    def _recover(self, connection: Connection) -> None:
        """Bring a connection to a clean end, if that takes not too long.

        What runs is cancelled, an open transaction rolled back, and what a user's SQL left is undone.
        """
        if (connection.is_idle and not connection.unclean) or connection.is_lost:
            return
        cancels = connection.is_busy and not connection.awaits_cleaning
        if cancels and not CAN_CANCEL:
            return
        with Patience(self._clock) as waiter:
            until = waiter.now() + self._limits.recovery_timeout
            try:
                if cancels:
                    _cancelled(connection, waiter, until)
                drive(wind_up(connection), waiter, until)
            except DatabaseError:
                return  # it is not clean then, and will be closed

    def _handle(self, event: pool_events.Event) -> None:
        with self._lock:
            self._carry_out(self._pool.handle(event, self._now()))

    def _carry_out(self, commands: list[pool_events.Command]) -> None:
        """Do what the pool says, under its lock; never waits."""
        left = deque(commands)
        while left:
            match left.popleft():
                case pool_events.GrantConnection(request, id):
                    assert isinstance(request, _Request)
                    request.id, request.connection = id, self._connections[id]
                    request.wake()
                case pool_events.RefuseRequest(request, error):
                    assert isinstance(request, _Request)
                    request.error = error
                    request.wake()
                case pool_events.OpenConnection(id):
                    try:
                        Thread(target=self._open, args=(id,), name="fraiseql connect", daemon=True).start()
                    except RuntimeError as error:  # there is no thread to be had
                        failed = pool_events.OpeningFailed(id, _given_up(error))
                        left.extend(self._pool.handle(failed, self._now()))
                case pool_events.CloseConnection(id):
                    self._connections.pop(id).close()
        if not self._pool.granted:
            self._released.notify_all()
        deadline = self._pool.deadline
        if deadline is not None and deadline < self._armed and self._timer is not None:
            self._armed = deadline
            self._timer.set()

    def _open(self, id: int) -> None:
        """Make one connection, in a thread of its own: whoever asked for it may leave meanwhile."""
        try:
            connection = self._connector.connect()
        except DatabaseError as error:
            self._opening_failed(id, error)
        except BaseException as error:  # a defect of ours: the requests hear of it
            self._opening_failed(id, DatabaseError(f"{type(error).__name__}: {error}", sqlstate="XX000"))
        else:
            self._observe(ConnectionOpened(connection.backend_pid))
            with self._lock:
                self._connections[id] = connection
                self._carry_out(self._pool.handle(pool_events.ConnectionOpened(id), self._now()))

    def _opening_failed(self, id: int, error: DatabaseError) -> None:
        self._handle(pool_events.OpeningFailed(id, error))
        if self._checks and not self._pool.waiting:
            return  # who called `check` hears of it, and nobody wants another attempt
        retry_in = max(0.0, (self._pool.retry_at or 0.0) - self._now())
        self._observe(ReconnectFailed(str(error), retry_in))

    def _keep_deadline(self, waiter: Patience) -> None:
        with waiter:
            while self._is_open:
                waiter.wait(None, 0, self._look())

    def _look(self) -> float | None:
        """Deliver DeadlineReached, where it has come; gives when to look again, which may be too early."""
        with self._lock:
            # Only once it has come: requests that wait come and go, and each would wake the keeper.
            if self._now() >= self._armed:
                self._armed = math.inf
                self._carry_out(self._pool.handle(pool_events.DeadlineReached(), self._now()))
            return None if self._armed == math.inf else self._armed


def _fetch(connection: Connection, effect: Fetch, waiter: Waiter, until: float | None) -> Row:
    """Run one statement; the usual one without a generator, which costs a quarter of it."""
    if not quick.send(connection, effect):
        return drive(run(connection, effect), waiter, until)
    try:
        is_sent, result = quick.flush(connection), None
        while result is None:
            found = waiter.wait(connection.fd, select.POLLIN if is_sent else _EITHER, until)
            if found:
                is_sent = is_sent or quick.flush(connection)
                result = quick.receive(connection)
            elif until is not None and waiter.now() >= until:
                raise TookTooLong("the database did not answer in time", sqlstate="08006", retryable=True)
    except BaseException:
        connection.half = None
        raise
    if result.status == _ROWS:
        return only_row(connection, result, effect.statement.columns)
    return drive(resume(connection, effect, result), waiter, until)


def _cancelled(connection: Connection, waiter: Waiter, until: float) -> None:
    """Cancel what runs, until it has ended: the server passes over a request that comes before the statement begins."""
    connection.cleaning = None  # what was sent of it is read with the rest
    while connection.is_busy:
        drive(cancel(connection), waiter, until)
        try:
            drive(drain(connection), waiter, min(until, waiter.now() + _CANCELLED_AGAIN))
        except TookTooLong:
            if waiter.now() >= until:
                raise


def _cut(fd: int) -> None:
    """Make a conversation that is under way meet the end of its connection, without touching libpq under its feet."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as twin:
        twin.shutdown(socket.SHUT_RDWR)


def _own(transaction: object) -> OpenTransaction:
    assert isinstance(transaction, OpenTransaction), "the handle is what Begin gave"
    return transaction


def _given_up(error: RuntimeError) -> DatabaseError:
    return DatabaseError(f"the attempt to connect was given up: {error}", sqlstate="57P01", retryable=True)
