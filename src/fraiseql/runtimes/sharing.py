"""Gathers statements that only read, so that those of one moment share a connection's round trip.

A statement that comes while others run is kept until the event loop has called all that is ready. What was gathered
then asks the pool for as many connections as its estimated costs need; each takes as many statements as may go
together. While all connections are busy more gather, so that the busier it is, the more is shared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from fraiseql.effects import Fetch
from fraiseql.errors import DatabaseError
from fraiseql.postgres import pool_events
from fraiseql.postgres.costs import Costs
from fraiseql.runtimes.loop import EventLoop

__all__ = ["Sharing", "Trip", "may_share"]


def may_share(fetch: Fetch) -> bool:
    """Whether it may run in company: it only reads, nothing is told before it, and it may take as long as it takes."""
    if not fetch.read_only or fetch.settings or fetch.timeout is not None:
        return False
    # A NUL is refused, alone.
    return not any(value is not None and 0 in value for value in fetch.parameters)


class _Dispatcher(Protocol):
    def handle(self, event: pool_events.Event) -> None: ...
    def released(self, holder: Any, reason: str) -> None: ...
    def alone(self, ticket: Any) -> None: ...


class Trip:
    """One round trip: waits for a connection, then runs what was gathered.

    Attributes:
        id, link: of its connection, once that is granted.
    """

    __slots__ = ("_sharing", "id", "link")

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing
        self.id = 0
        self.link: Any = None

    def granted(self, id: int, link: Any) -> None:
        """A connection is there."""
        self.id, self.link = id, link
        self._sharing.depart(self)

    def refused(self, error: DatabaseError) -> None:
        """There is none."""
        self._sharing.refused(self, error)


class Sharing:
    """The statements that wait to share a round trip.

    Args:
        depth: how many may share one.
        most: how many may wait.
        dispatcher: owns the pool and the links.
        loop: calls back.
        time: of the clock.
    """

    def __init__(
        self, depth: int, most: int, dispatcher: _Dispatcher, loop: EventLoop, time: Callable[[], float]
    ) -> None:
        self._costs = Costs(depth)
        self._most = most
        self._dispatcher = dispatcher
        self._loop = loop
        self._time = time
        self._tickets: deque[Any] = deque()
        self._seconds = 0.0  # what they cost together
        self._trips: set[Trip] = set()  # that wait for a connection
        self._is_called = False

    @property
    def waiting(self) -> int:
        """How many statements wait."""
        return len(self._tickets)

    def add(self, ticket: Any) -> None:
        """Take a statement; nothing is answered within this call."""
        if len(self._tickets) >= self._most:
            text = f"{self._most} requests wait for a database connection already"
            self._loop.call_soon(ticket.refused, DatabaseError(text, sqlstate="53300", retryable=True))
            return
        self._tickets.append(ticket)
        self._seconds += self._costs.of(ticket.effect)
        self._ask_soon()

    def remove(self, ticket: Any) -> bool:
        """Forget a statement that waits; False where it does not."""
        if ticket not in self._tickets:
            return False
        self._tickets.remove(ticket)
        self._seconds = sum(self._costs.of(each.effect) for each in self._tickets)
        return True

    def depart(self, trip: Trip) -> None:
        """Run what may go together."""
        self._trips.discard(trip)
        tickets = self._take()
        if self._tickets:  # what they cost may be known better by now
            self._ask_soon()
        if len(tickets) == 1:
            (ticket,) = tickets
            ticket.shares, ticket.noted = False, partial(self._note, tickets, self._time())
            ticket.granted(trip.id, trip.link)
        elif tickets:
            began = self._time()
            for ticket in tickets:
                ticket.link = trip.link
            trip.link.start_all(tickets, partial(self._over, trip, tickets, began))
        else:  # all have left; later, since the next who waits may be another such trip
            self._loop.call_soon(self._dispatcher.released, trip, "")

    def refused(self, trip: Trip, error: DatabaseError) -> None:
        """There is no connection for a round trip: for what would have gone with it there is none either."""
        self._trips.discard(trip)
        for ticket in self._take():
            ticket.refused(DatabaseError(str(error), sqlstate=error.sqlstate, retryable=error.retryable))
        if self._tickets:
            self._ask_soon()

    def _ask_soon(self) -> None:
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._ask)

    def _ask(self) -> None:
        self._is_called = False
        while len(self._trips) < self._costs.trips(len(self._tickets), self._seconds):
            trip = Trip(self)
            self._trips.add(trip)
            self._dispatcher.handle(pool_events.ConnectionRequested(trip))

    def _take(self) -> list[Any]:
        taken: list[Any] = []
        seconds, tickets, costs = 0.0, self._tickets, self._costs
        while tickets and costs.fits(len(taken), seconds, more := costs.of(tickets[0].effect)):
            taken.append(tickets.popleft())
            seconds += more
        # Estimates have changed since these were added: what is left costs no less than nothing.
        self._seconds = max(0.0, self._seconds - seconds) if tickets else 0.0
        return taken

    def _over(
        self, trip: Trip, tickets: list[Any], began: float, left: list[tuple[Any, bool]], went_well: bool
    ) -> None:
        if went_well:
            self._note(tickets, began)
        self._dispatcher.released(trip, "what shared a round trip did not end cleanly in time")
        for ticket, writes in left:
            if writes:
                self._costs.never(ticket.effect)
            self._dispatcher.alone(ticket)

    def _note(self, tickets: list[Any], began: float) -> None:
        self._costs.note([ticket.effect for ticket in tickets], self._time() - began)
