"""The database under asyncio and trio: carries out the pool's commands and drives the conversations."""

from __future__ import annotations

import contextlib
import math
import os
import socket
from collections import deque
from functools import partial

import anyio

from fraiseql.effects import Execute, Fetch, Isolation, ResultSet, Row, Statement
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.observations import ConnectionLost, ConnectionOpened, Observation, Observer, ReconnectFailed
from fraiseql.postgres import Connection, Pool, cancel, drain, execute_alone, pool_events, run, wind_up
from fraiseql.postgres.conversation import CAN_CANCEL
from fraiseql.postgres.errors import outcome_unknown
from fraiseql.runtimes.anyio.background import Background
from fraiseql.runtimes.anyio.connecting import Connector
from fraiseql.runtimes.anyio.transactions import OpenTransaction
from fraiseql.runtimes.anyio.waits import TookTooLong, drive, in_time

__all__ = ["Database"]

_CANCELLED_AGAIN = 0.1  # seconds; a statement that was reached ends in milliseconds


def _ignore(observation: Observation) -> None:
    """For who wants to hear of nothing."""


class _Waiter:
    """A request for a connection and its answer."""

    __slots__ = ("connection", "error", "event", "id")

    def __init__(self) -> None:
        self.id = 0
        self.connection: Connection | None = None
        self.error: DatabaseError | None = None
        self.event: anyio.Event | None = None  # only where it has to wait

    def wake(self) -> None:
        if self.event is not None:
            self.event.set()


class Database:
    """A pool of connections to one PostgreSQL.

    All methods belong to the event loop that `start` was called on.

    Args:
        conninfo: a libpq connection string or URI.
        limits: see PoolLimits.
        observe: is told of connections made and lost.

    Raises:
        ConfigurationError: libpq cannot read the connection string.
    """

    def __init__(self, conninfo: str, limits: PoolLimits | None = None, observe: Observer = _ignore) -> None:
        self._limits = limits or PoolLimits()
        self._connector = Connector(conninfo, self._limits)
        self._observe = observe
        self._pool = Pool(self._limits)
        self._connections: dict[int, Connection] = {}
        self._transactions: set[OpenTransaction] = set()
        self._background = Background()
        self._timer: anyio.CancelScope | None = None
        self._armed = math.inf  # when the timer fires
        self._checks = 0  # under way
        self._all_released: anyio.Event | None = None

    @property
    def pool(self) -> Pool:
        """The pool's machine, to be read only: `size`, `idle`, `granted`, `opening`, `waiting`."""
        return self._pool

    @property
    def description(self) -> str:
        """Where the database is, without the password."""
        return self._connector.description

    @property
    def connector(self) -> Connector:
        """Makes connections that do not belong to the pool."""
        return self._connector

    async def start(self) -> None:
        """Begin; connections are made as requests need them."""
        await self._background.start()
        self._background.start_soon(self._keep_deadline, name="fraiseql pool timer")

    async def check(self) -> None:
        """Make sure that a connection can be had, and keep it for the first request.

        Raises:
            DatabaseError: the first attempt failed; unlike a request, this does not wait for the database to come.
        """
        self._checks += 1
        try:
            waiter = await self._acquire(patient=False)
        finally:
            self._checks -= 1
        self._handle(pool_events.ConnectionReleased(waiter.id))

    async def aclose(self) -> None:
        """Refuse new requests, wait for the statements that run and the transactions, and close all connections.

        Cancelled, it cuts off those that still run; they then raise DatabaseError.
        """
        if not self._background.is_running:
            return
        self._all_released = anyio.Event()
        self._handle(pool_events.PoolClosing())
        try:
            if self._pool.granted:
                await self._all_released.wait()
        finally:
            for connection in self._connections.values():
                _cut(connection.fd)
            for transaction in list(self._transactions):
                transaction.cut()
            if self._pool.granted:
                with anyio.move_on_after(self._limits.recovery_timeout, shield=True):
                    await self._all_released.wait()
            with anyio.CancelScope(shield=True):
                await self._background.stop()

    async def fetch(self, statement: Statement, parameters: tuple[bytes | None, ...]) -> Row:
        """Run one statement outside of a transaction and return its only row, in text format.

        Cancelled, it cancels the SQL too, and gives the connection back only if that came to a clean end in
        `recovery_timeout`.

        Raises:
            DatabaseError: no connection could be had, it was lost, or PostgreSQL refused the statement.
        """
        return await self.perform(Fetch(statement, parameters))

    async def perform(self, effect: Fetch) -> Row:
        """`fetch`, for the effect as a program yields it, be it in a transaction."""
        if effect.transaction is not None:
            return await _own(effect.transaction).fetch(effect)
        waiter = await self._acquire()
        connection = waiter.connection
        assert connection is not None
        try:
            row = await in_time(drive(run(connection, effect)), effect.timeout)
        except TookTooLong as error:
            await self._recover(connection)
            self._give_back(waiter.id, connection, str(error))
            raise
        except DatabaseError as error:
            self._give_back(waiter.id, connection, str(error))
            raise
        except BaseException:
            try:
                await self._recover(connection)
            finally:
                self._give_back(waiter.id, connection, "a cancelled statement did not end cleanly in time")
            raise
        self._give_back(waiter.id, connection, "it was left inside a transaction")
        return row

    async def execute(self, effect: Execute) -> ResultSet:
        """Run a statement of a user's own, and undo what it leaves in the session before somebody else is given that.

        Raises:
            DatabaseError: as for `fetch`; 08007 where nobody can tell whether it ran.
        """
        if effect.transaction is not None:
            return await _own(effect.transaction).execute(effect)
        waiter = await self._acquire()
        connection = waiter.connection
        assert connection is not None
        try:
            return await in_time(drive(execute_alone(connection, effect)), effect.timeout)
        except TookTooLong as error:
            raise outcome_unknown(str(error)) from None
        finally:
            try:
                await self._recover(connection)
            finally:
                self._give_back(waiter.id, connection, "what a statement left in it could not be undone in time")

    async def begin(self, isolation: Isolation = Isolation.READ_COMMITTED) -> OpenTransaction:
        """Open a transaction; it must be committed or rolled back.

        Raises:
            DatabaseError: no connection could be had.
        """
        waiter = await self._acquire()
        connection = waiter.connection
        assert connection is not None
        give_back = partial(self._give_back, waiter.id, connection)
        transaction = OpenTransaction(connection, isolation, recover=self._recover, give_back=give_back)
        self._transactions.add(transaction)
        transaction.when_ended.append(partial(self._transactions.discard, transaction))
        return transaction

    async def _acquire(self, *, patient: bool = True) -> _Waiter:
        if not self._background.is_running:
            raise DatabaseError("the database connections are not open", sqlstate="57P01", retryable=True)
        waiter = _Waiter()
        self._handle(pool_events.ConnectionRequested(waiter, patient))
        if waiter.connection is None and waiter.error is None:
            waiter.event = anyio.Event()
            try:
                await waiter.event.wait()
            except BaseException:
                self._abandon(waiter)
                raise
        if waiter.error is not None:
            raise waiter.error
        return waiter

    def _abandon(self, waiter: _Waiter) -> None:
        if waiter.connection is not None:  # granted and cancelled in one step of the event loop
            self._handle(pool_events.ConnectionReleased(waiter.id))
        else:
            self._handle(pool_events.RequestAbandoned(waiter))

    def _give_back(self, id: int, connection: Connection, reason: str) -> None:
        if connection.is_idle and not connection.outgrown and not connection.unclean:
            self._handle(pool_events.ConnectionReleased(id))
            return
        if connection.is_idle and not connection.unclean:
            reason = "a very large answer made its buffers grow for good"
        self._observe(ConnectionLost(connection.backend_pid, connection.fault or reason))
        self._handle(pool_events.ConnectionDistrusted(id, lost=connection.is_lost))

    async def _recover(self, connection: Connection) -> None:
        """Bring a connection to a clean end, if that takes not too long.

        What runs is cancelled, an open transaction rolled back, and what a user's SQL left is undone.
        """
        if (connection.is_idle and not connection.unclean) or connection.is_lost:
            return
        cancels = connection.is_busy and not connection.awaits_cleaning
        if cancels and not CAN_CANCEL:
            return
        with anyio.move_on_after(self._limits.recovery_timeout, shield=True):
            try:
                if cancels:
                    await _cancelled(connection)
                await drive(wind_up(connection))
            except DatabaseError:
                return  # it is not clean then, and will be closed

    def _handle(self, event: pool_events.Event) -> None:
        """Tell the pool what happened and do what it says; never waits, so that nothing comes between."""
        commands = deque(self._pool.handle(event, anyio.current_time()))
        while commands:
            match commands.popleft():
                case pool_events.GrantConnection(waiter, id):
                    assert isinstance(waiter, _Waiter)
                    commands.extend(self._grant(waiter, id))
                case pool_events.RefuseRequest(waiter, error):
                    assert isinstance(waiter, _Waiter)
                    waiter.error = error
                    waiter.wake()
                case pool_events.OpenConnection(id):
                    if self._background.is_running:
                        self._background.start_soon(self._open, id, name="fraiseql connect")
                    else:  # the event loop is ending
                        commands.extend(self._pool.handle(pool_events.OpeningFailed(id, _given_up()), 0.0))
                case pool_events.CloseConnection(id):
                    self._close(self._connections.pop(id))
        if self._all_released is not None and not self._pool.granted:
            self._all_released.set()
        self._arm_timer()

    def _grant(self, waiter: _Waiter, id: int) -> list[pool_events.Command]:
        connection = self._connections[id]
        if connection.is_alive():
            waiter.id, waiter.connection = id, connection
            waiter.wake()
            return []
        reason = "the server closed it while it was idle"
        self._observe(ConnectionLost(connection.backend_pid, reason))
        return self._pool.handle(pool_events.ConnectionDistrusted(id, lost=True, unused=True), anyio.current_time())

    def _close(self, connection: Connection) -> None:
        anyio.notify_closing(connection.fd)
        connection.close()

    async def _open(self, id: int) -> None:
        """Make one connection, in a task of its own: whoever asked for it may leave meanwhile."""
        try:
            connection = await self._connector.connect()
        except DatabaseError as error:
            self._opening_failed(id, error)
        except Exception as error:  # a defect of ours: the requests hear of it, and the other tasks here go on
            self._opening_failed(id, DatabaseError(f"{type(error).__name__}: {error}", sqlstate="XX000"))
        except BaseException:
            self._handle(pool_events.OpeningFailed(id, _given_up()))
            raise
        else:
            self._connections[id] = connection
            self._observe(ConnectionOpened(connection.backend_pid))
            self._handle(pool_events.ConnectionOpened(id))

    def _opening_failed(self, id: int, error: DatabaseError) -> None:
        self._handle(pool_events.OpeningFailed(id, error))
        if self._checks and not self._pool.waiting:
            return  # who called `check` hears of it, and nobody wants another attempt
        retry_in = max(0.0, (self._pool.retry_at or 0.0) - anyio.current_time())
        self._observe(ReconnectFailed(str(error), retry_in))

    def _arm_timer(self) -> None:
        deadline = self._pool.deadline
        if deadline is not None and deadline < self._armed and self._timer is not None:
            self._timer.deadline = self._armed = deadline

    async def _keep_deadline(self) -> None:
        """Deliver DeadlineReached; the timer may fire early, and is then set again."""
        while True:
            with anyio.CancelScope() as scope:
                self._timer, self._armed = scope, math.inf
                self._arm_timer()
                await anyio.sleep_forever()
            self._handle(pool_events.DeadlineReached())


async def _cancelled(connection: Connection) -> None:
    """Cancel what runs, until it has ended: the server passes over a request that comes before the statement begins."""
    connection.cleaning = None  # what was sent of it is read with the rest
    while connection.is_busy:
        await drive(cancel(connection))
        with anyio.move_on_after(_CANCELLED_AGAIN):
            await drive(drain(connection))


def _cut(fd: int) -> None:
    """Make a conversation that is under way meet the end of its connection, without touching libpq under its feet."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as twin:
        twin.shutdown(socket.SHUT_RDWR)
    anyio.notify_closing(fd)


def _own(transaction: object) -> OpenTransaction:
    assert isinstance(transaction, OpenTransaction), "the handle is what Begin gave"
    return transaction


def _given_up() -> DatabaseError:
    return DatabaseError("the attempt to connect was given up", sqlstate="57P01", retryable=True)
