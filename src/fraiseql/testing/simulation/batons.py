"""Threads of which one runs at a time, at moments that are drawn: real ones, that hand a baton to and fro."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from random import Random
from threading import Lock, Thread
from types import FrameType
from typing import Any, Final

from fraiseql.runtimes.threads import connection, programs, streaming, waiting
from fraiseql.testing.simulation.loop import SimulatedLoop, SimulatedTimer

__all__ = ["Abandoned", "Baton", "SimulatedThread"]

_MOST_CALLS: Final = 10_000  # of one thread that change nothing, and take no time
_FINE: Final = frozenset({connection.__file__, programs.__file__, streaming.__file__, waiting.__file__})
_ANYWHERE: Final = 0.03  # how often a thread steps aside at a line


class Abandoned(BaseException):
    """The world has ended, and with it what this thread waits for."""


class SimulatedThread:
    """One thread; see Baton.

    Attributes:
        ended: whether it runs no more.
    """

    __slots__ = ("_error", "_function", "_since", "_spins", "_turn", "ended", "real", "timer", "waits")

    def __init__(self, function: Callable[[], None], give_back: Callable[[], None], name: str) -> None:
        self._function: Callable[[], None] | None = function
        self._turn = Lock()
        self._turn.acquire()
        self._error: BaseException | None = None
        self._since = 0.0
        self._spins = 0
        self.ended = False
        self.waits = False  # for something, not only for its turn
        self.timer: SimulatedTimer | None = None  # gives it its next turn
        self.real = Thread(target=self._run, args=(give_back,), name=name, daemon=True)

    def go(self) -> None:
        """Let it run, until it gives the baton back."""
        self.waits, self.timer = False, None
        self._turn.release()

    def stop(self) -> None:
        """Wait for its next turn, in this thread."""
        self._turn.acquire()

    def spins(self, now: float) -> bool:
        """Whether it comes here again and again at the same time."""
        self._spins = self._spins + 1 if now == self._since else 0
        self._since = now
        return self._spins > _MOST_CALLS

    def check(self) -> None:
        """Raise what it has raised."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self, give_back: Callable[[], None]) -> None:
        self._turn.acquire()
        function, self._function = self._function, None
        try:
            if function is not None:
                function()
        except Abandoned:
            pass
        except BaseException as error:
            self._error = error
        self.ended = True
        give_back()


class Baton:
    """Lets one thread run at a time: that of the loop, or one of those that were started here.

    A thread that waits gives the baton back to the loop, and is given it again, at a virtual time, when it was woken.
    One that was woken may be given it at once, in its turn, or late; and one that could go on may step aside: as the
    system's threads may be stopped at any place, so are these at each call of a socket, of a poll and of a wakeup; in one
    of ten worlds, at each line of what threads share.

    Args:
        loop: has the baton while no thread has.
        random: draws who runs when.

    Attributes:
        is_over: whether the world has ended; whoever waits then is told so by Abandoned.
        threads: those that have not ended.
    """

    def __init__(self, loop: SimulatedLoop, random: Random) -> None:
        self.loop = loop
        self.random = random
        self.is_over = False
        self.threads: dict[SimulatedThread, None] = {}
        self._started: list[SimulatedThread] = []
        self._current: SimulatedThread | None = None
        self._back = Lock()
        self._back.acquire()
        self._is_fine = random.random() < 0.1
        self._aside = random.choice((0.0, 0.03, 0.3))
        self._late = random.choice((0.0, 0.05, 0.3))
        self._at_once = random.choice((0.0, 0.1, 0.5))
        self._delay = random.choice((0.0, 0.001, 0.02))

    @property
    def current(self) -> SimulatedThread | None:
        """The thread that runs; None for that of the loop."""
        return self._current

    def start(self, function: Callable[[], None], name: str) -> None:
        """Begin a thread; it runs later."""
        traced = self._traced(function) if self._is_fine else function
        thread = SimulatedThread(traced, self._back.release, name)
        self.threads[thread] = None
        self._started.append(thread)
        thread.real.start()
        thread.timer = self._soon(thread)

    def wait(self, seconds: float | None) -> None:
        """Wait, in a thread that was started here, until it is woken, or so many seconds are over.

        Raises:
            Abandoned: the world has ended.
            RuntimeError: it waits for nothing, again and again.
        """
        thread = self._current
        assert thread is not None
        if seconds is not None:
            thread.timer = self.loop.call_later(seconds, self._go, thread)
        thread.waits = True
        self._give_back(thread)

    def wake(self, thread: SimulatedThread) -> None:
        """End a thread's wait; does nothing where it does not wait."""
        if not thread.waits:
            return
        thread.waits = False
        if thread.timer is not None:
            thread.timer.cancel()
        if self._current is None and self.random.random() < self._at_once:
            self._go(thread)
        else:
            thread.timer = self._soon(thread)

    def step_aside(self) -> None:
        """Called where a thread might be stopped: let others run, if that is drawn."""
        thread = self._current
        if thread is None or self.is_over:
            return
        if thread.spins(self.loop.time()):
            raise RuntimeError("a thread goes round and round")
        self._step_aside(thread, self._aside)

    def end(self) -> None:
        """End all threads that are left."""
        self.is_over = True
        for thread in list(self.threads):
            if thread.timer is not None:
                thread.timer.cancel()
            with contextlib.suppress(Exception):  # something is wrong already
                self._go(thread)
        for thread in self._started:
            thread.real.join()

    def _traced(self, function: Callable[[], None]) -> Callable[[], None]:
        """The function, with each line of what threads share as a place where they may step aside."""

        def at_call(frame: FrameType, event: str, argument: Any) -> Any:
            return at_line if frame.f_code.co_filename in _FINE else None

        def at_line(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line" and self._current is not None and not self.is_over:
                self._step_aside(self._current, _ANYWHERE)
            return at_line

        def run() -> None:
            sys.settrace(at_call)
            function()

        return run

    def _soon(self, thread: SimulatedThread) -> SimulatedTimer:
        if self._delay and self.random.random() < self._late:
            return self.loop.call_later(self._delay * self.random.random(), self._go, thread)
        return self.loop.call_soon(self._go, thread)

    def _go(self, thread: SimulatedThread) -> None:
        self._current = thread
        thread.go()
        self._back.acquire()
        self._current = None
        if thread.ended:
            del self.threads[thread]
            thread.check()

    def _step_aside(self, thread: SimulatedThread, often: float) -> None:
        if often and self.random.random() < often:
            thread.timer = self._soon(thread)
            self._give_back(thread)

    def _give_back(self, thread: SimulatedThread) -> None:
        if not self.is_over:
            self._back.release()
            thread.stop()
        if self.is_over:
            raise Abandoned
