"""Sends queries to replicas that are well, and everything else to the primary.

A replica is used once a connection to it was made, and until one is lost or refused; then it is tried again after a
pause that doubles with each failure. So no query waits for a replica that is away. What a replica cannot answer, since
its recovery is in the way (40001, 40P01), it is away, or the statement writes (25006), runs on the primary.
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
_LONGEST_PAUSE = 30.0  # seconds between attempts to reach a replica


class _Replica:
    """One replica and whether it is well."""

    __slots__ = ("_failures", "_limits", "_timer", "dispatcher", "is_well")

    def __init__(self, dispatcher: Dispatcher, limits: PoolLimits) -> None:
        self.dispatcher = dispatcher
        self.is_well = False
        self._limits = limits
        self._failures = 0
        self._timer: Timer | None = None

    @property
    def load(self) -> int:
        """How much runs there, and waits."""
        return self.dispatcher.pool.granted + self.dispatcher.waiting

    def probe(self) -> None:
        """Find out whether it is there."""
        self._timer = None
        self.dispatcher.lease(self._probed, patient=False)

    def fail(self) -> None:
        """Use it no more, until a probe has succeeded."""
        self.is_well = False
        if self._timer is None and not self.dispatcher.pool.closing:
            pause = min(self._limits.backoff_initial * 2.0 ** min(self._failures, 32), _LONGEST_PAUSE)
            self._failures += 1
            clock = self.dispatcher.clock
            self._timer = clock.call_at(clock.time() + pause, self.probe)

    def stop(self) -> None:
        """Use it no more, and do not probe."""
        self.is_well = False
        if self._timer is not None:
            self._timer.cancel()

    def _probed(self, ticket: Ticket | None, error: DatabaseError | None) -> None:
        if ticket is None:
            self.fail()
            return
        ticket.release("")
        self.is_well, self._failures = True, 0


class RoutedTicket:
    """A statement that may change its server; see Ticket."""

    __slots__ = ("_done", "_effect", "_replicas", "_ticket", "_tried")

    def __init__(self, replicas: Replicas, effect: Fetch, done: Done) -> None:
        self._replicas = replicas
        self._effect = effect
        self._done: Done | None = done
        self._tried: _Replica | None = None
        self._ticket: Ticket | None = None

    def go(self, replica: _Replica | None) -> None:
        """Run it on a replica, or on the primary."""
        self._tried = replica
        dispatcher = self._replicas.primary if replica is None else replica.dispatcher
        self._ticket = dispatcher.submit(self._effect, self._told)

    def abandon(self, then: Callable[[], None] | None = None) -> None:
        """As of Ticket."""
        self._done = None
        if self._ticket is not None:
            self._ticket.abandon(then)

    def give_up(self) -> None:
        """As of Ticket."""
        if self._ticket is not None:
            self._ticket.give_up()

    def _told(self, row: Row | None, error: Exception | None) -> None:
        done = self._done
        if done is None:
            return
        if self._tried is not None and isinstance(error, DatabaseError) and self._goes_on(self._tried, error):
            return
        self._done = None
        done(row, error)

    def _goes_on(self, replica: _Replica, error: DatabaseError) -> bool:
        """Whether it runs elsewhere."""
        if error.sqlstate == _WRITES:
            self._replicas.writes(self._effect)
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
        return (error.unavailable or has_no_link) and error.sqlstate[:2] != "53"


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
