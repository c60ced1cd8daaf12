"""The results of one stream on their way to a client that may not read them as fast as they come."""

from __future__ import annotations

from collections import deque

from fraiseql.effects import Emission
from fraiseql.errors import RequestError
from fraiseql.pipeline import GraphQLResponse, Outcome, refuse

__all__ = ["Delivery", "Unread"]


class Unread:
    """The bytes that are kept for one connection, whichever operation they are of."""

    __slots__ = ("_left", "_max")

    def __init__(self, max_bytes: int) -> None:
        self._left = self._max = max_bytes

    @property
    def size(self) -> int:
        """How many there are."""
        return self._max - self._left

    def add(self, size: int) -> bool:
        """Keep so many more; False where there is no room for them."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def remove(self, size: int) -> None:
        """They are sent, or forgotten."""
        self._left += size


class Delivery:
    """Keeps results while the client does not read.

    A state (the result of a live query) replaces the one before. Of anything else nothing is dropped: when there is no
    more room, the stream ends with an error that says where to resume.

    Args:
        limit: how many results are kept.
        unread: bounds their bytes, together with those of the connection's other operations.

    Attributes:
        cursor: the place behind the last result that was sent.
    """

    __slots__ = ("_kept", "_limit", "_paused", "_unread", "cursor")

    def __init__(self, limit: int, unread: Unread) -> None:
        self._limit = limit
        self._unread = unread
        self._kept: deque[Emission] | None = None  # made by the first: most clients read
        self._paused = False  # its stream was told to wait
        self.cursor: str | None = None

    def keep(self, emission: Emission, is_state: bool) -> bool:
        """Keep a result for later; False where there is no room for it."""
        if is_state:
            self.forget()
        if self._kept is None:
            self._kept = deque()
        if len(self._kept) >= self._limit or not self._unread.add(len(emission.body)):
            return False
        self._kept.append(emission)
        return True

    def forget(self) -> None:
        """Keep nothing any more."""
        if self._kept:
            self._unread.remove(sum(len(emission.body) for emission in self._kept))
            self._kept = None

    def must_pause(self) -> bool:
        """Whether the stream shall be told to wait, now that something is kept: only once."""
        paused, self._paused = self._paused, True
        return not paused

    def may_resume(self) -> bool:
        """Whether the stream was told to wait, and shall go on now."""
        paused, self._paused = self._paused, False
        return paused

    def sent(self, emission: Emission) -> bytes:
        """Note that a result is being sent, and give its body."""
        if emission.cursor is not None:
            self.cursor = emission.cursor
        return emission.body

    def take(self) -> Emission | None:
        """The next result to send, if one is kept."""
        if not self._kept:
            return None
        emission = self._kept.popleft()
        self._unread.remove(len(emission.body))
        return emission

    def too_slow(self) -> GraphQLResponse:
        """Forget what is kept, and say so."""
        self.forget()
        hint = {} if self.cursor is None else {"cursor": self.cursor}
        message = "The client did not read its results in time; what came after the cursor was not sent."
        if self.cursor is None:
            message = "The client did not read its results in time; some of them were not sent."
        error = RequestError(message, code="SLOW_CONSUMER", extensions=hint)
        return refuse(Outcome.STREAM_FAILED, [error])
