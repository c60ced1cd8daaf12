"""A user's generator as a source: an asynchronous one is awaited, a plain one runs in a thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from functools import partial
from typing import Any

import anyio.to_thread

from fraiseql.context import Info
from fraiseql.effects import Absent, ResolverSource
from fraiseql.runtimes.anyio.programs import Handle

__all__ = ["open_generator"]

_END = object()


def open_generator(source: ResolverSource, bus: Any) -> Handle:
    """Call a user's generator function; nothing of its body runs before the first `next`.

    Raises:
        Exception: what the call raises.
    """
    arguments = dict(source.arguments)
    if source.takes_info:
        arguments["info"] = Info(source.caller, source.field_name, bus)
    generator = source.function(**arguments)
    return _Asynchronous(generator) if hasattr(generator, "__anext__") else _Plain(generator)


class _Asynchronous:
    """Each item is awaited in the task that asks for it."""

    def __init__(self, generator: AsyncGenerator[Any, None]) -> None:
        self._generator = generator

    async def next(self, timeout: float | None) -> Any:
        return await anext(self._generator, Absent.ENDED)

    async def aclose(self) -> None:
        await self._generator.aclose()


class _Plain:
    """Each item is made in a worker thread, so that a generator that blocks stops nobody else."""

    def __init__(self, generator: Generator[Any, None, None]) -> None:
        self._generator = generator

    async def next(self, timeout: float | None) -> Any:
        item = await anyio.to_thread.run_sync(partial(next, self._generator, _END), abandon_on_cancel=True)
        return Absent.ENDED if item is _END else item

    async def aclose(self) -> None:
        try:
            await anyio.to_thread.run_sync(self._generator.close, abandon_on_cancel=True)
        except ValueError:  # a thread that was abandoned is still inside it
            return
