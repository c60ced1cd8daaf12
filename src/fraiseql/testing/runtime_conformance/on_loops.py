"""FraiseQLApp under asyncio and trio, as the suite starts it."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from typing import Any, TypeAlias, TypeVarTuple

import anyio
from anyio.from_thread import BlockingPortal

from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.testing.clock import FakeClock
from fraiseql.testing.runtime_conformance.app_server import AppServer
from fraiseql.testing.runtime_conformance.scenario import ASYNCHRONOUS_RESOLVERS, SUBSCRIPTIONS, Setup

__all__ = ["AnyioRuntime", "AsyncioRuntime", "LoopRuntime", "TrioRuntime"]

_PATIENCE = 20.0  # real seconds
_Arguments = TypeVarTuple("_Arguments")

Run: TypeAlias = Callable[[Callable[[], Coroutine[Any, Any, None]], FakeClock], None]
"""Runs a function on an event loop that goes by a clock, until its end."""


class LoopRuntime:
    """FraiseQLApp on an event loop in a thread of its own.

    Args:
        run: runs an asynchronous function on an event loop that goes by a clock.
        settings: of the app, over those of the scenarios.
    """

    provides = frozenset({ASYNCHRONOUS_RESOLVERS, SUBSCRIPTIONS})

    def __init__(self, run: Run, **settings: Any) -> None:
        self._run = run
        self._settings = settings

    def start(self, setup: Setup) -> LoopServer:
        """Start an app on an event loop that goes by the clock of the scenario."""
        return LoopServer(self._run, setup, self._settings)


class AsyncioRuntime(LoopRuntime):
    """FraiseQLApp under asyncio, as `asyncio.run` begins it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(_run_asyncio, **settings)


class AnyioRuntime(LoopRuntime):
    """FraiseQLApp under asyncio, as `anyio.run` begins it, by the transport that trio has."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(_run_anyio, transport="anyio", **settings)


class TrioRuntime(LoopRuntime):
    """FraiseQLApp under trio."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(_run_trio, **settings)


class LoopServer(AppServer):
    """An app, its event loop and its thread."""

    _app: FraiseQLApp

    def __init__(self, run: Run, setup: Setup, settings: dict[str, Any]) -> None:
        config = dataclasses.replace(setup.config, **settings)
        self._app = FraiseQLApp(setup.schema, config=config, clock=setup.clock, observe=setup.observe)
        self._clock = setup.clock
        self._ready: Future[BlockingPortal] = Future()
        self._stopping: Future[None] | None = None
        self._thread = threading.Thread(target=self._serve, args=(run,), daemon=True)
        self._thread.start()
        self._portal = self._ready.result(_PATIENCE)

    def _serve(self, run: Run) -> None:
        try:
            run(self._live, self._clock)
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _live(self) -> None:
        unbind = self._clock.bind(_call_soon_threadsafe())
        try:
            await self._app.start()  # not through the portal, which tells anyio where it is
            async with BlockingPortal() as portal:
                self._ready.set_result(portal)
                await portal.sleep_until_stopped()
        finally:
            unbind()

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
                self._portal.start_task_soon(self._app.shutdown, 0.0).result(_PATIENCE)
            elif not self._stopping.done():
                self._stopping.cancel()
        finally:
            self._portal.start_task_soon(self._portal.stop, True)
            self._thread.join(_PATIENCE)


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


def _run_asyncio(function: Callable[[], Coroutine[Any, Any, None]], clock: FakeClock) -> None:
    with asyncio.Runner(loop_factory=_loop_factory(clock)) as runner:
        runner.run(function())


def _run_anyio(function: Callable[[], Coroutine[Any, Any, None]], clock: FakeClock) -> None:
    anyio.run(function, backend="asyncio", backend_options={"loop_factory": _loop_factory(clock)})


def _run_trio(function: Callable[[], Coroutine[Any, Any, None]], clock: FakeClock) -> None:
    anyio.run(function, backend="trio", backend_options={"clock": _trio_clock(clock)})


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

        def call_at(
            self,
            when: float,
            callback: Callable[[*_Arguments], object],
            *args: *_Arguments,
            context: Context | None = None,
        ) -> asyncio.TimerHandle:
            handle = Timer(when, callback, args, self, context)
            handle.timer = clock.call_at(when, handle._run)
            return handle

        def call_later(
            self,
            delay: float,
            callback: Callable[[*_Arguments], object],
            *args: *_Arguments,
            context: Context | None = None,
        ) -> asyncio.TimerHandle:
            return self.call_at(clock.time() + delay, callback, *args, context=context)

    return Loop


def _trio_clock(clock: FakeClock) -> Any:
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

    return TrioClock()
