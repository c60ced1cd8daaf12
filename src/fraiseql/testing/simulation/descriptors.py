"""What simulated threads wait for: descriptors that are numbers, what polls them, and wakeups."""

from __future__ import annotations

import select
from typing import Final

from fraiseql.runtimes.threads.waiting import System, Wakeup
from fraiseql.testing.simulation.batons import Baton, SimulatedThread

__all__ = ["Answered", "Descriptor", "Descriptors"]

_ALWAYS: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Descriptor:
    """Something that threads can wait for."""

    def __init__(self, descriptors: Descriptors) -> None:
        self.descriptors = descriptors
        self._number = descriptors.enter(self)
        self._waiting: dict[SimulatedThread, None] = {}

    def fileno(self) -> int:
        """Its number; -1 once it is closed."""
        return self._number

    def ready(self) -> int:
        """What it is ready for, as of poll(2)."""
        raise NotImplementedError

    def wait(self, seconds: float | None) -> None:
        """Wait until something changes, in the thread that runs."""
        thread = self.descriptors.baton.current
        assert thread is not None
        self.add(thread)
        try:
            self.descriptors.baton.wait(seconds)
        finally:
            self.discard(thread)

    def add(self, thread: SimulatedThread) -> None:
        """Wake a thread when something changes."""
        self._waiting[thread] = None

    def discard(self, thread: SimulatedThread) -> None:
        """Wake it no more."""
        self._waiting.pop(thread, None)

    def changed(self) -> None:
        """Say that something has changed."""
        for thread in list(self._waiting):
            self.descriptors.baton.wake(thread)

    def close(self) -> None:
        """Be of no use any more."""
        if self._number >= 0:
            self.descriptors.leave(self._number)
            self._number = -1
            self.changed()


class Descriptors:
    """All descriptors of a world.

    Attributes:
        baton: says which thread runs.
        system: what threads wait with here.
    """

    def __init__(self, baton: Baton) -> None:
        self.baton = baton
        self.system = System(baton.now, lambda: _Poll(self), lambda: _Wakeup(self))
        self._open: dict[int, Descriptor] = {}
        self._last = 2

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, descriptor: Descriptor) -> int:
        """Number a new one; no number is given twice."""
        self._last += 1
        self._open[self._last] = descriptor
        return self._last

    def leave(self, number: int) -> None:
        """Forget one that is closed."""
        del self._open[number]

    def find(self, number: int) -> Descriptor | None:
        """The one of a number; None where it is closed."""
        return self._open.get(number)


class Answered(Descriptor):
    """Becomes readable, once and for good: an answer of the database has come."""

    is_set = False

    def ready(self) -> int:
        return select.POLLIN if self.is_set else 0

    def set(self) -> None:
        """It has come."""
        self.is_set = True
        self.changed()


class _Readable(Descriptor):
    """The descriptor of a wakeup."""

    is_set = False

    def ready(self) -> int:
        return select.POLLIN if self.is_set else 0


class _Wakeup(Wakeup):
    """One without a descriptor of the system's."""

    __slots__ = ("_readable",)

    def __init__(self, descriptors: Descriptors) -> None:
        self._readable = _Readable(descriptors)
        self.is_set = False

    def fileno(self) -> int:
        return self._readable.fileno()

    def set(self) -> None:
        self._readable.descriptors.baton.step_aside()
        if not self.is_set and self.fileno() >= 0:
            self.is_set = self._readable.is_set = True
            self._readable.changed()
            self._readable.descriptors.baton.step_aside()

    def clear(self) -> None:
        self.is_set = self._readable.is_set = False
        self._readable.descriptors.baton.step_aside()

    def close(self) -> None:
        self._readable.close()


class _Poll:
    """As of `select.poll`."""

    def __init__(self, descriptors: Descriptors) -> None:
        self._descriptors = descriptors
        self._masks: dict[int, int] = {}

    def register(self, fd: int, mask: int, /) -> None:
        self._masks[fd] = mask

    def modify(self, fd: int, mask: int, /) -> None:
        if fd not in self._masks:
            raise FileNotFoundError(2, "it was not registered")
        self._masks[fd] = mask

    def unregister(self, fd: int, /) -> None:
        del self._masks[fd]

    def poll(self, milliseconds: float | None = None, /) -> list[tuple[int, int]]:
        baton = self._descriptors.baton
        baton.step_aside()
        until = None if milliseconds is None else baton.loop.time() + milliseconds / 1_000
        while not (found := self._ready()):
            left = None if until is None else until - baton.loop.time()
            if left is not None and left <= 0:
                break
            self._wait(left)
        baton.step_aside()
        return found

    def _ready(self) -> list[tuple[int, int]]:
        found = []
        for fd, mask in self._masks.items():
            descriptor = self._descriptors.find(fd)
            ready = select.POLLNVAL if descriptor is None else descriptor.ready() & (mask | _ALWAYS)
            if ready:
                found.append((fd, ready))
        return found

    def _wait(self, seconds: float | None) -> None:
        baton = self._descriptors.baton
        thread = baton.current
        assert thread is not None, "nobody waits in the thread of the loop"
        polled = [each for fd in self._masks if (each := self._descriptors.find(fd)) is not None]
        for descriptor in polled:
            descriptor.add(thread)
        try:
            baton.wait(seconds)
        finally:
            for descriptor in polled:
                descriptor.discard(thread)
