"""Drives a conversation with PostgreSQL: waits for what it yields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from fraiseql.errors import DatabaseError
from fraiseql.postgres import Conversation, Ready, Wait
from fraiseql.postgres.errors import connection_lost

__all__ = ["TookTooLong", "drive", "in_time"]

_Result = TypeVar("_Result")


class TookTooLong(DatabaseError):
    """The answer did not come in time: the statement waits for a lock, or nobody answers any more."""


async def in_time(answer: Awaitable[_Result], timeout: float | None) -> _Result:
    """Wait for an answer; raises TookTooLong after so many seconds."""
    if timeout is None:
        return await answer
    with anyio.move_on_after(timeout):
        return await answer
    raise TookTooLong(f"the database did not answer within {timeout:g} s", sqlstate="08006", retryable=True)


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
