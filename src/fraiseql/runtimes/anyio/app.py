"""The application: a schema, a database and a port, started and stopped from anywhere on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any

import anyio

from fraiseql.bus import Bus, EventBus
from fraiseql.context import ClientRequest
from fraiseql.errors import DatabaseError, StartupError
from fraiseql.observations import InternalErrorMasked, Observer
from fraiseql.runtimes.anyio.background import Background, running_trio
from fraiseql.runtimes.anyio.bus import connect_bus
from fraiseql.runtimes.anyio.database import Database
from fraiseql.runtimes.anyio.frontend import Frontend
from fraiseql.runtimes.anyio.operating import Operations
from fraiseql.runtimes.anyio.performing import Performer
from fraiseql.runtimes.anyio.reactor import Reactor
from fraiseql.runtimes.anyio.streams import Streams
from fraiseql.runtimes.anyio.waits import within
from fraiseql.runtimes.assembling import bus_of, cannot_connect, context_of, endpoint_of, needs_bus, pipeline_of, url_of
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.dates import HttpDate
from fraiseql.runtimes.driving import Surroundings
from fraiseql.runtimes.listening import Listeners, open_listeners
from fraiseql.runtimes.logs import log_observation
from fraiseql.runtimes.loop import Clock, EventLoop
from fraiseql.runtimes.running import check_loop
from fraiseql.runtimes.tls import tls_context_of
from fraiseql.schema import Schema

__all__ = ["FraiseQLApp"]


class FraiseQLApp:
    """A GraphQL server.

    `start` and `shutdown` may be called from different tasks; `async with app:` does both. Nothing of it belongs to the
    caller's cancel scopes: it serves until `shutdown`.

    Args:
        schema: what to serve.
        database_url: goes before that of the settings.
        config: the settings; their defaults without.
        bus: what carries events to subscriptions; by default what the setting `event_bus` says.
        context: called with the ClientRequest of each WebSocket and each other request, asynchronous or not;
            gives the Caller, or None (or raises RequestError) where nobody is let in. By default what the setting
            `context` names; without one all are anonymous.
        observe: is told what happens; by default, it is logged under the logger `fraiseql`.
        clock: by which deadlines are kept; by default that of the event loop.
        listeners: to accept clients from, and to close at the end; by default those that the settings name are opened.

    Raises:
        ConfigurationError: there is no database_url, or libpq cannot read it; or no function that `context` names;
            or a coding that `compression` names.
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
        url = url_of(database_url, config)
        self._tls = tls_context_of(config)
        limits = config.subscription_limits
        context = context_of(context, config)
        self._observe = observe
        self._endpoint = endpoint_of(pipeline_of(schema, config), config, context, observe)
        self._needs_bus = needs_bus(schema)
        self._updating = anyio.Lock()
        self._database = Database(url, self._config.pool_limits, observe, clock, self._config.replicas)
        self._bus = connect_bus(bus_of(bus, config), self._database, limits, observe)
        self._background = Background()
        # Half of the pool for streams, half of it for any one client: the rest is for the others.
        self._share = max(1, self._config.pool_max_size // 2)
        self._streams = Streams(self._background, self._share)
        threads = self._config.query_max_threads
        self._perform = Performer(self._database, self._bus, self._streams, limits, observe, threads)
        self._clock = clock
        self._reactor: Reactor | None = None
        self._reacting = Background()  # the reactor, which is needed until all else has ended
        self._listeners = listeners
        self._frontend: Frontend | None = None
        self._started = False
        self._stopped: anyio.Event | None = None

    @property
    def is_running(self) -> bool:
        """Whether clients are served: from the end of `start` to the beginning of `shutdown`."""
        return self._frontend is not None and self._stopped is None and self._background.is_running

    @property
    def active_connections(self) -> int:
        """How many clients are connected."""
        return 0 if self._frontend is None else self._frontend.clients

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
        """The connections to the database."""
        return self._database

    @property
    def bus(self) -> Bus:
        """The event bus: `publish` and `subscribe`."""
        return self._bus

    @property
    def streams(self) -> Streams:
        """The streams that subscriptions take part in, to be read only: `shared`, `listening`."""
        return self._streams

    async def update_schema(self, schema: Schema) -> None:
        """Serve another schema from now on, without dropping a request.

        Requests under way end on the schema that they began on, and subscriptions go on with theirs until they end.
        Every request that comes after this has returned is answered by the new one. Where it raises, nothing has
        changed.

        Args:
            schema: is given a pipeline, with caches of its own, in a thread beside the event loop.

        Raises:
            ConfigurationError: not a Schema.
            StartupError: its subscriptions need an outbox, which the database has not, or which cannot be asked for.
        """
        async with self._updating:  # so that the last call wins
            pipeline = await anyio.to_thread.run_sync(pipeline_of, schema, self._config)
            needs = needs_bus(schema)
            if needs and not self._needs_bus and self.is_running and not self._config.wait_for_database:
                await self._check_database(needs_bus=True)
            self._endpoint.pipeline, self._needs_bus = pipeline, needs

    async def start(self) -> None:
        """Listen, connect to the database, and serve; returns once requests are answered.

        Raises:
            ConfigurationError: several `workers` are asked for, or `uvloop` where another event loop runs.
            StartupError: the port cannot be used, or the database cannot be reached (see `wait_for_database`), or has
                no outbox, though the schema's subscriptions need one.
        """
        if self._started:
            raise StartupError("this app was started already; make another one")
        check_loop(self._config)
        self._started = True
        try:
            self._listeners = listeners = self._listeners or open_listeners(self._config)
            loop = await self._event_loop()
            await self._database.start(loop)
            await self._bus.start()
            if not self._config.wait_for_database:
                await self._check_database(needs_bus=self._needs_bus)
            await self._background.start()
            self._frontend = self._serve(listeners, loop)
            self._frontend.accept()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.shutdown(grace=0)
            raise

    async def shutdown(self, grace: float | None = None) -> None:
        """Stop: accept nobody, let running requests finish, cancel the rest, close the database connections.

        Does nothing on an app that was not started; called a second time, it waits for the first.

        Args:
            grace: seconds for running requests; that of the settings by default. Cancelled, this is over at once.
        """
        if not self._started:
            return
        if self._stopped is not None:
            await self._stopped.wait()
            return
        self._stopped = anyio.Event()
        try:
            if self._frontend is not None:
                self._frontend.close()
                seconds = self._config.shutdown_grace if grace is None else grace
                with within(self._frontend.clock, seconds):
                    await self._frontend.drain()
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await self._stop()
            finally:
                self._stopped.set()

    async def _stop(self) -> None:
        """End what still runs, one part after the other; each step is bounded."""
        if self._listeners is not None:
            self._listeners.close()
        with anyio.move_on_after(self._config.pool_recovery_timeout):
            if self._frontend is not None:
                await self._frontend.cut()
        await self._background.stop()
        await self._bus.aclose()
        with anyio.move_on_after(self._config.pool_recovery_timeout):
            await self._database.aclose()
        await self._reacting.stop()

    async def _event_loop(self) -> EventLoop:
        """asyncio's own, where it runs us and nothing else was asked for; else one within it, or within trio's."""
        if self._is_native:
            return asyncio.get_running_loop()
        self._reactor = Reactor(self._broke)
        await self._reacting.start()
        self._reacting.start_soon(self._reactor.run, name="fraiseql reactor")
        return self._reactor

    @property
    def _is_native(self) -> bool:
        return self._config.transport == "auto" and running_trio() is None

    def _broke(self, error: Exception) -> None:
        self._observe(InternalErrorMasked("a callback", error))

    def _serve(self, listeners: Listeners, loop: EventLoop) -> Frontend:
        around = Surroundings(
            clock=self._clock or loop,
            date=HttpDate(),
            operations=Operations(self._database, self._streams, self._perform, self._background),
            max_statements=self._share,
            write_timeout=self._endpoint.http.write_timeout,
            observe=self._observe,
        )
        return Frontend(
            self._endpoint,
            around,
            self._config,
            listeners,
            loop=loop,
            native=self._is_native,
            tls=self._tls,
            background=self._background,
        )

    async def __aenter__(self) -> FraiseQLApp:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.shutdown()

    async def _check_database(self, *, needs_bus: bool) -> None:
        try:
            await self._database.check()
            if needs_bus:
                await self._bus.check()
        except DatabaseError as error:
            raise cannot_connect(self._database.description, error) from error
