"""Streams of the simulation: where their values come from, and who takes part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any

from fraiseql.bus.fanout import Fanout, StreamState
from fraiseql.effects import Absent, Emission, EventSource, ResolverSource, Stream
from fraiseql.runtimes.operations import Participant
from fraiseql.testing.simulation.loop import SimulatedLoop
from fraiseql.testing.simulation.tasks import Task, Wait, sleep

__all__ = ["Alone", "Events", "Shared", "Values"]


class Events:
    """An opened event source."""

    def __init__(self, loop: SimulatedLoop, source: EventSource, fanout: Fanout, max_buffered: int) -> None:
        self._loop = loop
        self._fanout = fanout
        self.wait: Wait | None = None
        self.state = StreamState(source, max_buffered, self._wake)
        fanout.add(self.state)

    async def next(self, timeout: float | None) -> Any:
        await sleep(self._loop, 0.0)
        timer = None
        try:
            while (item := self.state.take()) is None:
                self.wait = Wait()
                if timeout is not None and timer is None:
                    timer = self._loop.call_later(timeout, lambda: self._wake(Absent.TIMED_OUT))
                if (told := await self.wait) is not None:
                    return self.state.take() or told
            return item
        finally:
            self.wait = None
            if timer is not None:
                timer.cancel()

    def _wake(self, told: Absent | None = None) -> None:
        if self.wait is not None:
            self.wait.set(told)

    def newcomer(self) -> None:
        """Somebody takes part."""
        self._wake(Absent.JOINED)

    def close(self) -> None:
        self._fanout.remove(self.state)
        self.state.close()


class Values:
    """A user's generator that waits for nothing."""

    def __init__(self, source: ResolverSource) -> None:
        self._generator = source.function(**source.arguments)

    async def next(self, timeout: float | None) -> Any:
        if isinstance(self._generator, Generator):
            return next(self._generator, Absent.ENDED)
        try:
            return await self._generator.__anext__()
        except StopAsyncIteration:
            return Absent.ENDED

    def newcomer(self) -> None:
        """It is never shared."""

    def close(self) -> None:
        if isinstance(self._generator, Generator):
            self._generator.close()
            return
        closing = self._generator.aclose()
        try:
            closing.send(None)
        except StopIteration:
            return


class Alone:
    """The audience of a stream with one participant: waits for it."""

    def __init__(
        self,
        loop: SimulatedLoop,
        participant: Participant,
        is_state: bool,
        room: Callable[[Participant], Awaitable[None]],
    ) -> None:
        self._loop, self._participant, self._is_state, self._room = loop, participant, is_state, room

    async def next(self, handle: Events | Values, timeout: float | None) -> Any:
        await self._room(self._participant)
        return await handle.next(timeout)

    async def emit(self, emission: Emission, to_newcomers: bool) -> None:
        if to_newcomers:
            return
        await sleep(self._loop, 0.0)
        await self._room(self._participant)
        self._participant.deliver(emission, self._is_state)


class Shared:
    """A running stream, and those who take part."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.participants: dict[Participant, Wait] = {}
        self._newcomers: dict[Participant, None] = {}
        self._handle: Events | Values | None = None
        self.task: Task | None = None

    def add(self, participant: Participant) -> Wait:
        wait = self.participants[participant] = Wait()
        if self.stream.is_state:
            self._newcomers[participant] = None
            if self._handle is not None:
                self._handle.newcomer()
        return wait

    def remove(self, participant: Participant) -> None:
        del self.participants[participant]
        self._newcomers.pop(participant, None)

    def ended(self, result: Any, error: Exception | None) -> None:
        for wait in list(self.participants.values()):
            wait.set(result, error)

    async def next(self, handle: Events | Values, timeout: float | None) -> Any:
        if self._newcomers:
            return Absent.JOINED
        self._handle = handle
        try:
            return await handle.next(timeout)
        finally:
            self._handle = None

    async def emit(self, emission: Emission, to_newcomers: bool) -> None:
        audience = list(self._newcomers if to_newcomers else self.participants)
        self._newcomers.clear()
        for participant in audience:
            if participant in self.participants:
                participant.deliver(emission, self.stream.is_state)
