"""Deadlines of tasks by a Clock, which in a test is no event loop's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from fraiseql.runtimes.loop import Clock

__all__ = ["move_on_after", "sleep"]


@contextmanager
def move_on_after(clock: Clock, seconds: float, *, shield: bool = False) -> Iterator[anyio.CancelScope]:
    """As anyio's own: cancel what is inside after so many seconds."""
    with anyio.CancelScope(shield=shield) as scope:
        if seconds <= 0:
            scope.cancel()
        timer = clock.call_at(clock.time() + seconds, scope.cancel)
        try:
            yield scope
        finally:
            timer.cancel()


async def sleep(clock: Clock, seconds: float) -> None:
    """Wait for so many seconds."""
    with move_on_after(clock, seconds):
        await anyio.sleep_forever()
