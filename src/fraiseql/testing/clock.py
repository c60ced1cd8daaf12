"""A clock that stands still until a test moves it."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

__all__ = ["FakeClock"]

_PATIENCE = 10.0  # real seconds for another thread to call what is due
_TURNS = 4  # of an event loop: one to see what has come, the others to do what follows from it
_EXACT = 1e-6  # seconds, below which two times are the same


class _Timer:
    """A call that is due later, on the thread that asked for it."""

    __slots__ = ("arguments", "callback", "cancelled", "number", "thread", "when")

    def __init__(
        self, when: float, number: int, thread: int, callback: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        self.when = when
        self.number = number
        self.thread = thread
        self.callback = callback
        self.arguments = arguments
        self.cancelled = False

    def __lt__(self, other: _Timer) -> bool:
        return (self.when, self.number) < (other.when, other.number)

    def cancel(self) -> None:
        """Forget it; does nothing where it was made already."""
        self.cancelled = True

    def call(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            self.callback(*self.arguments)


class FakeClock:
    """A Clock (see fraiseql.runtimes.loop) whose time passes only when `advance` is called; many threads may use it.

    Each call is made on the thread that asked for it, where that thread has said by `bind` how to reach it; on the
    thread that advances the clock otherwise.

    Args:
        now: the seconds that it begins with.

    Raises:
        ValueError: these are not finite.
    """

    def __init__(self, now: float = 1_000.0) -> None:
        if not math.isfinite(now):
            raise ValueError("a clock begins with a finite number of seconds")
        self._now = now
        self._timers: list[_Timer] = []
        self._numbers = itertools.count()
        self._threads: dict[int, Callable[..., Any]] = {}
        self._hooks: list[Callable[[], Any]] = []
        self._changed = threading.Condition()  # holds all of the above; never while something is called
        self._advancing = threading.RLock()

    def time(self) -> float:
        """The seconds that it shows."""
        return self._now

    def call_at(self, when: float, callback: Callable[..., Any], *arguments: Any) -> _Timer:
        """Call it once the time has come, never within this call.

        What is due already is called at once by a thread that is bound, and else when the clock is moved next.

        Raises:
            ValueError: `when` is not a number.
        """
        if math.isnan(when):
            raise ValueError("nothing can be due at a time that is not a number")
        thread = threading.get_ident()
        with self._changed:
            timer = _Timer(when, next(self._numbers), thread, callback, arguments)
            reach = self._threads.get(thread)
            is_due = when <= self._now and reach is not None
            if not is_due:
                heapq.heappush(self._timers, timer)
                self._changed.notify_all()
        if is_due and reach is not None:
            reach(timer.call)
        return timer

    def bind(self, call_soon_threadsafe: Callable[..., Any]) -> Callable[[], None]:
        """Say how a function is called on this thread from another one, as an event loop's `call_soon_threadsafe` does.

        Returns:
            What to call when this thread's loop ends.
        """
        thread = threading.get_ident()
        with self._changed:
            self._threads[thread] = call_soon_threadsafe

        def unbind() -> None:
            with self._changed:
                self._threads.pop(thread, None)

        return unbind

    def when_advanced(self, hook: Callable[[], Any]) -> Callable[[], None]:
        """Call this after each move, on the thread that moves the clock: it shall wake threads that wait for a time.

        Returns:
            What to call to have it called no more.
        """
        with self._changed:
            self._hooks.append(hook)

        def forget() -> None:
            with self._changed:
                if hook in self._hooks:
                    self._hooks.remove(hook)

        return forget

    @property
    def next_due(self) -> float | None:
        """When the next call is due; None where there is none."""
        with self._changed:
            return self._earliest()

    def wait_until_due(self, seconds: float, patience: float = _PATIENCE) -> None:
        """Wait until something is due in exactly so many seconds, for another thread may not have come to it yet.

        Args:
            seconds: on this clock.
            patience: real seconds to wait.

        Raises:
            TimeoutError: nothing is; says what is due instead.
        """
        give_up = time.monotonic() + patience
        with self._changed:
            while not self._is_due_in(seconds):
                left = give_up - time.monotonic()
                if left <= 0:
                    when = sorted({round(timer.when - self._now, 6) for timer in self._timers if not timer.cancelled})
                    found = ", ".join(f"{wait:g}" for wait in when) or "nothing"
                    raise TimeoutError(f"nothing is due in {seconds:g} s, but in {found}")
                self._changed.wait(left)

    def advance(self, seconds: float) -> None:
        """Let time pass: what becomes due is called in order, each at its time, before this returns.

        Threads that are bound have a few turns before each move, so that they first take in what has come until now.

        Args:
            seconds: at least 0, and finite. What is called may let time pass as well: the clock never goes back.

        Raises:
            ValueError: time does not go back, nor anywhere else than to a moment.
            TimeoutError: a thread does not call what is due.
            Exception: what a call raises; what was due after it is called by the next move.
        """
        if seconds < 0:
            raise ValueError("time does not go back")
        if not math.isfinite(seconds):
            raise ValueError("time passes by a finite number of seconds")
        with self._advancing:
            end = self._now + seconds
            self._settle()
            while (timer := self._take(end)) is not None:
                self._call(timer)
                self._settle()
            with self._changed:
                self._now = max(self._now, end)  # what was called may have let more time pass
                hooks = list(self._hooks)
            for hook in hooks:
                hook()

    def _is_due_in(self, seconds: float) -> bool:
        return any(abs(timer.when - self._now - seconds) < _EXACT for timer in self._timers if not timer.cancelled)

    def _earliest(self) -> float | None:
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0].when if self._timers else None

    def _take(self, end: float) -> _Timer | None:
        """The next timer that is due, with the clock at its time."""
        with self._changed:
            due = self._earliest()
            if due is None or due > end:
                return None
            self._now = max(self._now, due)
            return heapq.heappop(self._timers)

    def _call(self, timer: _Timer) -> None:
        with self._changed:
            reach = None if timer.thread == threading.get_ident() else self._threads.get(timer.thread)
        if reach is None:
            timer.call()
        else:
            _call_there(reach, timer.call)

    def _settle(self) -> None:
        """Let the loops of other threads go round."""
        with self._changed:
            others = [reach for thread, reach in self._threads.items() if thread != threading.get_ident()]
        for reach in others:
            for _ in range(_TURNS):
                _call_there(reach, _nothing)


def _nothing() -> None:
    pass


def _call_there(reach: Callable[..., Any], function: Callable[[], None]) -> None:
    """Call a function on another thread, and wait for its end; raises what it raises."""
    done: Future[None] = Future()

    def call() -> None:
        try:
            function()
        except BaseException as error:
            done.set_exception(error)
            raise
        done.set_result(None)

    reach(call)
    done.result(_PATIENCE)
