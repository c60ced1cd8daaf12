"""How a thread waits: for descriptors, for the time, and for what other threads tell it."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from threading import Lock
from typing import Final, Protocol, TypeVar

from fraiseql.postgres import Conversation, Ready, Wait
from fraiseql.postgres.errors import connection_lost
from fraiseql.runtimes.dispatching import TookTooLong
from fraiseql.runtimes.loop import Clock

__all__ = ["SYSTEM", "Interrupted", "Patience", "Poll", "Poller", "System", "TookTooLong", "Waiter", "Wakeup", "drive"]

_Result = TypeVar("_Result")

_LONGEST = 2_000_000_000  # milliseconds that poll(2) takes
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR
_EITHER = select.POLLIN | select.POLLOUT
# To compare plain ints takes a tenth of what it takes to reckon with flags of an enum.
_R, _W = int(Wait.R), int(Wait.W)


class Interrupted(BaseException):
    """The operation is cancelled: no Exception, so that what a user's function catches does not stop it."""


class Wakeup:
    """A descriptor that becomes readable when another thread says so."""

    __slots__ = ("_lock", "_reader", "_writer", "is_set")

    def __init__(self) -> None:
        if hasattr(os, "eventfd"):
            self._reader = self._writer = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._reader, self._writer = os.pipe()
            os.set_blocking(self._reader, False)
        self._lock = Lock()  # nobody writes to a descriptor that was closed, and perhaps given to somebody else
        self.is_set = False

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._reader

    def set(self) -> None:
        """Make it readable; does nothing once it is closed."""
        with self._lock:
            if not self.is_set and self._writer >= 0:
                self.is_set = True
                os.write(self._writer, b"\1\0\0\0\0\0\0\0")

    def clear(self) -> None:
        """Make it wait again; what it told of is looked at after this."""
        with self._lock:
            if self.is_set:
                self.is_set = False
                with contextlib.suppress(BlockingIOError):
                    os.read(self._reader, 8)

    def close(self) -> None:
        """Give the descriptor back."""
        with self._lock:
            for fd in {self._reader, self._writer} - {-1}:
                os.close(fd)
            self._reader = self._writer = -1


class Poll(Protocol):
    """Waits for descriptors, as `select.poll` does."""

    def register(self, fd: int, mask: int, /) -> None: ...

    def modify(self, fd: int, mask: int, /) -> None: ...

    def unregister(self, fd: int, /) -> None: ...

    def poll(self, milliseconds: float | None = None, /) -> list[tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class System:
    """What threads wait with; a simulation has its own.

    Attributes:
        now: gives the seconds by which `poll` waits, on a clock that never goes back.
        poll: makes what waits for descriptors.
        wakeup: makes what ends such a wait.
    """

    now: Callable[[], float]
    poll: Callable[[], Poll]
    wakeup: Callable[[], Wakeup]


SYSTEM: Final = System(time.monotonic, select.poll, Wakeup)
"""The operating system's."""


class Poller:
    """What one thread waits with; only that thread may use it.

    Args:
        clock: by which deadlines are kept; None for the system's. One that is given tells the time by a wakeup.
        system: see System.
    """

    __slots__ = ("_clock", "_poll", "_system", "_wakeup", "modify", "now", "register", "unregister")

    def __init__(self, clock: Clock | None = None, system: System = SYSTEM) -> None:
        self._clock = clock
        self._system = system
        self._poll = system.poll()
        self._wakeup: Wakeup | None = None
        self.register, self.modify, self.unregister = self._poll.register, self._poll.modify, self._poll.unregister
        self.now: Callable[[], float] = system.now if clock is None else clock.time
        if clock is not None:
            self._make_wakeup()

    @property
    def is_real(self) -> bool:
        """Whether the time is the system's."""
        return self._clock is None

    @property
    def wakeup(self) -> Wakeup:
        """By which others wake this thread; made when it is first asked for: not every thread needs one."""
        return self._wakeup or self._make_wakeup()

    def can_be_woken(self) -> None:
        """Make the wakeup, before others may want to use it."""
        if self._wakeup is None:
            self._make_wakeup()

    def wake(self) -> None:
        """Called by any thread: end this one's wait, where it can be woken."""
        if self._wakeup is not None:
            self._wakeup.set()

    def poll(self, until: float | None) -> list[tuple[int, int]]:
        """Wait until a registered descriptor is ready, somebody wakes this thread, or the time has come.

        Returns:
            Descriptors and what they are ready for; the wakeup's own is left out.
        """
        if self._clock is None:
            wait = None if until is None else min(max(0, ceil((until - self.now()) * 1_000)), _LONGEST)
            found = self._poll.poll(wait)
        else:
            found = self._poll_by(self._clock, until)
        if self._wakeup is not None and self._wakeup.is_set:
            fd = self._wakeup.fileno()
            self._wakeup.clear()
            found = [each for each in found if each[0] != fd]
        return found

    def close(self) -> None:
        """Give its descriptor back."""
        if self._wakeup is not None:
            self._wakeup.close()

    def _make_wakeup(self) -> Wakeup:
        self._wakeup = self._system.wakeup()
        self._poll.register(self._wakeup.fileno(), select.POLLIN)
        return self._wakeup

    def _poll_by(self, clock: Clock, until: float | None) -> list[tuple[int, int]]:
        if until is None:
            return self._poll.poll()
        if clock.time() >= until:
            return self._poll.poll(0)
        timer = clock.call_at(until, self.wakeup.set)
        try:
            return self._poll.poll()
        finally:
            timer.cancel()


class Waiter(Protocol):
    """Who waits in the name of an operation."""

    @property
    def wakeup(self) -> Wakeup:
        """By which another thread ends a wait."""

    def now(self) -> float:
        """The time by the clock of all deadlines."""

    def wait(self, fd: int | None, events: int, until: float | None) -> int:
        """Wait until a descriptor is ready, or another thread wakes this one, or the time has come.

        Returns:
            What it is ready for, as of poll(2); 0 where it is not.

        Raises:
            Interrupted: the operation is cancelled.
        """


class Patience:
    """Waits for nothing else, and cannot be interrupted: for what has to be brought to its end in bounded time.

    Args:
        clock, system: see Poller.
    """

    __slots__ = ("_poller", "now")

    def __init__(self, clock: Clock | None = None, system: System = SYSTEM) -> None:
        self._poller = Poller(clock, system)
        self.now = self._poller.now

    def __enter__(self) -> Patience:
        return self

    def __exit__(self, *error: object) -> None:
        self._poller.close()

    @property
    def wakeup(self) -> Wakeup:
        """By which another thread ends a wait."""
        return self._poller.wakeup

    def wait(self, fd: int | None, events: int, until: float | None) -> int:
        """As of Waiter."""
        if fd is None:
            self._poller.poll(until)
            return 0
        self._poller.register(fd, events)
        try:
            return next((ready for found, ready in self._poller.poll(until) if found == fd), 0)
        finally:
            self._poller.unregister(fd)


def drive(conversation: Conversation[_Result], waiter: Waiter, until: float | None = None) -> _Result:
    """Run a conversation to its end and return its result; interrupted, or too late, it is closed where it stands.

    Raises:
        DatabaseError: what the conversation raises; 08006 where somebody closed the descriptor meanwhile.
        TookTooLong: the time has come.
        Interrupted: as `wait`.
    """
    try:
        fd, wait = next(conversation)
        while True:
            events = select.POLLIN if wait == _R else select.POLLOUT if wait == _W else _EITHER
            found = waiter.wait(fd, events, until)
            if found & select.POLLNVAL:
                # The conversation knows what that means for what it has sent.
                fd, wait = conversation.throw(connection_lost("it was closed on this side"))
            elif found:
                ready = Ready.R if wait == _R else Ready.W if wait == _W else _either(found)
                fd, wait = conversation.send(ready)
            elif until is not None and waiter.now() >= until:
                raise TookTooLong("the database did not answer in time", sqlstate="08006", retryable=True)
    except StopIteration as stop:
        result: _Result = stop.value
        return result
    finally:
        conversation.close()


def _either(found: int) -> Ready:
    """Which of the two it is; PostgreSQL may talk before it has read all that is being sent."""
    if not found & _READABLE:
        return Ready.W
    return Ready.RW if found & _WRITABLE else Ready.R
