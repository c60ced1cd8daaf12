"""The streams of a running bus: what waits for events."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

from fraiseql.bus.driver import EventStream
from fraiseql.bus.fanout import Fanout, StreamState
from fraiseql.effects import Absent, Event, EventSource

__all__ = ["EventSubscription", "RunningStream"]


class RunningStream:
    """A stream of a bus.

    Args:
        source: what it wants.
        fanout: who gives it events.
        max_buffered: how many of them wait for it.
        catch_up: reads for it where it is behind the others.
    """

    def __init__(
        self,
        source: EventSource,
        fanout: Fanout,
        max_buffered: int,
        catch_up: Callable[[StreamState], Awaitable[list[Event]]] | None = None,
    ) -> None:
        self.state = StreamState(source, max_buffered, self._wake)
        self._fanout = fanout
        self._catch_up = catch_up
        self._news: anyio.Event | None = None
        fanout.add(self.state)

    async def next(self, timeout: float | None = None) -> list[Event] | Absent:
        """Wait for events; see EventStream."""
        deadline = None if timeout is None else anyio.current_time() + timeout
        await anyio.lowlevel.checkpoint()  # before anything is taken, so that a cancellation loses nothing
        while True:
            if self.state.must_read and self._catch_up is not None:
                events = await self._catch_up(self.state)
                if events:
                    return events
            item = self.state.take()
            if item is not None:
                return item
            if not self.state.must_read:
                await self.wait(deadline)
            if deadline is not None and anyio.current_time() >= deadline:
                return self.state.take() or Absent.TIMED_OUT

    async def wait(self, deadline: float | None = None) -> None:
        """Wait until something has changed, or until the deadline."""
        self._news = news = anyio.Event()
        if deadline is None:
            await news.wait()
            return
        with anyio.CancelScope(deadline=deadline):
            await news.wait()

    def close(self) -> None:
        """Let go of it."""
        self._fanout.remove(self.state)
        self.state.close()

    async def aclose(self) -> None:
        """Let go of it."""
        self.close()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()


class EventSubscription:
    """The events of a source one by one; see `Bus.subscribe`."""

    def __init__(self, source: EventSource, open: Callable[[EventSource], Awaitable[EventStream]]) -> None:
        self._source = source
        self._open = open
        self._stream: EventStream | None = None
        self._events: deque[Event] = deque()

    async def __aenter__(self) -> EventSubscription:
        if self._stream is None:
            self._stream = await self._open(self._source)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    def __aiter__(self) -> EventSubscription:
        return self

    async def __anext__(self) -> Event:
        if self._stream is None:
            self._stream = await self._open(self._source)
        if not self._events:
            item = await self._stream.next(None)
            if isinstance(item, Absent):
                raise StopAsyncIteration
            self._events.extend(item)
        return self._events.popleft()

    async def aclose(self) -> None:
        """Close it."""
        self._events.clear()
        if self._stream is not None:
            self._stream.close()

    def __del__(self) -> None:
        # A loop that is left by `break`, or by the end of a generator around it, closes nothing by itself.
        if self._stream is not None:
            self._stream.close()
