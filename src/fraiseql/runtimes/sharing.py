"""Gathers the statements of queries, so that those of one moment share a connection's round trip.

A statement that comes while others run is kept until the event loop has called all that is ready. What was gathered
then asks the pool for as many connections as its estimated costs need; each takes as many statements as may go
together. While all connections are busy more gather, so that the busier it is, the more is shared. So they do while
the round trips that are under way take so long that they seem to wait for a processor.

A deadline belongs to the statement that waits, not to the request for a connection, which may be an older one's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from fraiseql.effects import Fetch
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.postgres import pool_events
from fraiseql.postgres.costs import PATIENCE, Costs, Width
from fraiseql.postgres.errors import own_copy
from fraiseql.runtimes.loop import Clock, EventLoop, Timer

if TYPE_CHECKING:
    from fraiseql.runtimes.dispatching import Dispatcher, Job, Link, Ticket

__all__ = ["Sharing", "Trip", "may_share"]


def may_share(fetch: Fetch) -> bool:
    """Whether it may run in company: it is a query's, without settings, and without a deadline."""
    if not fetch.read_only or fetch.settings or fetch.timeout is not None:
        return False
    # A NUL is refused, alone.
    return not any(value is not None and 0 in value for value in fetch.parameters)


class Trip:
    """One round trip: waits for a connection, then runs what was gathered.

    Attributes:
        company: how many were under way when it began, with it.
        due: until when it waits, or a little longer.
        id, link: of its connection, once that is granted.
    """

    __slots__ = ("_sharing", "company", "due", "id", "link")

    def __init__(self, sharing: Sharing, due: float) -> None:
        self._sharing = sharing
        self.company = 0
        self.due = due
        self.id = 0
        self.link: Link | None = None

    def granted(self, id: int, link: Link) -> None:
        """A connection is there."""
        self.id, self.link = id, link
        self._sharing.depart(self, link)

    def refused(self, error: DatabaseError) -> None:
        """There is none."""
        self._sharing.refused(self, error)


class Sharing:
    """The statements that wait to share a round trip.

    Args:
        limits: how many may share one, how many may wait, and for how long.
        dispatcher: owns the pool and the links.
        loop: calls back.
        clock: keeps the deadlines.
    """

    def __init__(self, limits: PoolLimits, dispatcher: Dispatcher, loop: EventLoop, clock: Clock) -> None:
        self._costs = Costs(limits.pipeline_depth)
        self._width = Width(limits.max_size)
        self._most = limits.max_waiting
        self._timeout = limits.acquire_timeout
        self._dispatcher = dispatcher
        self._loop = loop
        self._clock = clock
        self._time = clock.time
        self._timer: Timer | None = None  # for the oldest that waits, or one that did
        self._tickets: deque[Ticket] = deque()  # the oldest first
        self._seconds = 0.0  # what they cost together
        self._trips: set[Trip] = set()  # that wait for a connection
        self._under_way: dict[Trip, float] = {}  # since when; the oldest first, and none for longer than patience
        self._room_timer: Timer | None = None  # until the oldest does not count any more
        self._is_called = False

    @property
    def waiting(self) -> int:
        """How many statements wait."""
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        """Take a statement; nothing is answered within this call."""
        if len(self._tickets) >= self._most:
            text = f"{self._most} requests wait for a database connection already"
            self._loop.call_soon(ticket.refused, DatabaseError(text, sqlstate="53300", retryable=True))
            return
        ticket.due = self._time() + self._timeout
        self._tickets.append(ticket)
        if self._timer is None:
            self._timer = self._clock.call_at(ticket.due, self._overdue)
        self._seconds += self._costs.of(ticket.effect)
        self._ask_soon()

    def remove(self, ticket: Ticket) -> bool:
        """Forget a statement that waits; False where it does not."""
        if ticket not in self._tickets:
            return False
        self._tickets.remove(ticket)
        self._count()
        return True

    def stop(self) -> None:
        """Forget the deadlines."""
        for timer in (self._timer, self._room_timer):
            if timer is not None:
                timer.cancel()

    def depart(self, trip: Trip, link: Link) -> None:
        """Run what may go together."""
        self._trips.discard(trip)
        tickets, began = self._take(), self._time()
        if self._tickets:  # what they cost may be known better by now
            self._ask_soon()
        if len(tickets) == 1:
            (ticket,) = tickets
            if not self._costs.is_slow(ticket.effect):
                self._begin(trip, began)
            ticket.shares, ticket.noted = False, partial(self._ended_alone, trip, tickets, began)
            ticket.granted(trip.id, link)
        elif tickets:
            self._begin(trip, began)
            for ticket in tickets:
                ticket.link = link
            link.start_all(tickets, partial(self._over, trip, tickets, began))
        else:  # all have left; later, since the next who waits may be another such trip
            self._loop.call_soon(self._dispatcher.released, trip, "")

    def refused(self, trip: Trip, error: DatabaseError) -> None:
        """There is no connection for a round trip.

        If it has waited too long, whoever has not goes on to wait. Else for what would have gone with it there is no
        connection either.
        """
        self._trips.discard(trip)
        if self._time() < trip.due or not error.retryable:
            for ticket in self._take():
                ticket.refused(own_copy(error))
        if self._tickets:
            self._ask_soon()

    def _ask_soon(self) -> None:
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._ask_now)

    def _ask_now(self) -> None:
        self._is_called = False
        self._ask()

    def _ask(self) -> None:
        """Begin as many round trips as those that wait need, and as there is room for."""
        while len(self._trips) < self._costs.trips(len(self._tickets), self._seconds) and self._has_room():
            trip = Trip(self, self._time() + self._timeout)
            self._trips.add(trip)
            self._dispatcher.handle(pool_events.ConnectionRequested(trip))

    def _has_room(self) -> bool:
        """Whether another round trip is to begin now; if not, those that wait are looked at again in time."""
        now, under_way = self._time(), self._under_way
        while under_way and now >= under_way[oldest := next(iter(under_way))] + PATIENCE:
            del under_way[oldest]  # it waits for a lock, or has been abandoned: who is quick is not to wait for that
        if len(under_way) + len(self._trips) < self._width.value or self._costs.is_slow(self._tickets[0].effect):
            return True
        if under_way and self._room_timer is None:
            when = next(iter(under_way.values())) + PATIENCE
            self._room_timer = self._clock.call_at(when, self._look_for_room)
        return False

    def _look_for_room(self) -> None:
        self._room_timer = None
        self._ask()

    def _overdue(self) -> None:
        """Refuse who has waited too long; perhaps nobody has."""
        self._timer = None
        now, tickets = self._time(), self._tickets
        late: list[Ticket] = []
        while tickets and tickets[0].due <= now:
            late.append(tickets.popleft())
        if tickets:
            self._timer = self._clock.call_at(tickets[0].due, self._overdue)
        self._count()
        for ticket in late:
            ticket.refused(self._dispatcher.too_late())

    def _count(self) -> None:
        self._seconds = sum(self._costs.of(each.effect) for each in self._tickets)

    def _take(self) -> list[Ticket]:
        taken: list[Ticket] = []
        seconds, tickets, costs = 0.0, self._tickets, self._costs
        while tickets and costs.fits(len(taken), seconds, more := costs.of(tickets[0].effect)):
            taken.append(tickets.popleft())
            seconds += more
        # Estimates have changed since these were added: what is left costs no less than nothing.
        self._seconds = max(0.0, self._seconds - seconds) if tickets else 0.0
        return taken

    def _over(
        self,
        trip: Trip,
        tickets: list[Ticket],
        began: float,
        left: Sequence[Job],
        slow: Sequence[Job],
        went_well: bool,
    ) -> None:
        if went_well:
            self._note(trip, tickets, began)
        self._under_way.pop(trip, None)
        self._dispatcher.released(trip, "what shared a round trip did not end cleanly in time")
        for job in slow:
            self._costs.slow(job.effect, self._time())
        for ticket in tickets:
            if ticket in left:
                self._dispatcher.alone(ticket)
        self._ask()

    def _ended_alone(self, trip: Trip, tickets: list[Ticket], began: float, came_to_its_end: bool) -> None:
        if came_to_its_end:
            self._note(trip, tickets, began)
        self._under_way.pop(trip, None)
        self._ask()

    def _begin(self, trip: Trip, now: float) -> None:
        self._under_way[trip] = now
        trip.company = len(self._under_way)

    def _note(self, trip: Trip, tickets: list[Ticket], began: float) -> None:
        now, fetches = self._time(), [ticket.effect for ticket in tickets]
        if self._under_way.pop(trip, None) is not None:
            self._width.note(now - began, self._costs.expected(fetches), trip.company)
        self._costs.note(fetches, now - began, now)
