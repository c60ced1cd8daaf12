"""An event loop of callbacks within an event loop of tasks: one task waits for all descriptors and timers at once.

A selector of its own (epoll, kqueue) watches the descriptors. Its own descriptor is readable as soon as one of them is
ready: the task waits for that alone, so that a callback costs no task, and a descriptor that stays watched no system
call.
"""

from __future__ import annotations

import heapq
import selectors
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel

from fraiseql.runtimes.anyio.background import running_clock, running_trio

__all__ = ["Reactor"]

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


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
        self._selector = selectors.DefaultSelector()
        self._ready: deque[_Call] = deque()
        self._timers: list[_Timer] = []
        self._numbers = 0
        self._scope: anyio.CancelScope | None = None  # while it waits
        self.time = running_clock()

    async def run(self) -> None:
        """Call back until cancelled; then nothing is called any more, and the selector is closed."""
        trio = running_trio()
        wait: Callable[[Any], Awaitable[None]] = trio.lowlevel.wait_readable if trio else anyio.wait_readable
        fd = self._selector.fileno()
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
            self._selector.close()

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
        self._add(fd, _READ, _Call(callback, arguments))

    def remove_reader(self, fd: int) -> bool:
        """Forget the reader, if there is one."""
        return self._remove(fd, _READ)

    def add_writer(self, fd: int, callback: Callable[..., Any], *arguments: Any) -> None:
        """Call it whenever the descriptor is writable, or broken."""
        self._add(fd, _WRITE, _Call(callback, arguments))

    def remove_writer(self, fd: int) -> bool:
        """Forget the writer, if there is one."""
        return self._remove(fd, _WRITE)

    def _add(self, fd: int, event: int, call: _Call) -> None:
        key = self._selector.get_map().get(fd)
        if key is None:
            self._selector.register(fd, event, {event: call})
        else:
            if (replaced := key.data.get(event)) is not None:
                replaced.cancel()
            key.data[event] = call
            if not key.events & event:
                self._selector.modify(fd, key.events | event, key.data)

    def _remove(self, fd: int, event: int) -> bool:
        key = self._selector.get_map().get(fd)
        if key is None or not key.events & event:
            return False
        key.data.pop(event).cancel()
        if key.data:
            self._selector.modify(fd, key.events & ~event, key.data)
        else:
            self._selector.unregister(fd)
        return True

    def _deadline(self) -> float:
        timers = self._timers
        while timers and timers[0].callback is None:
            heapq.heappop(timers)
        return timers[0].when if timers else float("inf")

    def _call_back(self) -> None:
        """One round: what is due or ready by now, not what that causes."""
        ready = self._ready
        for key, events in self._selector.select(0):
            data = key.data
            if events & _READ and (call := data.get(_READ)) is not None:
                ready.append(call)
            if events & _WRITE and (call := data.get(_WRITE)) is not None:
                ready.append(call)
        if self._timers:
            now = self.time()
            while self._timers and self._timers[0].when <= now:
                timer = heapq.heappop(self._timers)
                ready.append(timer)
        for _ in range(len(ready)):
            call = ready.popleft()
            if call.callback is None:  # cancelled since it became ready
                continue
            try:
                call.callback(*call.arguments)
            except Exception as error:
                if self._on_error is None:
                    raise
                self._on_error(error)
