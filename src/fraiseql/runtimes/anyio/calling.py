"""Calls of resolvers: one after the other, or some at once where they wait; plain ones that may block in threads."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread

from fraiseql.context import BlockingInfo, Info, NoDatabase
from fraiseql.effects import CallAll, ResolverCall
from fraiseql.runtimes.anyio.call_scopes import CallScope, PerformEffect
from fraiseql.runtimes.anyio.calls import AwaitedDatabase, ThreadedDatabase
from fraiseql.runtimes.anyio.programs import guarded
from fraiseql.runtimes.operations import unwelcome
from fraiseql.schema.functions import is_coroutine_function

__all__ = ["Calls"]

_MAX_COMPUTING = 4  # threads that compute, and no more than there are processors for them


class Calls:
    """Makes them.

    Args:
        bus: for their Info.
        max_threads: how many plain functions may have a thread at once, those included that were given up but do not
            come back from what they block on.
    """

    def __init__(self, bus: Any, max_threads: int) -> None:
        self._bus = bus
        self._max_threads = max_threads
        self._places: anyio.Semaphore | None = None
        self._computing: anyio.CapacityLimiter | None = None

    async def call_all(self, effect: CallAll, perform: PerformEffect) -> list[Any]:
        """Make all calls and give what each came to; cancelled, all are.

        Args:
            perform: carries out the effects of their `info.db`.
        """
        results: list[Any] = [None] * len(effect.calls)
        left = iter(enumerate(effect.calls))

        async def work(left: Iterator[tuple[int, ResolverCall]]) -> None:
            for place, call in left:
                try:
                    results[place] = await guarded(self._call(call, perform))
                except Exception as error:
                    results[place] = error

        if len(effect.calls) == 1 or not _wait(effect.calls):
            await work(left)
            return results
        async with anyio.create_task_group() as group:
            for _ in range(min(effect.limit, len(effect.calls))):
                group.start_soon(work, left)
        return results

    async def compute(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Call a pure function in a thread, of which there are few.

        Cancelled while it computes, this waits for it: threads that were given up would be too many.
        """
        if self._computing is None:
            self._computing = anyio.CapacityLimiter(min(_MAX_COMPUTING, os.cpu_count() or 1))
        return await anyio.to_thread.run_sync(function, *arguments, limiter=self._computing)

    async def _call(self, call: ResolverCall, perform: PerformEffect) -> Any:
        if call.blocks:
            return await self._in_thread(call, perform)
        if not call.takes_info:
            return await _value(call.function(*call.arguments, **call.named))
        if call.access is None or not is_coroutine_function(call.function):
            no_database = NoDatabase(f"{call.function.__qualname__} runs on the event loop; make it `async def`")
            told = Info if is_coroutine_function(call.function) else BlockingInfo
            info = told(call.caller, call.field_name, self._bus, no_database)
            return await _value(call.function(*call.arguments, **call.named, info=info))
        scope = CallScope(call.access, perform)
        try:
            info = Info(call.caller, call.field_name, self._bus, AwaitedDatabase(scope))
            return await call.function(*call.arguments, **call.named, info=info)
        finally:
            await scope.aclose()

    async def _in_thread(self, call: ResolverCall, perform: PerformEffect) -> Any:
        """A thread of its own, which a cancelled call does not wait for: it is refused the database from then on."""
        if self._places is None:
            self._places = anyio.Semaphore(self._max_threads)
        scope, named = None, dict(call.named)
        if call.takes_info:
            scope = CallScope(call.access, perform)
            named["info"] = BlockingInfo(call.caller, call.field_name, self._bus, ThreadedDatabase(scope))
        await self._places.acquire()
        work = _Work(call, named, self._places)
        try:
            # The places bound the threads; a limiter of its own, since anyio's would be full of those given up.
            limiter = anyio.CapacityLimiter(1)
            await anyio.to_thread.run_sync(work.run, abandon_on_cancel=True, limiter=limiter)
            if work.error is not None:
                raise work.error
            return await _value(work.value)
        finally:
            work.give_up()
            if scope is not None:
                await scope.aclose()


class _Work:
    """One call in a thread.

    Attributes:
        value: what it gave.
        error: or what it raised.
    """

    def __init__(self, call: ResolverCall, named: dict[str, Any], places: anyio.Semaphore) -> None:
        self._call = call
        self._named = named
        self._places = places
        self._token = anyio.lowlevel.current_token()
        self._ticket: deque[None] = deque([None])  # whoever takes it, in one step, gives the place back
        self.value: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._ticket.pop()
        except IndexError:  # given up before it began
            return
        try:
            self.value = self._call.function(*self._call.arguments, **self._named)
        except Exception as error:
            self.error = error
        except BaseException as error:
            self.error = unwelcome(error)
            self.error.__cause__ = error
        finally:
            with contextlib.suppress(Exception):  # the event loop has ended
                anyio.from_thread.run_sync(self._places.release, token=self._token)

    def give_up(self) -> None:
        """On the event loop: it need not begin any more."""
        with contextlib.suppress(IndexError):
            self._ticket.pop()
            self._places.release()


def _wait(calls: tuple[ResolverCall, ...]) -> bool:
    """Whether any of them waits for something, so that others can run meanwhile."""
    functions = {call.function for call in calls}
    return any(call.blocks for call in calls) or any(map(is_coroutine_function, functions))


async def _value(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result
