"""Threads of which one runs at a time, at moments that are drawn: real ones, that hand a baton to and fro."""

from __future__ import annotations

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
        waits: whether it waits for something, not only for its turn.
        timer: gives it its next turn.
        real: the system's.
    """

    __slots__ = ("_function", "_since", "_spins", "_turn", "real", "timer", "waits")

    def __init__(self, function: Callable[[], None], ended: Callable[[BaseException | None], None], name: str) -> None:
        self._function: Callable[[], None] | None = function
        self._turn = _taken()
        self._since = 0.0
        self._spins = 0
        self.waits = False
        self.timer: SimulatedTimer | None = None
        self.real = Thread(target=self._run, args=(ended,), name=name, daemon=True)

    def go(self) -> None:
        """Let it run."""
        self._turn.release()

    def stop(self) -> None:
        """Wait for its next turn, in this thread."""
        self._turn.acquire()

    def spins(self, now: float) -> bool:
        """Whether it comes here again and again at the same time."""
        self._spins = self._spins + 1 if now == self._since else 0
        self._since = now
        return self._spins > _MOST_CALLS

    def _run(self, ended: Callable[[BaseException | None], None]) -> None:
        self._turn.acquire()
        function, self._function = self._function, None
        try:
            if function is not None:
                function()
        except Abandoned:
            ended(None)
        except BaseException as error:
            ended(error)
        else:
            ended(None)


class Baton:
    """Lets one thread run at a time: that of the loop, or one of those that were started here.

    A thread that waits gives the baton back to the loop, and is given it again, at a virtual time, when it was woken.
    One that was woken may be given it at once, in its turn, or late; and one that could go on may step aside: as the
    system's threads may be stopped at any place, so are these at each call of a socket, of a poll and of a wakeup, and
    in one of twelve worlds at each line of what threads share.

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
        self._is_lent = False  # a thread that waits, or has ended, calls what the loop has to call ...
        self._host: SimulatedThread | None = None  # ... this one
        self._next: SimulatedThread | None = None  # whose turn that then found to have come
        self._main = _taken()  # the loop's own thread waits for it
        self._halfway: Lock | None = None  # a call of the loop does, that was stopped in its midst
        self._error: BaseException | None = None  # of a thread, for the loop
        self._is_fine = random.random() < 0.08
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
        thread = SimulatedThread(traced, self._ended, name)
        self.threads[thread] = None
        self._started.append(thread)
        thread.real.start()
        thread.timer = self._soon(thread)

    def wait(self, seconds: float | None) -> None:
        """Wait, in a thread that was started here, until it is woken, or so many seconds are over.

        Raises:
            Abandoned: the world has ended.
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
        is_elsewhere = self._current is None and thread is not self._host
        if is_elsewhere and self.random.random() < self._at_once:
            self._go_at_once(thread)
        else:
            thread.timer = self._soon(thread)

    def step_aside(self) -> None:
        """Called where a thread might be stopped: let others run, if that is drawn."""
        self.now()
        if self._current is not None and not self.is_over:
            self._step_aside(self._current, self._aside)

    def now(self) -> float:
        """The virtual time, for threads.

        Raises:
            RuntimeError: one asks again and again: it waits without letting others run.
            Abandoned: it does so after the end.
        """
        now = self.loop.time()
        if self._current is not None and self._current.spins(now):
            raise Abandoned if self.is_over else RuntimeError("a thread goes round and round")
        return now

    def end(self) -> None:
        """End all threads that are left."""
        self.is_over = True
        for thread in list(self.threads):
            if thread.timer is not None:
                thread.timer.cancel()
            self._current = thread
            thread.go()
            self._main.acquire()
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
        """Called by the loop: it is a thread's turn."""
        thread.waits, thread.timer = False, None
        if self._is_lent:
            self._next = thread
            return
        self._current = thread
        thread.go()
        self._main.acquire()
        self._check()

    def _go_at_once(self, thread: SimulatedThread) -> None:
        """Stop the loop in the midst of a call, and let a thread run."""
        thread.timer = None
        self._halfway = halfway = _taken()
        self._current = thread
        thread.go()
        halfway.acquire()
        self._check()

    def _check(self) -> None:
        """Raise what a thread has raised."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _step_aside(self, thread: SimulatedThread, often: float) -> None:
        if often and self.random.random() < often:
            thread.timer = self._soon(thread)
            self._give_back(thread)

    def _give_back(self, thread: SimulatedThread) -> None:
        if not self.is_over and self._pass_on(thread):
            thread.stop()
        if self.is_over:
            raise Abandoned

    def _ended(self, error: BaseException | None) -> None:
        """Called by a thread, as the last."""
        assert self._current is not None
        del self.threads[self._current]
        if self.is_over:
            self._current = None
            self._main.release()
            return
        self._error = error
        self._pass_on(None)

    def _pass_on(self, thread: SimulatedThread | None) -> bool:
        """Let the next one run; False where that is the same thread.

        To change between the system's threads takes long: who waits does the loop's work meanwhile, until it is
        another's turn.
        """
        self._current = None
        if self._halfway is not None:
            halfway, self._halfway = self._halfway, None
            halfway.release()
            return True
        found = self._do_work(thread) if self._error is None else None
        if found is None:
            self._main.release()
            return True
        self._current = found
        if found is thread:
            return False
        found.go()
        return True

    def _do_work(self, host: SimulatedThread | None) -> SimulatedThread | None:
        """Call what the loop has to call, and give whose turn it is then; None where that is the loop's own thread."""
        self._is_lent, self._host = True, host
        try:
            while (timer := self.loop.next()) is not None:
                timer.call()
                if self._next is not None:
                    found, self._next = self._next, None
                    return found
        except BaseException as error:
            self._error = error
        finally:
            self._is_lent, self._host = False, None
        return None


def _taken() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock
