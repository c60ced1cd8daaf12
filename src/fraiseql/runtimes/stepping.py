"""Drives a conversation with PostgreSQL by callbacks of an event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fraiseql.postgres import Conversation, Ready, Wait
from fraiseql.runtimes.loop import EventLoop

__all__ = ["Stepping"]


class Stepping:
    """A conversation over descriptors that may come and go, as when connecting or cancelling.

    Nothing else may watch them meanwhile.

    Args:
        loop: calls back.
        conversation: what to drive.
        told: is given the result or the error; perhaps within `start`.
    """

    __slots__ = ("_conversation", "_fd", "_loop", "_told")

    def __init__(
        self, loop: EventLoop, conversation: Conversation[Any], told: Callable[[Any, Exception | None], None]
    ) -> None:
        self._loop = loop
        self._conversation = conversation
        self._told = told
        self._fd = -1

    def start(self) -> None:
        """Take the first step."""
        self._step(None)

    def stop(self) -> None:
        """Close the conversation where it stands; nobody is told."""
        self._unwatch()
        self._conversation.close()

    def _step(self, ready: Ready | None) -> None:
        self._unwatch()  # before the step, which may close the descriptor
        try:
            fd, wait = next(self._conversation) if ready is None else self._conversation.send(ready)
        except StopIteration as stop:
            self._told(stop.value, None)
        except Exception as error:
            self._told(None, error)
        else:
            self._fd = fd
            if wait & Wait.R:
                self._loop.add_reader(fd, self._step, Ready.R)
            if wait & Wait.W:
                self._loop.add_writer(fd, self._step, Ready.W)

    def _unwatch(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd = -1
