"""The application on threads: a schema, a database and a port, started and stopped from any thread."""

from __future__ import annotations

import dataclasses
import itertools
import os
import socket
import ssl
import time
from collections.abc import Callable
from threading import Condition, Lock, Thread
from types import TracebackType
from typing import Any

from fraiseql.bus import EventBus
from fraiseql.context import ClientRequest
from fraiseql.errors import ConfigurationError, DatabaseError, StartupError
from fraiseql.observations import InternalErrorMasked, Observer
from fraiseql.pipeline import Pipeline
from fraiseql.runtimes.accepting import AcceptTrouble
from fraiseql.runtimes.anyio.streams import Streams
from fraiseql.runtimes.assembling import (
    address_of,
    bus_of,
    cannot_connect,
    context_of,
    endpoint_of,
    needs_bus,
    pipeline_of,
    url_of,
)
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.dates import HttpDate
from fraiseql.runtimes.driving import Session
from fraiseql.runtimes.listening import Listeners, open_listeners
from fraiseql.runtimes.logs import log_observation
from fraiseql.runtimes.loop import Clock
from fraiseql.runtimes.running import check_threads
from fraiseql.runtimes.threads.accepting import Acceptor
from fraiseql.runtimes.threads.connection import ClientConnection
from fraiseql.runtimes.threads.database import Database
from fraiseql.runtimes.threads.pinning import processor_for
from fraiseql.runtimes.threads.programs import Performer
from fraiseql.runtimes.threads.replicas import RoutedDatabase
from fraiseql.runtimes.threads.streaming import BlockingBus, EventLoopThread
from fraiseql.runtimes.threads.waiting import Patience, Poller, Wakeup
from fraiseql.runtimes.tls import TlsSession, tls_context_of
from fraiseql.schema import Schema
from fraiseql.schema.asynchronous import asynchronous_functions
from fraiseql.schema.functions import is_coroutine_function
from fraiseql.session import BusySession, ClientSession, most_busy

__all__ = ["ThreadedApp"]

_STREAMS_SHARE = 2  # one of so many connections to the database is for the event loop, where there are subscriptions


class ThreadedApp:
    """A GraphQL server with a thread for each client.

    `start` and `shutdown` may be called from different threads; `with app:` does both.

    Args:
        schema: what to serve; its functions must not be asynchronous.
        database_url: goes before that of the settings.
        config: the settings; their defaults without.
        bus: what carries events to subscriptions; by default what the setting `event_bus` says.
        context: as of FraiseQLApp, and not asynchronous.
        observe: is told what happens, by many threads; by default, it is logged under the logger `fraiseql`.
        clock: by which deadlines are kept; by default the system's. Its `call_at` may call back in any thread.
        listeners: to accept clients from, and to close at the end; by default those that the settings name are opened.

    Raises:
        ConfigurationError: there is no database_url, or libpq cannot read it; there are several `workers`, or `uvloop`,
            which threads do not use; functions are asynchronous, each of which is named; or none is there that
            `context` names.
    """

    def __init__(
        self,
        schema: Schema,
        database_url: str | None = None,
        config: FraiseQLConfig | None = None,
        *,
        bus: EventBus | None = None,
        context: Callable[[ClientRequest], Any] | None = None,
        observe: Observer = log_observation,
        clock: Clock | None = None,
        listeners: Listeners | None = None,
    ) -> None:
        self._config = config = config or FraiseQLConfig()
        check_threads(config)
        url = url_of(database_url, config)
        self._tls = tls_context_of(config)
        context = context_of(context, config)
        _refuse_asynchronous(context)
        self._observe = observe
        self._clock = clock
        self._now = time.monotonic if clock is None else clock.time
        self._endpoint = endpoint_of(_pipeline(schema, config), config, context, observe)
        self._needs_bus = needs_bus(schema)
        self._updating = Lock()
        limits = config.pool_limits
        streams = max(1, limits.max_size // _STREAMS_SHARE) if schema.model.subscriptions else 1
        pool = dataclasses.replace(limits, max_size=max(1, limits.max_size - streams))
        self._database: Database
        if config.replicas:
            self._database = RoutedDatabase(url, config.replicas, pool, observe, clock)
        else:
            self._database = Database(url, pool, observe, clock)
        self._events = EventLoopThread(
            url,
            bus_of(bus, config),
            dataclasses.replace(limits, max_size=streams),
            config.subscription_limits,
            observe,
            config.query_max_threads,
            config.replicas,
        )
        self._performer = Performer(self._database, self._events.bus)
        self._date = HttpDate()
        self._ids = itertools.count(1)
        self._prefix = os.urandom(4).hex()  # so that the ids of two processes differ
        self._listeners = listeners
        self._acceptor: Acceptor | None = None
        self._lock = Lock()  # of what follows
        self._changed = Condition(self._lock)
        self._connections: set[ClientConnection] = set()
        self._started = False
        self._stopping = False
        self._stop_by = 0.0  # while it drains
        self._drainer: Wakeup | None = None  # who waits for that
        self._stopped = False

    @property
    def is_running(self) -> bool:
        """Whether clients are served: from the end of `start` to the beginning of `shutdown`."""
        return self._acceptor is not None and not self._stopping

    @property
    def active_connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The IP addresses and ports that are listened on; empty before `start`."""
        return [] if self._listeners is None else list(self._listeners.addresses)

    @property
    def port(self) -> int:
        """The port that is listened on, also where port 0 was asked for; 0 on a Unix socket."""
        return self._config.port if self._listeners is None else self._listeners.port

    @property
    def url(self) -> str:
        """Where GraphQL is served; empty before `start`. See Listeners for how a Unix socket is written."""
        return "" if self._listeners is None else self._listeners.url

    @property
    def database(self) -> Database:
        """The connections to the database that threads share."""
        return self._database

    @property
    def bus(self) -> BlockingBus:
        """The event bus: `publish`, from any thread."""
        return self._events.bus

    @property
    def streams(self) -> Streams:
        """The streams that subscriptions take part in, to be read only: `shared`, `listening`."""
        return self._events.streams

    def update_schema(self, schema: Schema) -> None:
        """Serve another schema from now on, without dropping a request; see FraiseQLApp.

        Raises:
            ConfigurationError: not a Schema, or functions of it are asynchronous.
            StartupError: its subscriptions need an outbox, which the database has not, or which cannot be asked for.
        """
        with self._updating:  # so that the last call wins
            pipeline = _pipeline(schema, self._config)
            needs = needs_bus(schema)
            if needs and not self._needs_bus and self.is_running and not self._config.wait_for_database:
                self._check_database(needs_bus=True)
            self._endpoint.pipeline, self._needs_bus = pipeline, needs

    def start(self) -> None:
        """Listen, connect to the database, and serve; returns once requests are answered.

        Raises:
            ConfigurationError: `pin_threads` is set, and this system cannot do that.
            StartupError: the port cannot be used, or the database cannot be reached (see `wait_for_database`), or has
                no outbox, though the schema's subscriptions need one; or it was shut down meanwhile.
        """
        with self._lock:
            if self._started:
                raise StartupError("this app was started already; make another one")
            self._started = True
        try:
            self._listeners = listeners = self._listeners or open_listeners(self._config)
            self._database.start()
            if not self._config.wait_for_database:
                self._check_database(needs_bus=self._needs_bus)
            elif self._needs_bus:
                self._events.start()
            trouble = AcceptTrouble(self._observe, time.monotonic)
            processor = processor_for(listeners.shares) if self._config.pin_threads else None
            acceptor = Acceptor(listeners, self._has_room, self._admit, trouble, processor)
            with self._lock:
                if self._stopping:
                    raise StartupError("the app was shut down while it started")
                acceptor.start()
                self._acceptor = acceptor
        except BaseException:
            self.shutdown(grace=0)
            self._close()  # where another thread has shut it down, what was begun after that
            raise

    def shutdown(self, grace: float | None = None) -> None:
        """Stop: accept nobody, let running requests finish, cancel the rest, close the database connections.

        Does nothing on an app that was not started; called a second time, it waits for the first, which it may hasten.

        Args:
            grace: seconds for running requests; that of the settings by default.
        """
        by = self._now() + (self._config.shutdown_grace if grace is None else grace)
        with self._lock:
            if not self._started:
                return
            if self._stopping:
                self._stop_by = min(self._stop_by, by)
                if self._drainer is not None:
                    self._drainer.set()
                self._changed.wait_for(lambda: self._stopped)
                return
            self._stopping, self._stop_by = True, by
        try:
            if self._acceptor is not None:
                self._acceptor.stop()
            if self._listeners is not None:
                self._listeners.close()
            with Patience(self._clock) as waiter:
                self._drainer = waiter.wakeup
                self._drain(waiter)
        finally:
            self._end()

    def __enter__(self) -> ThreadedApp:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()

    def _check_database(self, *, needs_bus: bool) -> None:
        try:
            self._database.check()
            if needs_bus:
                self._events.check()
        except DatabaseError as error:
            raise cannot_connect(self._database.description, error) from error

    # -- clients

    def _has_room(self) -> bool:
        return len(self._connections) < self._config.max_connections + most_busy(self._config.max_connections)

    def _admit(self, sock: socket.socket) -> None:
        """Serve a client in a thread of its own; one for whom there is no room is told so."""
        connection_id = f"{self._prefix}-{next(self._ids)}"
        connection = ClientConnection(
            sock,
            self._session(sock, connection_id, self._tls),
            performer=self._performer,
            streaming=self._events,
            date=self._date,
            connection_id=connection_id,
            write_timeout=self._endpoint.http.write_timeout,
            observe=self._observe,
            poller=Poller(self._clock),
        )
        self._connections.add(connection)
        self._count()
        try:
            Thread(target=self._serve, args=(connection,), name=f"fraiseql {connection_id}", daemon=True).start()
        except RuntimeError as error:  # there is no thread to be had
            self._gone(connection, error)
            connection.close()

    def _session(self, sock: socket.socket, connection_id: str, tls: ssl.SSLContext | None) -> Session:
        http, session = self._endpoint.http, None
        if len(self._connections) < self._config.max_connections:
            session = ClientSession(self._endpoint, connection_id, address_of(sock))
        served: Session = session or BusySession(connection_id, http, self._config.retry_after, self._observe)
        if tls is None:
            return served
        timeout = served.patience if isinstance(served, BusySession) else http.head_timeout
        return TlsSession(served, tls, connection_id, timeout, self._observe)

    def _serve(self, connection: ClientConnection) -> None:
        """Serve one client; whatever goes wrong with it is no concern of the others."""
        error: BaseException | None = None
        try:
            try:
                connection.run()
            finally:
                connection.close()  # a client counts until then: its thread lasts, and its answer is on its way
        except BaseException as raised:
            error = raised
        finally:
            self._gone(connection, error)

    def _gone(self, connection: ClientConnection, error: BaseException | None) -> None:
        if error is not None:
            self._observe(InternalErrorMasked(connection.connection_id, error))
        with self._lock:
            self._connections.discard(connection)
            self._changed.notify_all()
            if self._drainer is not None:
                self._drainer.set()
        self._count()

    def _count(self) -> None:
        if self._listeners is not None:
            self._listeners.count(len(self._connections))
        if self._acceptor is not None:
            self._acceptor.look()

    # -- the end

    def _drain(self, waiter: Patience) -> None:
        """Ask all clients to go: those that wait for nothing at once, WebSockets one after the other."""
        with self._lock:
            lasting = [connection for connection in self._connections if connection.lasts]
            others = self._connections.difference(lasting)
        for connection in others:
            connection.drain()
        pause = self._endpoint.subscriptions.close_spread / max(1, len(lasting))
        for connection in lasting:
            connection.drain()
            self._wait(waiter, self._now() + pause, lambda: False)
        self._wait(waiter, None, lambda: not self._connections)

    def _end(self) -> None:
        """End what still runs, one part after the other; each step is bounded."""
        patience = self._config.pool_recovery_timeout
        try:
            with self._lock:
                left = list(self._connections)
            for connection in left:
                connection.cut()
            with self._lock:
                self._changed.wait_for(lambda: not self._connections, patience)
            self._close(patience if left else 0.0)
        finally:
            with self._lock:
                self._stopped = True
                self._changed.notify_all()

    def _close(self, patience: float = 0.0) -> None:
        if self._listeners is not None:
            self._listeners.close()
        self._events.stop()
        self._database.close(patience)

    def _wait(self, waiter: Patience, until: float | None, done: Callable[[], bool]) -> None:
        """Wait until that is so, or the time has come, or that of the whole."""
        while not done():
            by = self._stop_by if until is None else min(until, self._stop_by)
            if self._now() >= by:
                return
            waiter.wait(None, 0, by)


def _refuse_asynchronous(context: Callable[[ClientRequest], Any] | None) -> None:
    if context is not None and (is_coroutine_function(context) or is_coroutine_function(type(context).__call__)):
        name = getattr(context, "__qualname__", repr(context))
        raise ConfigurationError(f"context is {name}, which is asynchronous; expected a plain function on threads")


def _pipeline(schema: Schema, config: FraiseQLConfig) -> Pipeline:
    pipeline = pipeline_of(schema, config)
    if found := asynchronous_functions(schema.model):
        what = "functions that are asynchronous, which threads cannot await"
        expected = "plain ones, or serve under asyncio or trio"
        raise ConfigurationError(f"the schema has {what}: {', '.join(found)}; expected {expected}")
    return pipeline
