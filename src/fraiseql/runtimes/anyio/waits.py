"""Drives a conversation with PostgreSQL: waits for what it yields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

from fraiseql.postgres import Conversation, Ready, Wait
from fraiseql.postgres.errors import connection_lost
from fraiseql.runtimes.dispatching import too_late
from fraiseql.runtimes.loop import Clock, Timer

__all__ = ["drive", "in_time", "sleep", "within"]

_Result = TypeVar("_Result")


class within:
    """`anyio.move_on_after`, by the clock where there is one."""

    def __init__(self, clock: Clock | None, seconds: float, *, shield: bool = False) -> None:
        self._clock = clock
        self._seconds = seconds
        self._scope = anyio.CancelScope(shield=shield)
        self._timer: Timer | None = None

    def __enter__(self) -> None:
        self._scope.__enter__()
        if self._clock is None:
            self._scope.deadline = anyio.current_time() + self._seconds
        else:
            self._timer = self._clock.call_at(self._clock.time() + self._seconds, self._scope.cancel)

    def __exit__(self, *error: Any) -> bool:
        if self._timer is not None:
            self._timer.cancel()
        return bool(self._scope.__exit__(*error))


async def sleep(clock: Clock, seconds: float) -> None:
    """`anyio.sleep`, by the clock."""
    with within(clock, seconds):
        await anyio.sleep_forever()


async def in_time(clock: Clock, answer: Awaitable[_Result], timeout: float | None) -> _Result:
    """Wait for an answer; raises TookTooLong after so many seconds."""
    if timeout is None:
        return await answer
    with within(clock, timeout):
        return await answer
    raise too_late(timeout)


async def drive(conversation: Conversation[_Result]) -> _Result:
    """Run a conversation to its end and return its result; cancelled, it is closed where it stands.

    Raises:
        DatabaseError: what the conversation raises; 08006 where somebody closed the descriptor meanwhile.
    """
    try:
        fd, wait = next(conversation)
        while True:
            try:
                if wait == Wait.R:
                    await anyio.wait_readable(fd)
                    ready = Ready.R
                elif wait == Wait.W:
                    await anyio.wait_writable(fd)
                    ready = Ready.W
                else:
                    ready = await _either(fd)
            except (anyio.ClosedResourceError, OSError):
                # The conversation knows what that means for what it has sent.
                fd, wait = conversation.throw(connection_lost("it was closed on this side"))
            else:
                fd, wait = conversation.send(ready)
    except StopIteration as stop:
        result: _Result = stop.value
        return result
    except (anyio.ClosedResourceError, OSError):
        raise connection_lost("it was closed on this side") from None
    finally:
        conversation.close()


async def _either(fd: int) -> Ready:
    """Wait until it is readable or writable: PostgreSQL may talk before it has read all that is being sent."""
    found = 0
    error: Exception | None = None

    async def one(wait: Callable[[int], Awaitable[None]], ready: Ready) -> None:
        nonlocal found, error
        try:
            await wait(fd)
            found |= ready
        except (anyio.ClosedResourceError, OSError) as closed:  # kept out of an exception group
            error = closed
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(one, anyio.wait_readable, Ready.R)
        group.start_soon(one, anyio.wait_writable, Ready.W)
    if error is not None and not found:
        raise error
    return Ready(found)
