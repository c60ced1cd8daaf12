"""The policy of the one reader that a process has: when to connect, read, wait, tell the streams, and give up.

`step` says what to do now; what came of it is told to `connected`, `placed`, `read` or `failed`, then `step` is asked
again. The position is kept over a lost connection, so that reading goes on behind the last event that was handed out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fraiseql.bus.cursors import Cursor, expired
from fraiseql.bus.fanout import Fanout
from fraiseql.bus.statements import Page
from fraiseql.errors import DatabaseError
from fraiseql.limits import SubscriptionLimits
from fraiseql.observations import EventsDelayed, Observer

__all__ = ["Connect", "Disconnect", "OutboxReader", "Place", "Read", "Step", "Wait"]

_BACKOFF_INITIAL = 0.1  # seconds between failed attempts, doubled each time ...
_BACKOFF_MAX = 2.0  # ... up to this
_PENDING_INITIAL = 0.02  # seconds between reads while older transactions hold events back, doubled each time ...
_PENDING_MAX = 0.5  # ... up to this
_DELAY_NOTICED = 10.0  # seconds that events are held back before it is told
_IDLE = 60.0  # seconds without streams before the connection is given back


@dataclass(frozen=True, slots=True)
class Connect:
    """Make a connection and LISTEN on it; answered by `connected` or `failed`."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection: nobody listens; there is no answer."""


@dataclass(frozen=True, slots=True)
class Place:
    """Find where to begin; answered by `placed` or `failed`."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read behind this place; answered by `read` or `failed`.

    Attributes:
        position: the place.
        topics: events of these only; None for all.
    """

    position: Cursor
    topics: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until this time, None for no end, or until a notification or a new stream comes, which needs `notified`."""

    until: float | None


Step: TypeAlias = Connect | Disconnect | Place | Read | Wait


class OutboxReader:
    """Reads the outbox for all streams.

    Args:
        fanout: whom to hand the events to.
        limits: see SubscriptionLimits.
        observe: is told where events are held back for long.
    """

    def __init__(self, fanout: Fanout, limits: SubscriptionLimits, observe: Observer) -> None:
        self._fanout = fanout
        self._limits = limits
        self._observe = observe
        self._is_connected = False
        self._read_at = 0.0
        self._topics: frozenset[str] | None = None  # that the last Read has asked for
        self._delay = 0.0  # between reads while events are pending
        self._pending_since: float | None = None
        self._delay_told = False
        self._idle_since: float | None = None
        self._failures = 0
        self._failing_since: float | None = None
        self._retry_at = 0.0

    @property
    def retry_at(self) -> float:
        """After a failure: when the next attempt begins."""
        return self._retry_at

    def step(self, now: float) -> Step:
        """What to do now."""
        if len(self._fanout):
            self._idle_since = None
        elif not self._is_connected:
            self._failing_since = None  # a new stream has all the time again
            return Wait(None)
        elif self._idle_since is None:
            self._idle_since = now
        elif now >= self._idle_since + _IDLE:
            self._is_connected, self._idle_since, self._fanout.position = False, None, None
            return Disconnect()
        if not self._is_connected:
            return Connect() if now >= self._retry_at else Wait(self._retry_at)
        if self._fanout.position is None:
            return Place()
        if now < self._read_at:
            return Wait(self._read_at)
        self._topics = self._fanout.topics
        return Read(self._fanout.position, self._topics)

    def connected(self) -> None:
        """`Connect` is done. What was committed before is read, and for what comes later there is a notification."""
        self._is_connected = True
        self._read_at = 0.0

    def placed(self, position: Cursor) -> None:
        """`Place` is done."""
        self._recovered()
        self._fanout.place(position)
        self._read_at = 0.0

    def notified(self) -> None:
        """There may be something to read."""
        self._read_at = 0.0

    def read(self, page: Page, now: float) -> None:
        """`Read` is done; hands out what it found."""
        self._recovered()
        if page.expired:
            self._fanout.fail(expired())
            self._read_at = 0.0
            return
        self._fanout.deliver(page.entries, page.position, self._topics)
        self._note_pending(page, now)
        if page.more:
            self._read_at = 0.0
        elif page.pending:
            self._delay = min(self._delay * 2 or _PENDING_INITIAL, _PENDING_MAX)
            self._read_at = now + min(self._delay, self._limits.outbox_poll)
        else:
            self._read_at = now + self._limits.outbox_poll

    def failed(self, error: DatabaseError, now: float) -> None:
        """A step failed, or the connection broke while waiting: it is closed, and the next attempt is due later.

        The streams are told where no other attempt can help, or where the outage lasts too long.
        """
        self._is_connected = False
        if self._failing_since is None:
            self._failing_since = now
        self._retry_at = now + min(_BACKOFF_INITIAL * 2.0 ** min(self._failures, 32), _BACKOFF_MAX)
        self._failures += 1
        if not error.retryable or now - self._failing_since >= self._limits.recovery_timeout:
            self._fanout.fail(error)
        elif not len(self._fanout):
            self._fanout.position = None

    def _recovered(self) -> None:
        self._failures, self._failing_since, self._retry_at = 0, None, 0.0

    def _note_pending(self, page: Page, now: float) -> None:
        if page.entries or not page.pending:
            self._delay, self._pending_since, self._delay_told = 0.0, None, False
        if not page.pending:
            return
        if self._pending_since is None:
            self._pending_since = now
        elif not self._delay_told and now - self._pending_since >= _DELAY_NOTICED:
            self._delay_told = True
            self._observe(EventsDelayed(now - self._pending_since))
