"""Gives statements to connections, by callbacks: no tasks, no waiting, and no event loop but the one it is given.

The pool's machine decides; this carries out its commands over links. A `Link` is one connection to the database, be it
a real one (`fraiseql.runtimes.links`) or a scripted one of a test.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from fraiseql.effects import Fetch, Row
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.observations import ConnectionLost, ConnectionOpened, Observer, ReconnectFailed
from fraiseql.postgres import Pool, pool_events
from fraiseql.runtimes.loop import Clock, EventLoop, Timer
from fraiseql.runtimes.sharing import Sharing, Trip, may_share

__all__ = ["Dispatcher", "Done", "Job", "Link", "Opener", "Ticket", "TookTooLong", "too_late"]

Done: TypeAlias = Callable[[Row | None, Exception | None], None]
"""Takes the row, or why there is none."""


class Job(Protocol):
    """A statement for a link."""

    @property
    def effect(self) -> Fetch:
        """Outside of any transaction."""

    def ended(self, row: Row | None, error: Exception | None) -> None:
        """Its only answer; never within `Link.start`."""


class Link(Protocol):
    """One open connection to the database; of several jobs each gets its own answer.

    Attributes:
        on_lost: called once, outside of all methods, when the server ends the connection while nothing runs on it;
            what runs is told so by its answer.
    """

    on_lost: Callable[[], None]

    @property
    def backend_pid(self) -> int:
        """Of the process that serves it, for the log."""

    @property
    def is_lost(self) -> bool:
        """Whether the server, or the network, has ended it."""

    def is_open(self) -> bool:
        """Look whether it can be used, now that nothing runs on it; never blocks."""

    def start(self, job: Job) -> None:
        """Send a statement; raises nothing, whatever the state."""

    def start_all(self, jobs: Sequence[Job], over: Callable[[Sequence[Job], Sequence[Job], bool], None]) -> None:
        """Send several statements, each a transaction of its own, in one round trip; only for pools that share.

        Args:
            jobs: each has its own answer.
            over: called once the connection is free again, never within this call, and before the last answers: with
                the jobs that must run again, alone; those that were cancelled since others waited for them; and
                whether all went well.
        """

    def abandon(self, job: Job, then: Callable[[], None]) -> None:
        """Cancel a statement that was started and has not ended: its `ended` is not called any more.

        `then` is called once, as soon as nothing is left of it, or the connection is of no use: in bounded time.
        """

    def give_up(self) -> None:
        """Be of no use at once, and call what `abandon` was given; does nothing where nothing is being abandoned."""

    def fault(self, otherwise: str) -> str | None:
        """Why it is not fit for the next statement, `otherwise` where it does not know; None where it is."""

    def cut(self) -> None:
        """Have all that runs fail soon, as if the network had gone, and cancel it."""

    def close(self) -> None:
        """Close it for good; nothing runs on it."""


Opener: TypeAlias = Callable[[Callable[[Link | None, DatabaseError | None], None]], None]
"""Begins to make a link, and calls back once, never within the call: with the link, or why there is none."""


class TookTooLong(DatabaseError):
    """The answer did not come in time: the statement waits for a lock, or nobody answers any more."""


def too_late(timeout: float) -> TookTooLong:
    """For a statement that had so many seconds."""
    return TookTooLong(f"the database did not answer within {timeout:g} s", sqlstate="08006", retryable=True)


class Ticket:
    """A statement that was submitted, or a request for a connection of one's own.

    Attributes:
        effect: the statement.
        link: the connection, from the time it is granted.
        due: until when it waits to share a round trip.
        shares: whether it waits to share a round trip, or is on one.
        noted: told of the end of a statement that ran alone, where one might have shared, and whether it was its own.
    """

    __slots__ = (
        "_clearing",
        "_dispatcher",
        "_done",
        "_fetch",
        "_released",
        "_then",
        "_timer",
        "due",
        "id",
        "link",
        "noted",
        "shares",
    )

    def __init__(self, dispatcher: Dispatcher, fetch: Fetch | None, done: Callable[[Any, Any], None]) -> None:
        self._dispatcher = dispatcher
        self._fetch = fetch
        self._done: Callable[[Any, Any], None] | None = done
        self._then: Callable[[], None] | None = None
        self._timer: Timer | None = None
        self._released = False
        self._clearing = False
        self.id = 0
        self.due = math.inf
        self.link: Link | None = None
        self.shares = False
        self.noted: Callable[[bool], None] | None = None

    @property
    def effect(self) -> Fetch:
        assert self._fetch is not None, "it asks for a connection, and runs nothing"
        return self._fetch

    def abandon(self, then: Callable[[], None] | None = None) -> None:
        """Cancel the statement: its `done` is not called any more; does nothing once it was.

        Args:
            then: called when the connection is free again, or given up; perhaps within this call.
        """
        self._done = None
        if self.link is None and not self._released:
            self._released = True
            self._dispatcher.withdrawn(self)
        elif self._fetch is None:
            self.release("it was not wanted any more")
        if self._released:
            if then is not None:
                then()
            return
        self._then = then
        if not self._clearing:
            self._cancel("a cancelled statement did not end cleanly in time")

    def give_up(self) -> None:
        """Let go of a connection that is still being cleared of what was abandoned: it is closed at once."""
        if self.link is not None and not self._released:
            self.link.give_up()

    def release(self, reason: str) -> None:
        """Give a connection of one's own back; `reason` is told where it is not fit for the next."""
        if not self._released:
            self._released = True
            self._dispatcher.released(self, reason)

    def granted(self, id: int, link: Link) -> None:
        """A connection is there: called by the dispatcher."""
        self.id, self.link = id, link
        fetch = self._fetch
        if fetch is None:
            self._answer(self, None)
            return
        if fetch.timeout is not None:
            clock = self._dispatcher.clock
            self._timer = clock.call_at(clock.time() + fetch.timeout, self._late, fetch.timeout)
        link.start(self)

    def refused(self, error: DatabaseError) -> None:
        """There is no connection: called by the dispatcher."""
        self._released = True
        self._answer(None, error)

    def ended(self, row: Row | None, error: Exception | None) -> None:
        """The statement's answer: the connection is given to the next before anybody sees it."""
        if self.shares:
            self._released = True
            self._answer(row, error)
            return
        if self._released:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._released = True
        self._dispatcher.released(self, "it was left inside a transaction" if error is None else str(error))
        if self.noted is not None:
            self.noted(True)
        done, self._done = self._done, None
        if done is not None:
            done(row, error)

    def _answer(self, answer: Any, error: Exception | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(answer, error)

    def _late(self, timeout: float) -> None:
        """Told once the connection is free again: the next attempt may need it."""
        self._timer = None
        error = too_late(timeout)
        self._cancel(str(error), error)

    def _cancel(self, reason: str, error: DatabaseError | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

        def cleared() -> None:
            if not self.shares:
                self.release(reason)
                if self.noted is not None:
                    self.noted(False)
            self._released = True
            if error is not None:
                self._answer(None, error)
            if self._then is not None:
                self._then()

        assert self.link is not None
        self._clearing = True
        self.link.abandon(self, cleared)


class Dispatcher:
    """A pool of links to one database, driven by callbacks; all methods belong to the thread of its loop.

    Args:
        limits: see PoolLimits.
        open: makes links.
        loop: calls back.
        clock: by which all deadlines are kept; the loop by default.
        observe: is told of connections made and lost.
    """

    def __init__(
        self, limits: PoolLimits, open: Opener, loop: EventLoop, observe: Observer, clock: Clock | None = None
    ) -> None:
        self.pool = Pool(limits)
        self.links: dict[int, Link] = {}
        self.clock: Clock = clock or loop
        self._sharing = Sharing(limits, self, loop, self.clock) if limits.pipeline_depth > 1 else None
        self._open = open
        self._loop = loop
        self._observe = observe
        self._timer: Timer | None = None
        self._armed = math.inf  # when the timer fires
        self._impatient: set[Ticket | Trip] = set()  # who wait
        self._closed: Callable[[], None] | None = None

    def submit(self, effect: Fetch, done: Done) -> Ticket:
        """Run a statement that is not in a transaction of the caller's.

        Args:
            effect: what to run.
            done: called once with its row or its error, and never within this call, nor after `Ticket.abandon`. It
                must raise nothing. Errors are DatabaseErrors, unless there is a defect.
        """
        ticket = Ticket(self, effect, done)
        if self._sharing is not None and self.pool.granted and may_share(effect):
            ticket.shares = True
            self._sharing.add(ticket)
        else:
            self.handle(pool_events.ConnectionRequested(ticket))
        return ticket

    @property
    def waiting(self) -> int:
        """How many statements and transactions wait for a connection."""
        return self.pool.waiting + (self._sharing.waiting if self._sharing is not None else 0)

    def alone(self, ticket: Ticket) -> None:
        """Run a statement that cannot share."""
        ticket.shares, ticket.link = False, None
        self.handle(pool_events.ConnectionRequested(ticket))

    def lease(self, done: Callable[[Ticket | None, DatabaseError | None], None], *, patient: bool = True) -> Ticket:
        """Ask for a connection of one's own, to be given back by `Ticket.release`.

        Args:
            done: called once with the ticket, which has a link then, or with an error; perhaps within this call.
            patient: whether to wait for a database that is away; else the first failure to connect is the answer.
        """
        ticket = Ticket(self, None, done)
        if not patient:
            self._impatient.add(ticket)
        self.handle(pool_events.ConnectionRequested(ticket, patient))
        return ticket

    def reach(self, done: Callable[[DatabaseError | None], None]) -> None:
        """Find out whether the server answers, by a connection besides those of the pool that is closed at once.

        Args:
            done: called once, never within this call, with why there is none; None where it was made.
        """

        def opened(link: Link | None, error: DatabaseError | None) -> None:
            if link is not None:
                link.close()
            done(error)

        self._open(opened)

    def close(self, then: Callable[[], None]) -> None:
        """Refuse what waits and what comes; `then` is called when all that runs has ended, perhaps within this call."""
        self._closed = then
        self.handle(pool_events.PoolClosing())

    def cut(self) -> None:
        """Have all that runs fail soon."""
        for link in list(self.links.values()):
            link.cut()

    def stop(self) -> None:
        """Forget the deadlines."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sharing is not None:
            self._sharing.stop()

    def too_late(self) -> DatabaseError:
        """For what has waited for a connection for its whole time."""
        return self.pool.too_late()

    def released(self, holder: Ticket | Trip, reason: str) -> None:
        """A connection is not needed any more."""
        link = holder.link
        assert link is not None
        fault = link.fault(reason)
        if fault is None:
            self.handle(pool_events.ConnectionReleased(holder.id))
            return
        self._observe(ConnectionLost(link.backend_pid, fault))
        self.handle(pool_events.ConnectionDistrusted(holder.id, lost=link.is_lost))

    def handle(self, event: pool_events.Event) -> None:
        """Tell the pool what happened and do what it says."""
        commands = deque(self.pool.handle(event, self.clock.time()))
        while commands:
            match commands.popleft():
                case pool_events.GrantConnection(ticket, id):
                    assert isinstance(ticket, (Ticket, Trip))
                    commands.extend(self._grant(ticket, id))
                case pool_events.RefuseRequest(ticket, error):
                    assert isinstance(ticket, (Ticket, Trip))
                    self._loop.call_soon(self._refuse, ticket, error)
                case pool_events.OpenConnection(id):
                    self._open(lambda link, error, id=id: self._opened(id, link, error))  # type: ignore[misc]
                case pool_events.CloseConnection(id):
                    self.links.pop(id).close()
        if self._closed is not None and not self.pool.granted:
            closed, self._closed = self._closed, None
            closed()
        deadline = self.pool.deadline
        if deadline is not None and deadline < self._armed:
            self._arm(deadline)

    def withdrawn(self, ticket: Ticket) -> None:
        """A ticket does not wait any more."""
        self._impatient.discard(ticket)
        if ticket.shares and self._sharing is not None:
            self._sharing.remove(ticket)
        else:
            self.handle(pool_events.RequestAbandoned(ticket))

    def _refuse(self, ticket: Ticket | Trip, error: DatabaseError) -> None:
        self._impatient.discard(ticket)
        ticket.refused(error)

    def _grant(self, ticket: Ticket | Trip, id: int) -> list[pool_events.Command]:
        link = self.links[id]
        if link.is_open():
            self._impatient.discard(ticket)
            ticket.granted(id, link)
            return []
        self._observe(ConnectionLost(link.backend_pid, _CLOSED_WHILE_IDLE))
        return self.pool.handle(pool_events.ConnectionDistrusted(id, lost=True, unused=True), self.clock.time())

    def _opened(self, id: int, link: Link | None, error: DatabaseError | None) -> None:
        if link is not None:
            self.links[id] = link
            link.on_lost = lambda: self._lost(id)
            self._observe(ConnectionOpened(link.backend_pid))
            self.handle(pool_events.ConnectionOpened(id))
            return
        assert error is not None
        self.handle(pool_events.OpeningFailed(id, error))
        if self.pool.closing or (self._impatient and not self.pool.waiting):
            return  # who called `check` hears of it, and nobody wants another attempt
        retry_in = max(0.0, (self.pool.retry_at or 0.0) - self.clock.time())
        self._observe(ReconnectFailed(str(error), retry_in))

    def _lost(self, id: int) -> None:
        """The server ended a connection; who has it, if anybody, meets that when he next uses it."""
        link = self.links.get(id)
        if link is None:
            return
        self.handle(pool_events.ConnectionEnded(id))
        if id not in self.links:
            self._observe(ConnectionLost(link.backend_pid, _CLOSED_WHILE_IDLE))

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = deadline
        self._timer = self.clock.call_at(deadline, self._on_deadline)

    def _on_deadline(self) -> None:
        """Perhaps early: it is then set anew."""
        self._timer, self._armed = None, math.inf
        self.handle(pool_events.DeadlineReached())


_CLOSED_WHILE_IDLE = "the server closed it while it was idle"
