"""An event loop on virtual time: it takes no time to wait, and the same seed gives the same order of everything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any

__all__ = ["SimulatedLoop", "SimulatedTimer"]


class SimulatedTimer:
    """A call that is due now or later."""

    __slots__ = ("_arguments", "callback", "when")

    def __init__(self, when: float, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.when = when
        self.callback: Callable[..., Any] | None = callback
        self._arguments = arguments

    def cancel(self) -> None:
        """Forget it; does nothing where it was made already."""
        self.callback = None
        self._arguments = ()

    def cancelled(self) -> bool:
        """Whether it was cancelled, or made already."""
        return self.callback is None

    def call(self) -> None:
        """Make it, unless it was cancelled."""
        callback, self.callback = self.callback, None
        if callback is not None:
            callback(*self._arguments)


class SimulatedLoop:
    """The loop of runtimes/loop.py without sockets, threads and the wall clock.

    As on asyncio's loops, what is called soon is called in this order, and what it calls soon comes behind all that is
    due meanwhile. The order of what is due at the same time is drawn: on a real loop nobody can rely on it.

    Args:
        random: draws that order.
    """

    def __init__(self, random: Random) -> None:
        self._draw = random.random
        self._now = 1_000.0  # not 0, which would hide who forgets to add it
        self._ready: deque[SimulatedTimer] = deque()
        self._later: list[tuple[float, float, int, SimulatedTimer]] = []
        self._count = 0
        self._left = 0  # of those in `_ready`, that are called before time is looked at again
        self._until, self._last, self._max_steps = self._now, 0, 0  # as `run` was told
        self.steps = 0

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def call_soon(self, callback: Callable[..., Any], *arguments: Any, context: Any = None) -> SimulatedTimer:
        """Call it next, never within this call."""
        timer = SimulatedTimer(self._now, callback, arguments)
        self._ready.append(timer)
        return timer

    def call_at(
        self, when: float, callback: Callable[..., Any], *arguments: Any, context: Any = None
    ) -> SimulatedTimer:
        """Call it once the time has come, never within this call."""
        timer = SimulatedTimer(when, callback, arguments)
        self._count += 1
        heappush(self._later, (when, self._draw(), self._count, timer))
        return timer

    def call_later(self, delay: float, callback: Callable[..., Any], *arguments: Any) -> SimulatedTimer:
        """Call it after so many seconds, never within this call."""
        return self.call_at(self._now + delay, callback, *arguments)

    def add_reader(self, fd: int, callback: Callable[..., Any], *arguments: Any) -> None:
        """There are no descriptors here; raises RuntimeError."""
        raise RuntimeError("a simulation has no descriptors")

    def remove_reader(self, fd: int) -> None:
        """There is none."""

    def add_writer(self, fd: int, callback: Callable[..., Any], *arguments: Any) -> None:
        """There are no descriptors here; raises RuntimeError."""
        raise RuntimeError("a simulation has no descriptors")

    def remove_writer(self, fd: int) -> None:
        """There is none."""

    def run(self, until: float, max_steps: int = 1_000_000) -> bool:
        """Make all calls that are due up to a time, and say whether nothing is left for later.

        Args:
            until: virtual seconds.
            max_steps: calls, beyond which something calls itself for ever.

        Raises:
            RuntimeError: there were that many.
            Exception: what a callback raises; nothing goes on after it.
        """
        self._until, self._last, self._max_steps = until, self.steps + max_steps, max_steps
        while (timer := self.next()) is not None:
            timer.call()
        return not self._later

    def next(self) -> SimulatedTimer | None:
        """What to call now, for who does the work of `run`; None where nothing is due up to the time that it was given.

        Raises:
            RuntimeError: there were too many.
        """
        ready, later = self._ready, self._later
        if not self._left:
            if not ready:
                while later and later[0][3].callback is None:
                    heappop(later)
                if not later or later[0][0] > self._until:
                    self._now = max(self._now, self._until) if later else self._now
                    return None
                self._now = max(self._now, later[0][0])
            while later and later[0][0] <= self._now:
                ready.append(heappop(later)[3])
            if self.steps > self._last:
                raise RuntimeError(f"{self._max_steps} calls have come to no end")
            self._left = len(ready)
        self._left -= 1
        self.steps += 1
        return ready.popleft()

    def pending(self) -> list[str]:
        """What is still to be called, in words."""
        left = [timer for _, _, _, timer in sorted(self._later)] + list(self._ready)
        return [f"{timer.when:.3f} {_named(timer.callback)}" for timer in left if timer.callback is not None]


def _named(callback: Callable[..., Any]) -> str:
    return getattr(callback, "__qualname__", None) or type(callback).__name__
