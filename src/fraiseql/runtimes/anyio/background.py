"""Tasks that belong to no request: they outlive whoever started them, and end when they are stopped."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
from anyio.abc import TaskGroup

__all__ = ["Background", "running_clock", "running_trio"]


def running_trio() -> Any:
    """The trio module where trio runs us, else None; trio as a guest of asyncio counts as trio."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None


def running_clock() -> Callable[[], float]:
    """The clock behind `anyio.current_time`, which itself looks for the event loop at each call: 3 to 5 µs."""
    if (trio := running_trio()) is None:
        return asyncio.get_running_loop().time
    clock: Callable[[], float] = trio.lowlevel.current_clock().current_time
    return clock


def _asyncio_context() -> contextvars.Context:
    """This one, in which anyio knows that it is on asyncio though no task of asyncio runs; see sniffio."""
    context = contextvars.copy_context()
    if (sniffio := sys.modules.get("sniffio")) is not None:  # without it anyio looks for the event loop itself
        context.run(sniffio.current_async_library_cvar.set, "asyncio")
    return context


class Background:
    """A task group outside of its starter's cancel scopes.

    A task group of anyio belongs to the task that entered it and must be left there. This one lives in a task of its
    own, so that `start` and `stop` may be called from anywhere on the same event loop.
    """

    def __init__(self) -> None:
        self._group: TaskGroup | None = None
        self._ended: anyio.Event | None = None
        self._task: asyncio.Task[None] | None = None  # asyncio itself keeps weak references only
        self._context = contextvars.Context()  # of tasks that callbacks of asyncio start

    @property
    def is_running(self) -> bool:
        """Whether tasks can be started."""
        return self._group is not None

    async def start(self) -> None:
        """Begin; nothing runs yet."""
        if self._ended is not None:
            raise RuntimeError("started already")
        ready = anyio.Event()
        self._ended = anyio.Event()
        if (trio := running_trio()) is not None:
            trio.lowlevel.spawn_system_task(self._live, ready, name="fraiseql")
        else:
            self._context = _asyncio_context()
            self._task = asyncio.create_task(self._live(ready), name="fraiseql")
        with anyio.CancelScope(shield=True):  # one step of the event loop
            await ready.wait()

    def start_soon(
        self, function: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any, name: str | None = None
    ) -> None:
        """Start a task; an exception that leaves it ends all others."""
        if self._group is None:
            raise RuntimeError("not running")
        if self._task is not None and asyncio.current_task() is None:  # a callback: anyio would not know where it is
            self._context.run(self._group.start_soon, function, *arguments, name=name)
        else:
            self._group.start_soon(function, *arguments, name=name)

    async def stop(self) -> None:
        """Cancel all tasks and wait for their end; does nothing the second time."""
        if self._ended is None:
            return
        if self._group is not None:
            self._group.cancel_scope.cancel()
        await self._ended.wait()

    async def _live(self, ready: anyio.Event) -> None:
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                ready.set()
                await anyio.sleep_forever()
        finally:
            self._group = None
            ready.set()
            if self._ended is not None:
                self._ended.set()
