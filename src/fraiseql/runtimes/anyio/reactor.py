"""An event loop of callbacks within an event loop of tasks: one task waits for all descriptors and timers at once.

A selector of its own (epoll, or kqueue) watches the descriptors. Its own descriptor is readable as soon as one of them
is ready: the task waits for that alone, so that a callback costs no task, and a descriptor that stays watched no system
call.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import anyio.lowlevel

from fraiseql.runtimes.anyio.background import running_clock, running_trio
from fraiseql.runtimes.anyio.polling import READABLE, WRITABLE, make_poller

__all__ = ["Reactor"]

_NOT_READABLE: Final = ~READABLE  # what wakes a writer: broken descriptors are ready for everything
_NOT_WRITABLE: Final = ~WRITABLE


class _Call:
    """A call to be made, until it is cancelled."""

    __slots__ = ("arguments", "callback")

    def __init__(self, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.callback: Callable[..., Any] | None = callback
        self.arguments = arguments

    def cancel(self) -> None:
        self.callback, self.arguments = None, ()


class _Timer(_Call):
    """A call that is due later; ordered by when."""

    __slots__ = ("number", "when")

    def __init__(self, when: float, number: int, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        super().__init__(callback, arguments)
        self.when = when
        self.number = number

    def __lt__(self, other: _Timer) -> bool:
        return (self.when, self.number) < (other.when, other.number)


class Reactor:
    """An EventLoop under whatever anyio runs on; `run` must run in a task. All methods belong to its thread.

    Args:
        on_error: is told what a callback raises; without it that ends `run`.
    """

    def __init__(self, on_error: Callable[[Exception], None] | None = None) -> None:
        self._on_error = on_error
        self._poller = make_poller()
        self._readers: dict[int, _Call] = {}
        self._writers: dict[int, _Call] = {}
        self._ready: deque[_Call] = deque()
        self._timers: list[_Timer] = []
        self._numbers = 0
        self._scope: anyio.CancelScope | None = None  # while it waits
        self.time = running_clock()

    async def run(self) -> None:
        """Call back until cancelled; then nothing is called any more, and the selector is closed."""
        trio = running_trio()
        wait: Callable[[Any], Awaitable[None]] = trio.lowlevel.wait_readable if trio else anyio.wait_readable
        fd = self._poller.fileno()
        try:
            while True:
                with anyio.CancelScope() as scope:  # is left for timers and for calls from outside alone
                    while True:
                        if self._ready:
                            await anyio.lowlevel.checkpoint()
                        else:
                            self._scope, scope.deadline = scope, self._deadline()
                            await wait(fd)
                            self._scope = None
                        self._call_back()
                self._scope = None
                self._call_back()
        finally:
            self._scope = None
            self._poller.close()

    def call_soon(self, callback: Callable[..., Any], *arguments: Any) -> _Call:
        """Call it next, never within this call."""
        call = _Call(callback, arguments)
        self._ready.append(call)
        if self._scope is not None:
            self._scope.cancel()
            self._scope = None
        return call

    def call_at(self, when: float, callback: Callable[..., Any], *arguments: Any) -> _Timer:
        """Call it once the time has come, never within this call."""
        self._numbers += 1
        timer = _Timer(when, self._numbers, callback, arguments)
        heapq.heappush(self._timers, timer)
        if self._scope is not None and when < self._scope.deadline:
            self._scope.deadline = when
        return timer

    def add_reader(self, fd: int, callback: Callable[..., Any], *arguments: Any) -> None:
        """Call it whenever the descriptor is readable, at its end, or broken."""
        self._add(self._readers, fd, _Call(callback, arguments))

    def remove_reader(self, fd: int) -> bool:
        """Forget the reader, if there is one."""
        return self._remove(self._readers, fd)

    def add_writer(self, fd: int, callback: Callable[..., Any], *arguments: Any) -> None:
        """Call it whenever the descriptor is writable, or broken."""
        self._add(self._writers, fd, _Call(callback, arguments))

    def remove_writer(self, fd: int) -> bool:
        """Forget the writer, if there is one."""
        return self._remove(self._writers, fd)

    def _add(self, calls: dict[int, _Call], fd: int, call: _Call) -> None:
        before = self._wanted(fd)
        calls[fd] = call
        wanted = self._wanted(fd)
        if not before:
            self._poller.register(fd, wanted)
        elif wanted != before:
            self._poller.modify(fd, wanted)

    def _remove(self, calls: dict[int, _Call], fd: int) -> bool:
        if calls.pop(fd, None) is None:
            return False
        if wanted := self._wanted(fd):
            self._poller.modify(fd, wanted)
        else:
            self._poller.unregister(fd)
        return True

    def _wanted(self, fd: int) -> int:
        return READABLE * (fd in self._readers) | WRITABLE * (fd in self._writers)

    def _deadline(self) -> float:
        timers = self._timers
        while timers and timers[0].callback is None:
            heapq.heappop(timers)
        return timers[0].when if timers else math.inf

    def _call_back(self) -> None:
        """One round: what is due or ready by now, not what that causes."""
        soon = len(self._ready)
        for fd, events in self._poller.poll():  # a callback may have removed those that follow
            if events & _NOT_WRITABLE and (call := self._readers.get(fd)) is not None:
                self._make(call)
            if events & _NOT_READABLE and (call := self._writers.get(fd)) is not None:
                self._make(call)
        if self._timers:
            now = self.time()
            while self._timers and self._timers[0].when <= now:
                self._make(heapq.heappop(self._timers))
        for _ in range(soon):
            self._make(self._ready.popleft())

    def _make(self, call: _Call) -> None:
        if call.callback is None:  # cancelled since it became ready
            return
        try:
            call.callback(*call.arguments)
        except Exception as error:
            if self._on_error is None:
                raise
            self._on_error(error)
