"""A user's generator as a source: an asynchronous one is awaited, a plain one has a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel

from fraiseql.context import Info
from fraiseql.effects import Absent, ResolverSource
from fraiseql.errors import RequestError
from fraiseql.runtimes.anyio.programs import Handle, own_cancellation

__all__ = ["Generators"]


class Generators:
    """Calls users' generator functions.

    Args:
        max_plain: how many that are not asynchronous may be under way at once, those included that were given up but
            do not come back from what they block on.
    """

    def __init__(self, max_plain: int) -> None:
        # A deque, since threads give places back: its methods are atomic.
        self._places: deque[None] = deque([None] * max_plain)
        self._max_plain = max_plain

    def open(self, source: ResolverSource, bus: Any) -> Handle:
        """Call a generator function; nothing of its body runs before the first `next`.

        Raises:
            RequestError: TOO_MANY_OPERATIONS: no further plain generator may run.
            Exception: what the call raises.
        """
        arguments = dict(source.arguments)
        if source.takes_info:
            arguments["info"] = Info(source.caller, source.field_name, bus)
        generator = source.function(**arguments)
        if hasattr(generator, "__anext__"):
            return _Asynchronous(generator)
        try:
            self._places.pop()
        except IndexError:
            text = f"The server runs {self._max_plain} subscriptions of this kind already."
            raise RequestError(text, code="TOO_MANY_OPERATIONS") from None
        return _Plain(generator, lambda: self._places.append(None))


class _Asynchronous:
    """Each item is awaited in the task that asks for it."""

    def __init__(self, generator: AsyncGenerator[Any, None]) -> None:
        self._generator = generator

    async def next(self, timeout: float | None) -> Any:
        return await own_cancellation(anext(self._generator, Absent.ENDED))

    async def aclose(self) -> None:
        await self._generator.aclose()


class _Plain:
    """Each item is made in a thread, which belongs to this generator alone: one that blocks stops nobody else.

    The thread is a daemon: one that never comes back does not keep the process from its end.

    Args:
        generator: what is asked for items.
        ended: called, in the thread, when nothing of the generator runs any more.
    """

    def __init__(self, generator: Generator[Any, None, None], ended: Callable[[], None]) -> None:
        self._generator = generator
        self._ended = ended
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

    def _run(self) -> None:
        try:
            while (answer := self._asked.get()) is not None:
                try:
                    answer.item = next(self._generator, Absent.ENDED)
                except Exception as error:
                    answer.error = error
                try:
                    anyio.from_thread.run_sync(answer.there.set, token=self._token)
                except Exception:  # the event loop has ended
                    break
            self._generator.close()
        finally:
            self._ended()


class _Answer:
    """What a thread found."""

    __slots__ = ("error", "item", "there")

    def __init__(self) -> None:
        self.there = anyio.Event()
        self.item: Any = None
        self.error: Exception | None = None
