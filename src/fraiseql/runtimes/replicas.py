"""Sends queries to replicas that are well, and everything else to the primary.

A replica is used once a connection to it was made, and until one is lost or refused, or it says nothing; then it is
tried again after a pause that doubles with each failure. So no query waits for a replica that is away. What a replica
cannot answer, since its recovery is in the way (40001, 40P01), it is away, or the statement writes (25006), runs on the
primary.

A replica that has been asked and says nothing, be it that whoever asked has left meanwhile, is asked for a connection
besides: one whose statements are merely slow opens it. Where that is not answered either, what runs there runs on the
primary instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fraiseql.effects import Fetch, Row
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.runtimes.dispatching import Dispatcher, Done, Ticket
from fraiseql.runtimes.loop import Timer

__all__ = ["Replicas", "RoutedTicket"]

_IN_THE_WAY = frozenset({"40001", "40P01"})  # of recovery: nothing that only reads meets them otherwise
_WRITES = "25006"
_MOST = 1_000  # statements known to write
# Seconds without a word after which a replica is asked for one, and then given up. Shorter than anybody waits who asks
# for a page, longer than a network that loses packets takes to repeat them, or a busy server to open a connection.
_SILENCE = 1.0
_LONGEST_PAUSE = 30.0  # seconds between attempts to reach a replica


class _Replica:
    """One replica, what runs there, and whether it is well."""

    __slots__ = (
        "_asked",
        "_failures",
        "_is_asking",
        "_is_silent",
        "_limits",
        "_tickets",
        "_timer",
        "_watch",
        "dispatcher",
        "is_well",
    )

    def __init__(self, dispatcher: Dispatcher, limits: PoolLimits) -> None:
        self.dispatcher = dispatcher
        self.is_well = False
        self._limits = limits
        self._failures = 0
        self._timer: Timer | None = None  # of the next probe
        self._tickets: set[RoutedTicket] = set()
        self._asked: float | None = None  # when the first statement was that it may owe an answer to
        self._watch: Timer | None = None
        self._is_asking = False  # for a connection, to hear anything at all
        self._is_silent = False  # so that connections that seem to be open say nothing

    @property
    def load(self) -> int:
        """How much runs there, and waits."""
        return self.dispatcher.pool.granted + self.dispatcher.waiting

    def run(self, ticket: RoutedTicket) -> Ticket:
        """Run its statement."""
        self._tickets.add(ticket)
        if self._asked is None:
            self._asked = self.dispatcher.clock.time()
            if self._watch is None and not self._is_asking:
                self._look_in(_SILENCE)
        return self.dispatcher.submit(ticket.effect, ticket.told)

    def left(self, ticket: RoutedTicket, *, answered: bool) -> None:
        """A statement has ended; one that was abandoned says nothing of the replica, which still owes an answer."""
        self._tickets.discard(ticket)
        if answered:
            self._heard()

    def probe(self) -> None:
        """Find out whether it is there."""
        self._timer = None
        if self._is_silent:
            self._ask()
        else:
            self.dispatcher.lease(self._probed, patient=False)

    def fail(self) -> None:
        """Use it no more, until a probe has succeeded."""
        self.is_well = False
        if self._timer is None and not self._is_asking and not self.dispatcher.pool.closing:
            pause = min(self._limits.backoff_initial * 2.0 ** min(self._failures, 32), _LONGEST_PAUSE)
            self._failures += 1
            clock = self.dispatcher.clock
            self._timer = clock.call_at(clock.time() + pause, self.probe)

    def stop(self) -> None:
        """Use it no more, and do not probe."""
        self.is_well = False
        for timer in (self._timer, self._watch):
            if timer is not None:
                timer.cancel()

    def _probed(self, ticket: Ticket | None, error: DatabaseError | None) -> None:
        if ticket is None:
            self.fail()
            return
        ticket.release("")
        self.is_well, self._failures = True, 0

    def _heard(self) -> None:
        self._asked = self.dispatcher.clock.time() if self._tickets else None

    def _look_in(self, seconds: float) -> None:
        clock = self.dispatcher.clock
        self._watch = clock.call_at(clock.time() + seconds, self._look)

    def _look(self) -> None:
        """Armed by the first statement, and once more where it was answered meanwhile: not for each."""
        self._watch = None
        if self._asked is None or self._is_asking or self.dispatcher.pool.closing:
            return
        if (left := self._asked + _SILENCE - self.dispatcher.clock.time()) > 0:
            self._look_in(left)
            return
        self._watch = self.dispatcher.clock.call_at(self.dispatcher.clock.time() + _SILENCE, self._give_up)
        self._ask()

    def _ask(self) -> None:
        self._is_asking = True
        self.dispatcher.reach(self._reached)

    def _give_up(self) -> None:
        """It says nothing at all; whether it ever does decides what was asked, which has a time limit."""
        self._watch = None
        self.is_well, self._is_silent, self._asked = False, True, None
        for ticket in list(self._tickets):
            ticket.move()

    def _reached(self, error: DatabaseError | None) -> None:
        self._is_asking = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self.dispatcher.pool.closing:
            return
        if error is not None and error.unavailable and not _has_no_room(error):
            self._give_up()
            self.fail()
            return
        self._is_silent = False
        self._heard()
        if self._asked is not None:
            self._look_in(_SILENCE)
        if not self.is_well and self._timer is None:
            self.probe()


class RoutedTicket:
    """A statement that may change its server; see Ticket."""

    __slots__ = ("_done", "_replicas", "_ticket", "_tried", "effect")

    def __init__(self, replicas: Replicas, effect: Fetch, done: Done) -> None:
        self.effect = effect
        self._replicas = replicas
        self._done: Done | None = done
        self._tried: _Replica | None = None
        self._ticket: Ticket | None = None

    def go(self, replica: _Replica | None) -> None:
        """Run it on a replica, or on the primary."""
        self._tried = replica
        self._ticket = self._replicas.primary.submit(self.effect, self.told) if replica is None else replica.run(self)

    def move(self) -> None:
        """Run it on the primary, and no more where it runs."""
        assert self._tried is not None
        assert self._ticket is not None
        self._tried.left(self, answered=False)
        self._ticket.abandon()
        self.go(None)

    def abandon(self, then: Callable[[], None] | None = None) -> None:
        """As of Ticket."""
        self._done = None
        if self._tried is not None:
            self._tried.left(self, answered=False)
        if self._ticket is not None:
            self._ticket.abandon(then)

    def give_up(self) -> None:
        """As of Ticket."""
        if self._ticket is not None:
            self._ticket.give_up()

    def told(self, row: Row | None, error: Exception | None) -> None:
        """Done of Dispatcher.submit."""
        done, replica = self._done, self._tried
        if done is None:
            return
        if replica is not None:
            refusal = error if isinstance(error, DatabaseError) else None
            replica.left(self, answered=refusal is None or not refusal.unavailable)
            if refusal is not None and self._goes_on(replica, refusal):
                return
        self._done = None
        done(row, error)

    def _goes_on(self, replica: _Replica, error: DatabaseError) -> bool:
        """Whether it runs elsewhere."""
        if error.sqlstate == _WRITES:
            self._replicas.writes(self.effect)
            self.go(None)
        elif error.sqlstate in _IN_THE_WAY:
            self.go(None)
        elif self._is_away(error):
            replica.fail()
            self.go(self._replicas.best())
        else:
            return False
        return True

    def _is_away(self, error: DatabaseError) -> bool:
        """Whether no connection could be made, for whatever reason, or one was lost; not where there are too few."""
        has_no_link = self._ticket is not None and self._ticket.link is None
        return (error.unavailable or has_no_link) and not _has_no_room(error)


class Replicas:
    """Routes the statements of a primary and its replicas.

    Args:
        primary: for everything.
        replicas: for what only reads; each has started.
        limits: see PoolLimits.
    """

    def __init__(self, primary: Dispatcher, replicas: Sequence[Dispatcher], limits: PoolLimits) -> None:
        self.primary = primary
        self._replicas = [_Replica(dispatcher, limits) for dispatcher in replicas]
        self._writing: dict[bytes, None] = {}

    @property
    def well(self) -> int:
        """How many replicas are used now."""
        return sum(replica.is_well for replica in self._replicas)

    def start(self) -> None:
        """Find out which replicas are there."""
        for replica in self._replicas:
            replica.probe()

    def stop(self) -> list[Dispatcher]:
        """Use none any more; gives their dispatchers, to be closed."""
        for replica in self._replicas:
            replica.stop()
        return [replica.dispatcher for replica in self._replicas]

    def submit(self, effect: Fetch, done: Done) -> Ticket | RoutedTicket:
        """As Dispatcher.submit: on the replica that has the least to do, where the statement may run on one."""
        if effect.read_only and not effect.primary and effect.statement.sql not in self._writing:
            replica = self.best()
            if replica is not None:
                ticket = RoutedTicket(self, effect, done)
                ticket.go(replica)
                return ticket
        return self.primary.submit(effect, done)

    def best(self) -> _Replica | None:
        """The replica that is well and has the least to do; None where none is well."""
        return min((replica for replica in self._replicas if replica.is_well), key=lambda each: each.load, default=None)

    def writes(self, effect: Fetch) -> None:
        """This statement writes: it is for the primary."""
        if len(self._writing) >= _MOST:
            self._writing.clear()
        self._writing[effect.statement.sql] = None


def _has_no_room(error: DatabaseError) -> bool:
    """Whether there are too few connections, which somebody has to be there to say."""
    return error.sqlstate[:2] == "53"
