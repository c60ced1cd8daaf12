"""What the drivers of operations share: the places for their statements, their part in streams, the next effect."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import anyio

from fraiseql.effects import Effect, Emission

__all__ = ["Gate", "Participant", "Signal", "next_effect", "unwelcome", "welcome"]


class Gate:
    """Bounds how many statements and transactions run at once for whoever it belongs to; first come, first served.

    Args:
        places: how many.

    Attributes:
        pinned: whether it has written, and is to see that: its statements go to the primary.
    """

    __slots__ = ("_free", "_waiting", "pinned")

    def __init__(self, places: int) -> None:
        self._free = places
        self.pinned = False
        self._waiting: deque[anyio.Event] | None = None  # made by the first who waits: most gates see none

    @property
    def free(self) -> int:
        """How many are free."""
        return self._free

    def try_enter(self) -> bool:
        """Take a place, where one is free and nobody waits."""
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    async def enter(self) -> None:
        """Wait for a place and take it."""
        if self.try_enter():
            return
        if self._waiting is None:
            self._waiting = deque()
        mine = anyio.Event()
        self._waiting.append(mine)
        try:
            await mine.wait()
        except BaseException:
            if mine.is_set():  # given the place and cancelled in one step of the event loop
                self.leave()
            else:
                self._waiting.remove(mine)
            raise

    def leave(self) -> None:
        """Give the place back, or to who waits for it."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()


class Signal(Protocol):
    """Something that one task waits for: see anyio.Event."""

    def set(self) -> object: ...

    async def wait(self) -> None: ...


class Participant(ABC):
    """An operation that takes part in a stream.

    Attributes:
        when_resumed: called when it goes on.
    """

    __slots__ = ("_room", "when_resumed")

    def __init__(self) -> None:
        self._room: Signal | None = None  # while it is paused
        self.when_resumed: Callable[[], None] | None = None

    @abstractmethod
    def joined(self) -> None:
        """It takes part in a stream from now on; raises nothing."""

    @abstractmethod
    def deliver(self, emission: Emission, is_state: bool) -> None:
        """Take an emission; never waits, and raises nothing."""

    def make_signal(self) -> Signal:
        """What `room` waits for."""
        return anyio.Event()

    @property
    def is_paused(self) -> bool:
        """Whether `room` waits."""
        return self._room is not None

    def pause(self) -> None:
        """Let `room` wait."""
        if self._room is None:
            self._room = self.make_signal()

    def resume(self) -> None:
        """Let it go on."""
        if self._room is not None:
            self._room.set()
            self._room = None
            if self.when_resumed is not None:
                self.when_resumed()

    async def room(self) -> None:
        """Wait while paused."""
        while self._room is not None:
            await self._room.wait()


def next_effect(step: Callable[[], Effect]) -> Effect:
    """What a program wants next; a user's code in it, say of a scalar, raises nothing but an Exception."""
    try:
        return step()
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise welcome(error) from error


def welcome(error: BaseException) -> Exception:
    """An error of a program that runs a user's code: itself, or what stands for one that is no Exception."""
    return error if isinstance(error, Exception) else unwelcome(error)


def unwelcome(error: BaseException) -> RuntimeError:
    """What stands for an error of a user's code that is no Exception."""
    return RuntimeError(f"a user's function ended with {error!r}")
