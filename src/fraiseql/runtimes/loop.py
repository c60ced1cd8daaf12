"""What the drivers need of an event loop and of a clock; asyncio's loops and our own reactor are such as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Clock", "EventLoop", "Timer"]


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Forget it; does nothing where it was made already."""


class Clock(Protocol):
    """By which all deadlines are kept; a test brings its own."""

    def time(self) -> float:
        """Seconds on a clock that never goes back."""

    def call_at(self, when: float, callback: Callable[..., Any], *arguments: Any) -> Timer:
        """Call it once the time has come, never within this call."""


class EventLoop(Clock, Protocol):
    """Calls back, one callback after the other, on one thread.

    A descriptor has one reader and one writer, called for as long as it is readable or writable; adding another one
    replaces it.
    """

    def call_soon(self, callback: Callable[..., Any], *arguments: Any) -> Any:
        """Call it next, never within this call."""

    def add_reader(self, fd: int, callback: Callable[..., Any], *arguments: Any) -> Any:
        """Call it whenever the descriptor is readable, at its end, or broken."""

    def remove_reader(self, fd: int) -> Any:
        """Forget the reader, if there is one."""

    def add_writer(self, fd: int, callback: Callable[..., Any], *arguments: Any) -> Any:
        """Call it whenever the descriptor is writable, or broken."""

    def remove_writer(self, fd: int) -> Any:
        """Forget the writer, if there is one."""
