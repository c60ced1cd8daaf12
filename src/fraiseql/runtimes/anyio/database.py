"""The database under asyncio and trio: the dispatcher on the event loop, and its methods for tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import anyio

from fraiseql.effects import Execute, Fetch, Isolation, ResultSet, Row, Statement
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.observations import Observation, Observer
from fraiseql.postgres import Connection, Pool, execute_alone
from fraiseql.postgres.errors import outcome_unknown
from fraiseql.runtimes.anyio.background import Background, running_trio
from fraiseql.runtimes.anyio.connecting import Connector
from fraiseql.runtimes.anyio.leases import Answer, Lease
from fraiseql.runtimes.anyio.reactor import Reactor
from fraiseql.runtimes.anyio.transactions import OpenTransaction
from fraiseql.runtimes.anyio.waits import in_time, within
from fraiseql.runtimes.dispatching import Dispatcher, Done, Link, Ticket, TookTooLong
from fraiseql.runtimes.links import PostgresLink
from fraiseql.runtimes.loop import Clock, EventLoop
from fraiseql.runtimes.replicas import Replicas, RoutedTicket

__all__ = ["Database"]

_Opened = Callable[[Link | None, DatabaseError | None], None]


def _ignore(observation: Observation) -> None:
    """For who wants to hear of nothing."""


class _Opener:
    """Makes the links of one server's pool, each in a task of its own: whoever asked for it may leave meanwhile."""

    def __init__(
        self, connector: Connector, background: Background, loop: EventLoop, clock: Clock, recovery_timeout: float
    ) -> None:
        self._connector = connector
        self._background = background
        self._loop = loop
        self._clock = clock
        self._recovery_timeout = recovery_timeout

    def __call__(self, opened: _Opened) -> None:
        if self._background.is_running:
            self._background.start_soon(self._connect, opened, name="fraiseql connect")
        else:  # the event loop is ending
            self._loop.call_soon(opened, None, _given_up())

    async def _connect(self, opened: _Opened) -> None:
        try:
            connection = await self._connector.connect(self._clock)
        except DatabaseError as error:
            opened(None, error)
        except Exception as error:  # a defect of ours: the requests hear of it, and the other tasks here go on
            opened(None, DatabaseError(f"{type(error).__name__}: {error}", sqlstate="XX000"))
        except BaseException:
            opened(None, _given_up())
            raise
        else:
            opened(PostgresLink(connection, self._loop, self._clock, self._recovery_timeout), None)


class Database:
    """A pool of connections to one PostgreSQL, and one to each of its replicas.

    All methods belong to the event loop that `start` was called on.

    Args:
        conninfo: a libpq connection string or URI.
        limits: see PoolLimits.
        observe: is told of connections made and lost.
        clock: by which all deadlines are kept; the event loop by default.
        replicas: their connection strings or URIs; statements that only read run there.

    Raises:
        ConfigurationError: libpq cannot read the connection string.
    """

    def __init__(
        self,
        conninfo: str,
        limits: PoolLimits | None = None,
        observe: Observer = _ignore,
        clock: Clock | None = None,
        replicas: Sequence[str] = (),
    ) -> None:
        self._limits = limits or PoolLimits()
        self._elsewhere = [Connector(each, self._limits) for each in replicas]
        self._connector = Connector(conninfo, self._limits)
        self._observe = observe
        self._clock = clock
        self._dispatcher: Dispatcher | None = None
        self._replicas: Replicas | None = None
        self._transactions: set[OpenTransaction] = set()
        self._background = Background()

    @property
    def pool(self) -> Pool:
        """The pool's machine, to be read only: `size`, `idle`, `granted`, `opening`, `waiting`."""
        return self._dispatcher.pool if self._dispatcher is not None else Pool(self._limits)

    @property
    def waiting(self) -> int:
        """How many statements and transactions wait for a connection."""
        return self._dispatcher.waiting if self._dispatcher is not None else 0

    @property
    def replicas(self) -> int:
        """How many replicas are used now."""
        return self._replicas.well if self._replicas is not None else 0

    @property
    def connections(self) -> list[Connection]:
        """Those of the pool, to be read only."""
        links = self._dispatcher.links.values() if self._dispatcher is not None else ()
        return [link.connection for link in links if isinstance(link, PostgresLink)]

    @property
    def description(self) -> str:
        """Where the database is, without the password."""
        return self._connector.description

    @property
    def connector(self) -> Connector:
        """Makes connections that do not belong to the pool."""
        return self._connector

    async def start(self, loop: EventLoop | None = None) -> None:
        """Begin; connections are made as requests need them.

        Args:
            loop: calls back, until `aclose` has returned; by default asyncio's own, and one of its own under trio.
        """
        await self._background.start()
        if loop is None and running_trio() is None:
            loop = asyncio.get_running_loop()
        if loop is None:
            loop = reactor = Reactor()
            self._background.start_soon(reactor.run, name="fraiseql reactor")
        self._dispatcher = self._dispatch(self._connector, loop)
        if self._elsewhere:
            replicas = [self._dispatch(connector, loop) for connector in self._elsewhere]
            self._replicas = Replicas(self._dispatcher, replicas, self._limits)
            self._replicas.start()

    def _dispatch(self, connector: Connector, loop: EventLoop) -> Dispatcher:
        clock = self._clock or loop
        opener = _Opener(connector, self._background, loop, clock, self._limits.recovery_timeout)
        return Dispatcher(self._limits, opener, loop, self._observe, clock)

    async def check(self) -> None:
        """Make sure that a connection can be had, and keep it for the first request.

        Raises:
            DatabaseError: the first attempt failed; unlike a request, this does not wait for the database to come.
        """
        (await self._acquire(patient=False)).give_back("")

    async def aclose(self) -> None:
        """Refuse new requests, wait for the statements that run and the transactions, and close all connections.

        Cancelled, it cuts off those that still run; they then raise DatabaseError.
        """
        if not self._background.is_running:
            return
        pools = [self._started(), *(self._replicas.stop() if self._replicas is not None else ())]
        events = [anyio.Event() for _ in pools]
        for pool, event in zip(pools, events, strict=True):
            pool.close(event.set)
        try:
            for event in events:
                if not event.is_set():
                    await event.wait()
        finally:
            for pool in pools:
                pool.cut()
            for transaction in list(self._transactions):
                transaction.cut()
            with within(pools[0].clock, self._limits.recovery_timeout, shield=True):
                for event in events:
                    if not event.is_set():
                        await event.wait()
            for pool in pools:
                pool.stop()
            with anyio.CancelScope(shield=True):
                await self._background.stop()

    def submit(self, effect: Fetch, done: Done) -> Ticket | RoutedTicket:
        """Run a statement that is in no transaction, without a task; see Dispatcher.submit.

        Raises:
            DatabaseError: it was not started.
        """
        if self._replicas is not None:
            return self._replicas.submit(effect, done)
        return self._started().submit(effect, done)

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
        answer = Answer[Row]()
        self._running()
        answer.ticket = self.submit(effect, answer.told)
        return await answer.wait()

    async def execute(self, effect: Execute) -> ResultSet:
        """Run a statement of a user's own, and undo what it leaves in the session before somebody else is given that.

        Raises:
            DatabaseError: as for `fetch`; 08007 where nobody can tell whether it ran.
        """
        if effect.transaction is not None:
            return await _own(effect.transaction).execute(effect)
        lease = await self._acquire()
        try:
            return await in_time(lease.clock, lease.drive(execute_alone(lease.connection, effect)), effect.timeout)
        except TookTooLong as error:
            raise outcome_unknown(str(error)) from None
        finally:
            try:
                await lease.recover()
            finally:
                lease.give_back("what a statement left in it could not be undone in time")

    async def begin(self, isolation: Isolation = Isolation.READ_COMMITTED) -> OpenTransaction:
        """Open a transaction; it must be committed or rolled back.

        Raises:
            DatabaseError: no connection could be had.
        """
        transaction = OpenTransaction(await self._acquire(), isolation)
        self._transactions.add(transaction)
        transaction.when_ended.append(lambda: self._transactions.discard(transaction))
        return transaction

    async def _acquire(self, *, patient: bool = True) -> Lease:
        dispatcher = self._running()
        answer = Answer[Any]()
        answer.ticket = dispatcher.lease(answer.told, patient=patient)
        return Lease(await answer.wait(), dispatcher.clock)

    def _started(self) -> Dispatcher:
        if self._dispatcher is None:
            raise DatabaseError("the database connections are not open", sqlstate="57P01", retryable=True)
        return self._dispatcher

    def _running(self) -> Dispatcher:
        if not self._background.is_running:
            raise DatabaseError("the database connections are not open", sqlstate="57P01", retryable=True)
        return self._started()


def _own(transaction: object) -> OpenTransaction:
    assert isinstance(transaction, OpenTransaction), "the handle is what Begin gave"
    return transaction


def _given_up() -> DatabaseError:
    return DatabaseError("the attempt to connect was given up", sqlstate="57P01", retryable=True)
