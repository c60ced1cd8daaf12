"""The streams that operations take part in: one run for all whose keys are equal, ended when the last has left."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeAlias

import anyio
import anyio.lowlevel

from fraiseql.effects import Absent, Emission, Stream
from fraiseql.runtimes.anyio.background import Background
from fraiseql.runtimes.anyio.programs import Handle, Perform, Run, run_program
from fraiseql.runtimes.operations import Gate, Participant

__all__ = ["Streams"]

_AT_ONCE: Final = 200  # participants served before others on the event loop have their turn

_Done: TypeAlias = Callable[[Any, Exception | None], None]
"""Told a stream's result, or its error."""


class _Alone:
    """The audience of a stream with one participant: waits for it."""

    __slots__ = ("_is_state", "_participant")

    def __init__(self, participant: Participant, is_state: bool) -> None:
        self._participant = participant
        self._is_state = is_state

    async def next(self, handle: Handle, timeout: float | None) -> Any:
        await self._participant.room()
        return await handle.next(timeout)

    async def emit(self, emission: Emission, *, to_newcomers: bool) -> None:
        if to_newcomers:  # a state that it has been given
            return
        await anyio.lowlevel.checkpoint()  # a generator that never waits must not stop everybody else
        await self._participant.room()
        self._participant.deliver(emission, self._is_state)


class _Shared:
    """A running stream and those who take part; it waits for none of them, unless they all are paused."""

    __slots__ = ("_awake", "_is_cancelled", "_newcomers", "_scope", "_waiting", "participants", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.participants: dict[Participant, Part] = {}
        self._newcomers: set[Participant] = set()
        self._awake: anyio.Event | None = None  # while all are paused
        self._waiting: anyio.CancelScope | None = None  # of a program that shall hear of newcomers
        self._scope: anyio.CancelScope | None = None  # from its task's first step on: callbacks cannot make one
        self._is_cancelled = False

    async def run(self, perform: Perform, run: Run) -> Any:
        """Run its program; does nothing where it was cancelled before."""
        if self._is_cancelled:
            return None
        with anyio.CancelScope() as self._scope:
            return await run_program(self.stream.begin(), perform, run)
        return None

    def cancel(self) -> None:
        """End it."""
        self._is_cancelled = True
        if self._scope is not None:
            self._scope.cancel()

    def add(self, part: Part) -> None:
        participant = part.participant
        self.participants[participant] = part
        participant.when_resumed = self._wake
        self._wake()
        if self.stream.is_state:
            self._newcomers.add(participant)
            if self._waiting is not None:
                self._waiting.cancel()

    def remove(self, participant: Participant) -> None:
        self.participants.pop(participant, None)  # none where the stream has ended
        self._newcomers.discard(participant)

    def _wake(self) -> None:
        if self._awake is not None:
            self._awake.set()

    async def emit(self, emission: Emission, *, to_newcomers: bool) -> None:
        is_state = self.stream.is_state
        audience = tuple(self._newcomers if to_newcomers else self.participants)
        self._newcomers.clear()
        only = emission.user
        for number, participant in enumerate(audience, 1):
            # It may have left while others had their turn.
            if participant in self.participants and (only is None or only == self.participants[participant].user):
                participant.deliver(emission, is_state)
            if number % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()

    async def next(self, handle: Handle, timeout: float | None) -> Any:
        while self.participants and all(participant.is_paused for participant in self.participants):
            self._awake = anyio.Event()  # nobody reads: what another statement gives would only be kept
            await self._awake.wait()
        self._awake = None
        if self._newcomers:
            return Absent.JOINED
        with anyio.CancelScope() as self._waiting:
            try:
                return await handle.next(timeout)
            finally:
                self._waiting = None
        return Absent.JOINED  # cancelled by one; an item that had come would have been returned

    async def end(self, result: Any, error: Exception | None) -> None:
        with anyio.CancelScope(shield=True):
            for number, participant in enumerate(tuple(self.participants), 1):
                # It may have left while others had their turn.
                if (part := self.participants.pop(participant, None)) is not None:
                    part.done(result, error)
                if number % _AT_ONCE == 0:
                    await anyio.lowlevel.checkpoint()


class Part:
    """A participant's part in a shared stream: no task, until somebody is told of its end."""

    __slots__ = ("_shared", "_streams", "done", "participant", "user")

    def __init__(
        self, streams: Streams, shared: _Shared, participant: Participant, user: str | None, done: _Done
    ) -> None:
        self._streams = streams
        self._shared = shared
        self.participant = participant
        self.user = user
        self.done = done

    def abandon(self) -> None:
        """Leave; nothing is delivered any more, and nobody is told of the end."""
        self._shared.remove(self.participant)
        self._streams.left(self._shared)


class Streams:
    """All streams of a server.

    Args:
        background: where shared streams run: they outlive whoever came first.
        max_statements: that all shared streams may run at once; the other connections to the database are for requests.

    Attributes:
        listening: how many sources are open.
    """

    def __init__(self, background: Background, max_statements: int) -> None:
        self._background = background
        self._gate = Gate(max_statements)
        self._running: dict[Hashable, _Shared] = {}
        self.listening = 0

    @property
    def shared(self) -> int:
        """How many shared streams run."""
        return len(self._running)

    async def join(self, stream: Stream, participant: Participant, user: str | None, perform: Perform) -> Any:
        """Take part as a user until the stream ends, and return what its program returns.

        Cancelled, the participant leaves; nothing is delivered to it any more.
        """
        if stream.key is None:
            return await run_program(stream.begin(), perform, Run(audience=_Alone(participant, stream.is_state)))
        outcome: list[tuple[Any, Exception | None]] = []
        ended = anyio.Event()

        def done(result: Any, error: Exception | None) -> None:
            outcome.append((result, error))
            ended.set()

        part = self.take_part(stream, participant, user, perform, done)
        try:
            await ended.wait()
        finally:
            part.abandon()
        result, error = outcome[0]
        if error is not None:
            raise error
        return result

    def take_part(
        self, stream: Stream, participant: Participant, user: str | None, perform: Perform, done: _Done
    ) -> Part:
        """Take part in a stream that has a key, without a task.

        Args:
            done: called later, with what the stream's program returns or raises; not after `abandon`.
        """
        shared = self._running.get(stream.key)
        if shared is None:
            shared = self._running[stream.key] = _Shared(stream)
            self._background.start_soon(self._run, shared, perform, name="fraiseql stream")
        part = Part(self, shared, participant, user, done)
        shared.add(part)
        return part

    def left(self, shared: _Shared) -> None:
        """Somebody has left; a stream without anybody ends."""
        if not shared.participants and self._forget(shared):
            shared.cancel()

    def _forget(self, shared: _Shared) -> bool:
        """Let nobody join it any more; gives whether somebody could."""
        if self._running.get(shared.stream.key) is not shared:
            return False
        del self._running[shared.stream.key]
        return True

    async def _run(self, shared: _Shared, perform: Perform) -> None:
        async def forget() -> None:
            """Nobody joins a stream whose program has ended, however long its finalisers take."""
            self._forget(shared)

        run = Run(audience=shared, gate=self._gate)
        run.finalisers.append(forget)
        result: Any = None
        failure: Exception | None = RuntimeError("the server stopped")
        try:
            result = await shared.run(perform, run)
            failure = None
        except Exception as error:
            failure = error
        finally:
            self._forget(shared)
            await shared.end(result, failure)
