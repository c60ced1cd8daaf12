"""The streams that operations take part in: one run for all whose keys are equal, ended when the last has left."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import anyio
import anyio.lowlevel

from fraiseql.effects import Emission, Stream
from fraiseql.runtimes.anyio.background import Background
from fraiseql.runtimes.anyio.programs import Participant, Perform, Run, run_program

__all__ = ["Streams"]

_AT_ONCE = 200  # participants served before others on the event loop have their turn


class _Alone:
    """The audience of a stream with one participant: waits for it."""

    __slots__ = ("_is_state", "_participant")

    def __init__(self, participant: Participant, is_state: bool) -> None:
        self._participant = participant
        self._is_state = is_state

    async def emit(self, emission: Emission) -> None:
        await anyio.lowlevel.checkpoint()  # a generator that never waits must not stop everybody else
        await self._participant.room()
        self._participant.deliver(emission, self._is_state)


class _Shared:
    """A running stream and those who take part; it waits for none of them."""

    __slots__ = ("ended", "error", "last", "participants", "result", "scope", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.participants: dict[Participant, str | None] = {}  # and who that is
        self.last: Emission | None = None
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        self.result: Any = None
        self.error: Exception | None = None

    def add(self, participant: Participant, user: str | None) -> None:
        self.participants[participant] = user
        if self.stream.is_state and self.last is not None:
            participant.deliver(self.last, True)

    async def emit(self, emission: Emission) -> None:
        self.last = emission
        is_state = self.stream.is_state
        only = emission.user
        for number, (participant, user) in enumerate(tuple(self.participants.items()), 1):
            # It may have left while others had their turn.
            if participant in self.participants and (only is None or only == user):
                participant.deliver(emission, is_state)
            if number % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()


class Streams:
    """All streams of a server.

    Args:
        background: where shared streams run: they outlive whoever came first.

    Attributes:
        listening: how many sources are open.
    """

    def __init__(self, background: Background) -> None:
        self._background = background
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
            del shared.participants[participant]
            if not shared.participants and self._running.get(stream.key) is shared:
                del self._running[stream.key]
                shared.scope.cancel()
        if shared.error is not None:
            raise shared.error
        return shared.result

    async def _run(self, shared: _Shared, perform: Perform) -> None:
        try:
            with shared.scope:
                shared.result = await run_program(shared.stream.begin(), perform, Run(audience=shared))
        except Exception as error:
            shared.error = error
        finally:
            if self._running.get(shared.stream.key) is shared:
                del self._running[shared.stream.key]
            shared.ended.set()
