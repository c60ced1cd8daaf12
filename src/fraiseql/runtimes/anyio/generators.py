"""A user's generator as a source: an asynchronous one is awaited, a plain one has a thread of its own."""

from __future__ import annotations

import contextlib
import inspect
import queue
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel

from fraiseql.context import BlockingInfo, Info
from fraiseql.effects import Absent, ResolverSource
from fraiseql.errors import RequestError
from fraiseql.observations import InternalErrorMasked, Observer
from fraiseql.runtimes.anyio.call_scopes import CallScope, PerformEffect
from fraiseql.runtimes.anyio.calls import AwaitedDatabase, ThreadedDatabase
from fraiseql.runtimes.anyio.programs import Handle, guarded
from fraiseql.runtimes.operations import unwelcome

__all__ = ["Generators"]


class Generators:
    """Calls users' generator functions.

    Args:
        max_plain: how many that are not asynchronous may be under way at once, those included that were given up but
            do not come back from what they block on.
        observe: is told what a plain generator raises when it is closed.
    """

    def __init__(self, max_plain: int, observe: Observer) -> None:
        # A deque, since threads give places back: its methods are atomic.
        self._places: deque[None] = deque([None] * max_plain)
        self._max_plain = max_plain
        self._observe = observe

    def open(self, source: ResolverSource, bus: Any, perform: PerformEffect) -> Handle:
        """Call a generator function; nothing of its body runs before the first `next`.

        Args:
            perform: carries out the effects of its `info.db`.

        Raises:
            RequestError: TOO_MANY_OPERATIONS: no further plain generator may run.
            Exception: what the call raises.
        """
        arguments, scope = dict(source.arguments), None
        if source.takes_info:
            scope = None if source.access is None else CallScope(source.access, perform)
            arguments["info"] = _info(source, bus, scope)
        generator = source.function(**arguments)
        if hasattr(generator, "__anext__"):
            return _Asynchronous(generator, scope)
        try:
            self._places.pop()
        except IndexError:
            text = f"The server runs {self._max_plain} subscriptions of this kind already."
            raise RequestError(text, code="TOO_MANY_OPERATIONS") from None
        try:
            return _Plain(generator, scope, lambda: self._places.append(None), self._close_failed)
        except BaseException:  # there is no thread to be had
            self._places.append(None)
            raise

    def _close_failed(self, error: BaseException) -> None:
        self._observe(InternalErrorMasked("of a generator that was closed", error))


def _info(source: ResolverSource, bus: Any, scope: CallScope | None) -> Info | BlockingInfo:
    if scope is None:
        return Info(source.caller, source.field_name, bus)
    if inspect.isasyncgenfunction(inspect.unwrap(source.function)):
        return Info(source.caller, source.field_name, bus, AwaitedDatabase(scope))
    return BlockingInfo(source.caller, source.field_name, bus, ThreadedDatabase(scope))


class _Asynchronous:
    """Each item is awaited in the task that asks for it.

    Args:
        scope: what it does in the database.
    """

    def __init__(self, generator: AsyncGenerator[Any, None], scope: CallScope | None) -> None:
        self._generator = generator
        self._scope = scope

    async def next(self, timeout: float | None) -> Any:
        return await guarded(anext(self._generator, Absent.ENDED))

    async def aclose(self) -> None:
        try:
            await guarded(self._generator.aclose())
        finally:
            if self._scope is not None:
                await self._scope.aclose()


class _Plain:
    """Each item is made in a thread, which belongs to this generator alone: one that blocks stops nobody else.

    The thread is a daemon: one that never comes back does not keep the process from its end.

    Args:
        generator: what is asked for items.
        scope: what it does in the database.
        ended: called, in the thread, when nothing of the generator runs any more.
        close_failed: told, on the event loop, what the generator raises when it is closed.
    """

    def __init__(
        self,
        generator: Generator[Any, None, None],
        scope: CallScope | None,
        ended: Callable[[], None],
        close_failed: Callable[[BaseException], None],
    ) -> None:
        self._generator = generator
        self._scope = scope
        self._ended = ended
        self._close_failed = close_failed
        self._token = anyio.lowlevel.current_token()
        self._asked: queue.SimpleQueue[_Answer | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="fraiseql generator", daemon=True).start()

    async def next(self, timeout: float | None) -> Any:
        answer = _Answer()
        self._asked.put(answer)
        await answer.there.wait()
        if answer.error is not None:
            raise answer.error
        return answer.item

    async def aclose(self) -> None:
        self._asked.put(None)
        if self._scope is not None:
            await self._scope.aclose()

    def _run(self) -> None:
        try:
            while (answer := self._asked.get()) is not None:
                try:
                    answer.item = next(self._generator, Absent.ENDED)
                except Exception as error:
                    answer.error = error
                except BaseException as error:
                    answer.error = unwelcome(error)
                    answer.error.__cause__ = error
                self._tell(answer.there.set)
            try:
                self._generator.close()
            except BaseException as error:
                self._tell(self._close_failed, error)
        finally:
            self._ended()

    def _tell(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function on the event loop, unless that has ended."""
        with contextlib.suppress(Exception):
            anyio.from_thread.run_sync(function, *arguments, token=self._token)


class _Answer:
    """What a thread found."""

    __slots__ = ("error", "item", "there")

    def __init__(self) -> None:
        self.there = anyio.Event()
        self.item: Any = None
        self.error: Exception | None = None
