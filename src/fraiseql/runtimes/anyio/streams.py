"""The streams that operations take part in: one run for all whose keys are equal, ended when the last has left."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import anyio
import anyio.lowlevel

from fraiseql.effects import Absent, Emission, Stream
from fraiseql.runtimes.anyio.background import Background
from fraiseql.runtimes.anyio.programs import Handle, Perform, Run, run_program
from fraiseql.runtimes.operations import Gate, Participant

__all__ = ["Streams"]

_AT_ONCE = 200  # participants served before others on the event loop have their turn


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

    __slots__ = ("_awake", "_newcomers", "_waiting", "ended", "error", "participants", "result", "scope", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.participants: dict[Participant, str | None] = {}  # and who that is
        self._newcomers: set[Participant] = set()
        self._awake: anyio.Event | None = None  # while all are paused
        self._waiting: anyio.CancelScope | None = None  # of a program that shall hear of newcomers
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        self.result: Any = None
        self.error: Exception | None = None

    def add(self, participant: Participant, user: str | None) -> None:
        self.participants[participant] = user
        participant.when_resumed = self._wake
        self._wake()
        if self.stream.is_state:
            self._newcomers.add(participant)
            if self._waiting is not None:
                self._waiting.cancel()

    def remove(self, participant: Participant) -> None:
        del self.participants[participant]
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
            if participant in self.participants and (only is None or only == self.participants[participant]):
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
        shared = self._running.get(stream.key)
        if shared is None:
            shared = self._running[stream.key] = _Shared(stream)
            self._background.start_soon(self._run, shared, perform, name="fraiseql stream")
        shared.add(participant, user)
        try:
            await shared.ended.wait()
        finally:
            shared.remove(participant)
            if not shared.participants and self._running.get(stream.key) is shared:
                del self._running[stream.key]
                shared.scope.cancel()
        if shared.error is not None:
            raise shared.error
        return shared.result

    async def _run(self, shared: _Shared, perform: Perform) -> None:
        async def forget() -> None:
            """Nobody joins a stream whose program has ended, however long its finalisers take."""
            if self._running.get(shared.stream.key) is shared:
                del self._running[shared.stream.key]

        run = Run(audience=shared, gate=self._gate)
        run.finalisers.append(forget)
        try:
            with shared.scope:
                shared.result = await run_program(shared.stream.begin(), perform, run)
        except Exception as error:
            shared.error = error
        finally:
            await forget()
            shared.ended.set()
