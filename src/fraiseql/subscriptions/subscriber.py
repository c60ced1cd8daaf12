"""One subscription: what waits for it, and what happens when that becomes too much."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto

from fraiseql.errors import RequestError
from fraiseql.pipeline import Outcome, refuse

__all__ = ["OverflowPolicy", "Subscriber"]


class OverflowPolicy(Enum):
    """What becomes of results that nobody takes."""

    DISCONNECT = auto()
    """All of them wait; one more than `max_queued` ends the subscription, with an error that says where to resume."""
    COALESCE = auto()
    """A result replaces the one that waits: for results that are a state, of which only the latest counts."""


class Subscriber:
    """One subscription.

    Attributes:
        id: what its manager calls it.
        user_id: the only user whose own events it sees.
        on_event: is called with the id after a result was given.
        is_active: whether it goes on.
        replaced: results that a later one has replaced.
    """

    __slots__ = ("_cursor", "_max_queued", "_waiting", "id", "is_active", "on_event", "policy", "replaced", "user_id")

    def __init__(
        self,
        id: str,
        user_id: str | None,
        on_event: Callable[[str], None] | None,
        policy: OverflowPolicy,
        max_queued: int,
    ) -> None:
        self.id = id
        self.user_id = user_id
        self.on_event = on_event
        self.policy = policy
        self.is_active = True
        self.replaced = 0
        self._max_queued = max_queued
        self._waiting: deque[bytes] = deque()
        self._cursor: str | None = None

    def give(self, body: bytes, cursor: str | None) -> bool:
        """Queue a result; False where there was no room for it: what waits is followed by the error, then."""
        waiting = self._waiting
        if waiting and self.policy is OverflowPolicy.COALESCE:
            waiting[0] = body
            self.replaced += 1
        elif len(waiting) >= self._max_queued:
            waiting.append(self._too_slow())
            return False
        else:
            waiting.append(body)
        if cursor is not None:
            self._cursor = cursor
        return True

    def take(self) -> bytes | None:
        """The next result, or None."""
        return self._waiting.popleft() if self._waiting else None

    def _too_slow(self) -> bytes:
        text = "The results were not taken in time; "
        if self._cursor is None:
            error = RequestError(text + "some of them were not sent.", code="SLOW_CONSUMER")
        else:
            extensions = {"cursor": self._cursor}
            text += "what came after the cursor was not sent."
            error = RequestError(text, code="SLOW_CONSUMER", extensions=extensions)
        return refuse(Outcome.STREAM_FAILED, [error]).body
