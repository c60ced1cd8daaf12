"""FraiseQLApp under asyncio and trio, as the suite starts it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any

import anyio.from_thread

from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.testing.clock import FakeClock
from fraiseql.testing.runtime_conformance.scenario import ASYNCHRONOUS_RESOLVERS, SUBSCRIPTIONS, Setup

__all__ = ["AsyncioRuntime", "LoopRuntime", "TrioRuntime"]

_STOPPING = 20.0  # real seconds


class LoopRuntime:
    """FraiseQLApp on an event loop in a thread of its own.

    Args:
        backend: `asyncio` or `trio`.
        settings: of the app, over those of the scenarios.
    """

    provides = frozenset({ASYNCHRONOUS_RESOLVERS, SUBSCRIPTIONS})

    def __init__(self, backend: str, **settings: Any) -> None:
        self._backend = backend
        self._settings = settings

    def start(self, setup: Setup) -> LoopServer:
        """Start an app on an event loop that goes by the clock of the scenario."""
        return LoopServer(self._backend, setup, self._settings)


class AsyncioRuntime(LoopRuntime):
    """FraiseQLApp under asyncio."""

    def __init__(self) -> None:
        super().__init__("asyncio")


class TrioRuntime(LoopRuntime):
    """FraiseQLApp under trio."""

    def __init__(self) -> None:
        super().__init__("trio")


class LoopServer:
    """An app, its event loop and its thread."""

    def __init__(self, backend: str, setup: Setup, settings: dict[str, Any]) -> None:
        options = {"loop_factory": _loop_factory(setup.clock)} if backend == "asyncio" else _trio_options(setup.clock)
        portal = anyio.from_thread.start_blocking_portal(backend, options)
        self._context: AbstractContextManager[anyio.from_thread.BlockingPortal] = portal
        self._portal = portal.__enter__()
        self._stopping: Future[None] | None = None
        try:
            self._app = self._portal.call(self._start, setup, settings)
        except BaseException:
            portal.__exit__(None, None, None)
            raise

    async def _start(self, setup: Setup, settings: dict[str, Any]) -> FraiseQLApp:
        setup.clock.bind(_call_soon_threadsafe())
        config = dataclasses.replace(setup.config, **settings)
        app = FraiseQLApp(setup.schema, config=config, clock=setup.clock, observe=setup.observe)
        await app.start()
        return app

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._app.addresses[0]

    @property
    def active_connections(self) -> int:
        """How many clients are connected."""
        return self._app.active_connections

    @property
    def lent_connections(self) -> int:
        """How many connections to the database are in the hands of operations."""
        return self._app.database.pool.granted

    @property
    def listening_streams(self) -> int:
        """How many streams of subscriptions wait for events or values."""
        return self._app.streams.listening

    @property
    def has_stopped(self) -> bool:
        """Whether `drain` has come to its end."""
        return self._stopping is not None and self._stopping.done()

    def drain(self) -> None:
        """Begin to stop."""
        self._stopping = self._portal.start_task_soon(self._app.shutdown)

    def stop(self) -> None:
        """End at once."""
        try:
            if self._stopping is None:
                self._portal.start_task_soon(self._app.shutdown, 0.0).result(_STOPPING)
            elif not self._stopping.done():
                self._stopping.cancel()
        finally:
            self._context.__exit__(None, None, None)


def _call_soon_threadsafe() -> Callable[..., Any]:
    if _is_asyncio():
        return asyncio.get_running_loop().call_soon_threadsafe
    import trio

    return trio.lowlevel.current_trio_token().run_sync_soon


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _loop_factory(clock: FakeClock) -> Callable[[], asyncio.AbstractEventLoop]:
    """An event loop of asyncio whose timers go by the clock."""

    class Timer(asyncio.TimerHandle):
        """Tells the clock where it is cancelled."""

        timer: Any = None

        def cancel(self) -> None:
            super().cancel()
            if self.timer is not None:
                self.timer.cancel()

    class Loop(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return clock.time()

        def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
            handle = Timer(when, callback, args, self, context)
            handle.timer = clock.call_at(when, handle._run)
            return handle

        def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
            return self.call_at(clock.time() + delay, callback, *args, context=context)

    return Loop


def _trio_options(clock: FakeClock) -> dict[str, Any]:
    import trio

    class TrioClock(trio.abc.Clock):
        """Has the loop woken when its next deadline has come."""

        def __init__(self) -> None:
            self._timer: Any = None
            self._when = float("inf")

        def start_clock(self) -> None:
            pass

        def current_time(self) -> float:
            return clock.time()

        def deadline_to_sleep_time(self, deadline: float) -> float:
            if deadline <= clock.time():
                return 0.0
            if deadline != self._when:
                if self._timer is not None:
                    self._timer.cancel()
                self._when = deadline
                self._timer = None if deadline == float("inf") else clock.call_at(deadline, self._come)
            return float("inf")

        def _come(self) -> None:
            self._when = float("inf")

    return {"clock": TrioClock()}
