"""Coroutines on callbacks: as much of a task as the simulation's own parts need, and nothing that is not determined."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any

from fraiseql.runtimes.loop import EventLoop

__all__ = ["Cancelled", "Task", "Wait", "sleep"]


class Cancelled(BaseException):
    """A task was cancelled where it waited."""


class Wait:
    """Something that a task waits for; it comes once."""

    __slots__ = ("_done", "_error", "_task", "_value")

    def __init__(self) -> None:
        self._done = False
        self._value: Any = None
        self._error: Exception | None = None
        self._task: Task | None = None

    @property
    def done(self) -> bool:
        """Whether it has come."""
        return self._done

    def set(self, value: Any = None, error: Exception | None = None) -> None:
        """It has come; what comes later is passed over."""
        if self._done:
            return
        self._done, self._value, self._error = True, value, error
        if self._task is not None:
            self._task.wake()

    def attach(self, task: Task) -> None:
        """Wake this task, once it has come."""
        self._task = task

    def __await__(self) -> Generator[Wait, None, Any]:
        if not self._done:
            yield self
        if self._error is not None:
            raise self._error
        return self._value


class Task:
    """Runs a coroutine, from the next turn of the loop on.

    Args:
        done: called with its result, or its error; with None for both where it was cancelled.
    """

    def __init__(
        self,
        loop: EventLoop,
        coroutine: Coroutine[Wait, None, Any],
        done: Callable[[Any, Exception | None], None],
    ) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._done = done
        self._woken = False
        self._cancelled = False
        self.ended = False
        self.wake()

    def wake(self) -> None:
        """Go on, on the next turn."""
        if not self._woken and not self.ended:
            self._woken = True
            self._loop.call_soon(self._step)

    def cancel(self) -> None:
        """Raise Cancelled where it waits, on the next turn; does nothing the second time."""
        self._cancelled = True
        self.wake()

    def _step(self) -> None:
        self._woken = False
        if self.ended:
            return
        cancelled, result, error = self._cancelled, None, None
        try:
            if cancelled:
                wait = self._coroutine.throw(Cancelled())
                raise AssertionError(f"a cancelled task waits for {wait}")
            self._coroutine.send(None).attach(self)
            return
        except StopIteration as stop:
            result = stop.value
        except Cancelled:
            pass
        except Exception as raised:
            error = raised
        self.ended = True
        self._done(result, error)


async def sleep(loop: EventLoop, seconds: float) -> None:
    """Wait so long."""
    wait = Wait()
    timer = loop.call_at(loop.time() + seconds, wait.set)
    try:
        await wait
    finally:
        timer.cancel()
