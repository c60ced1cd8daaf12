"""The event loop beside the threads: runs subscriptions, and what else is asked for over WebSockets.

It has a thread of its own, the Performer, the streams and the bus of asyncio, and some connections to the database.
What its operations bring is posted to the connection that they belong to, whose thread tells its session.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar, cast

import anyio

from fraiseql.bus import Bus, EventBus
from fraiseql.effects import CallAll, Effect, Emission, Event, EventSource, Program
from fraiseql.errors import DatabaseError, StartupError
from fraiseql.limits import PoolLimits, QueryLimits, SubscriptionLimits
from fraiseql.observations import Observer
from fraiseql.runtimes.anyio.background import Background
from fraiseql.runtimes.anyio.bus import connect_bus
from fraiseql.runtimes.anyio.database import Database
from fraiseql.runtimes.anyio.operating import Operations
from fraiseql.runtimes.anyio.performing import Performer
from fraiseql.runtimes.anyio.programs import Run
from fraiseql.runtimes.anyio.streams import Streams
from fraiseql.runtimes.driving import OperationRunner, Ticket
from fraiseql.runtimes.operations import Gate, Participant, Signal
from fraiseql.runtimes.threads.connection import ClientConnection
from fraiseql.session import OperationEmitted, OperationEnded, OperationFailed, OperationJoined

__all__ = ["BlockingBus", "EventLoopThread", "GivenOperation"]

_FEW: Final = 64  # events in a connection's inbox, beyond which a stream of its own waits
_STOPPING: Final = 5.0  # seconds for the thread's end, beside what the database is given

_Result = TypeVar("_Result")


class EventLoopThread:
    """An event loop in a thread, begun when it is first needed.

    Args:
        conninfo: of the database.
        bus: what carries events.
        pool: of its own connections.
        subscriptions: see SubscriptionLimits.
        observe: is told what happens, in this thread.
        max_threads: see QueryLimits.
        replicas: see Database.

    Attributes:
        share: see Streaming.
    """

    def __init__(
        self,
        conninfo: str,
        bus: EventBus,
        pool: PoolLimits,
        subscriptions: SubscriptionLimits,
        observe: Observer,
        max_threads: int = QueryLimits().max_threads,
        replicas: Sequence[str] = (),
    ) -> None:
        self._database = Database(conninfo, pool, observe, replicas=replicas)
        self._running_bus = connect_bus(bus, self._database, subscriptions, observe)
        self.bus = BlockingBus(self._running_bus, self)
        self._background = Background()
        self.share = max(1, pool.max_size // 2)
        self._streams = Streams(self._background, self.share)
        # Plain functions are told of a bus that waits, wherever they run.
        told = cast(Bus, self.bus)
        self._perform = _Performer(self._database, told, self._streams, subscriptions, observe, max_threads)
        self._operations = Operations(self._database, self._streams, self._perform, self._background)
        self._recovery_timeout = pool.recovery_timeout
        self._lock = threading.Lock()  # of beginning and ending
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: contextvars.Context | None = None
        self._ended: asyncio.Event | None = None
        self._stopped = False

    @property
    def database(self) -> Database:
        """The connections to the database that are its own."""
        return self._database

    @property
    def streams(self) -> Streams:
        """The streams that run there."""
        return self._streams

    @property
    def thread_id(self) -> int | None:
        """Of its thread, where it runs."""
        return None if self._thread is None else self._thread.ident

    def start(self) -> asyncio.AbstractEventLoop:
        """Begin, if it has not; gives the loop.

        Raises:
            StartupError: it has been stopped, or could not begin.
        """
        with self._lock:
            if self._stopped:
                raise StartupError("the server is stopping")
            if self._loop is None:
                ready: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
                self._thread = threading.Thread(target=self._run, args=(ready,), name="fraiseql events", daemon=True)
                self._thread.start()
                self._loop = ready.result()
            return self._loop

    def check(self) -> None:
        """Make sure that events can be had; raises StartupError, DatabaseError."""
        self.wait_for(self._running_bus.check)

    def wait_for(self, function: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Call an asynchronous function there, and wait for its result; raises what it raises."""
        loop = self.start()
        if threading.get_ident() == self.thread_id:
            raise RuntimeError("this waits, which would stop the event loop")
        return asyncio.run_coroutine_threadsafe(function(), loop).result()

    def operate(
        self, connection: ClientConnection, operation_id: int, program: Program[Any], effect: Effect
    ) -> GivenOperation:
        """Run a program on from an effect that it has yielded; see Streaming."""
        self.start()
        operation = GivenOperation(connection, operation_id, self._call)
        self._call(operation.start, self._operations, program, effect, connection.gate)
        return operation

    def stop(self) -> None:
        """Cancel what runs, end all streams, and close the connections; each step is bounded."""
        with self._lock:
            self._stopped = True
            loop, thread = self._loop, self._thread
        if loop is not None and thread is not None and self._ended is not None:
            loop.call_soon_threadsafe(self._ended.set)
            thread.join(2 * self._recovery_timeout + _STOPPING)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have the event loop call a function; from any thread."""
        assert self._loop is not None
        # RuntimeError: the loop has ended, and all operations with it.
        with contextlib.suppress(RuntimeError):
            # The context says to anyio which event loop runs, where no task does.
            self._loop.call_soon_threadsafe(partial(function, *arguments), context=self._context)

    def _run(self, ready: concurrent.futures.Future[asyncio.AbstractEventLoop]) -> None:
        try:
            anyio.run(self._live, ready, backend="asyncio")
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)

    async def _live(self, ready: concurrent.futures.Future[asyncio.AbstractEventLoop]) -> None:
        loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._ended = asyncio.Event()
        try:
            await self._database.start()
            await self._running_bus.start()
            await self._background.start()
            ready.set_result(loop)
            await self._ended.wait()
        finally:
            await self._background.stop()
            await self._running_bus.aclose()
            with anyio.move_on_after(self._recovery_timeout):
                await self._database.aclose()


class _Performer(Performer):
    """Gives plain methods that ask the database a thread, where `info.db` waits as it does for requests."""

    async def __call__(self, effect: Effect, run: Run) -> Any:
        if isinstance(effect, CallAll):
            calls = [replace(call, blocks=True) if call.takes_info and call.access else call for call in effect.calls]
            effect = CallAll(tuple(calls), effect.limit)
        return await super().__call__(effect, run)


class GivenOperation(Participant):
    """One operation; it lives on the event loop, and its connection's thread holds its end of it."""

    __slots__ = ("_call", "_connection", "_few", "_id", "_is_abandoned", "_news", "_ticket")

    def __init__(
        self, connection: ClientConnection, operation_id: int, call: Callable[..., None], few: int = _FEW
    ) -> None:
        super().__init__()
        self._connection = connection
        self._id = operation_id
        self._call = call
        self._few = few
        self._is_abandoned = False
        self._ticket: Ticket | None = None
        self._news: Signal | None = None

    # -- on the event loop

    def start(self, operations: OperationRunner, program: Program[Any], effect: Effect, gate: Gate) -> None:
        """Begin; the gate bounds the statements that run at once for its connection."""
        if self._is_abandoned:
            program.close()
        else:
            self._ticket = operations.run(program, effect, self, gate, self._done)

    def joined(self) -> None:
        self._connection.post(OperationJoined(self._id))

    def deliver(self, emission: Emission, is_state: bool) -> None:
        self._connection.post(OperationEmitted(self._id, emission, is_state))

    async def room(self) -> None:
        """Wait while paused, and while the connection's thread has not heard what was said."""
        await super().room()
        while self._connection.backlog >= self._few:
            self._news = self.make_signal()
            self._connection.when_read(self._has_read)
            await self._news.wait()
            await super().room()

    def _done(self, result: Any, error: Exception | None) -> None:
        if error is None:
            self._connection.post(OperationEnded(self._id, result))
        else:
            self._connection.post(OperationFailed(self._id, error))

    def _abandon(self) -> None:
        self._is_abandoned = True
        if self._ticket is not None:
            self._ticket.abandon()

    def _hear(self) -> None:
        if self._news is not None:
            self._news.set()

    # -- in the connection's thread

    def abandon(self) -> None:
        """Cancel it."""
        self._call(self._abandon)

    def pause(self) -> None:
        """Let its stream wait."""
        self._call(super().pause)

    def resume(self) -> None:
        """Let it go on."""
        self._call(super().resume)

    def _has_read(self) -> None:
        self._call(self._hear)


class BlockingBus:
    """The running event bus, as `info.bus` and `app.bus` have it on threads: `publish` waits.

    Args:
        bus: the one on the event loop.
        thread: where that runs.
    """

    def __init__(self, bus: Bus, thread: EventLoopThread) -> None:
        self._bus = bus
        self._thread = thread

    def publish(
        self,
        event: str | Event | Iterable[Event],
        payload: Any = None,
        *,
        tenant: str | None = None,
        user: str | None = None,
    ) -> str | None:
        """Publish one event, or several together, and wait until that is done; see fraiseql.bus.Bus.

        Raises:
            RuntimeError: called on the event loop, which it would stop.
            TypeError, ValueError, DatabaseError: as Bus says.
        """

        async def publish() -> str | None:
            return await self._bus.publish(event, payload, tenant=tenant, user=user)

        try:
            return self._thread.wait_for(publish)
        except StartupError as error:
            raise DatabaseError(str(error), sqlstate="57P01", retryable=True) from None

    async def open(self, source: EventSource) -> Any:
        """For the streams on the event loop."""
        return await self._bus.open(source)
