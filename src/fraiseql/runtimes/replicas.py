"""Sends queries to replicas that are well, and everything else to the primary; `routing` has the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fraiseql.effects import Fetch, Row
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.runtimes.dispatching import Dispatcher, Done, Ticket
from fraiseql.runtimes.loop import Timer
from fraiseql.runtimes.routing import Health, Task, Verdict, Writing, judge, least_loaded

__all__ = ["Replicas", "RoutedTicket"]


class _Replica:
    """One replica, and the timer of its health."""

    __slots__ = ("_armed", "_timer", "dispatcher", "health")

    def __init__(self, dispatcher: Dispatcher, limits: PoolLimits) -> None:
        self.dispatcher = dispatcher
        self.health: Health[RoutedTicket] = Health(limits, RoutedTicket.move)
        self._timer: Timer | None = None
        self._armed = 0.0  # when it fires

    @property
    def load(self) -> int:
        """How much runs there, and waits."""
        return self.dispatcher.pool.granted + self.dispatcher.waiting

    def run(self, ticket: RoutedTicket) -> Ticket:
        """Run its statement."""
        if self.health.ran(ticket, self.dispatcher.clock.time()):
            self._arm()
        return self.dispatcher.submit(ticket.effect, ticket.told)

    def left(self, ticket: RoutedTicket, *, answered: bool) -> None:
        """See Health."""
        self.health.left(ticket, self.dispatcher.clock.time(), answered=answered)

    def fail(self) -> None:
        """Use it no more, until a probe has succeeded."""
        self.health.failed(self.dispatcher.clock.time())
        self._arm()

    def look(self) -> None:
        """Do what the time has come for."""
        self._timer = None
        while (task := self.health.due(self.dispatcher.clock.time())) is not None:
            if task is Task.PROBE:
                self.dispatcher.lease(self._probed, patient=False)
            else:
                self.dispatcher.reach(self._reached)
        self._arm()

    def stop(self) -> None:
        """Use it no more, and do not probe."""
        self.health.stop()
        if self._timer is not None:
            self._timer.cancel()

    def _probed(self, ticket: Ticket | None, error: DatabaseError | None) -> None:
        if ticket is not None:
            ticket.release("")
        self.health.probed(error, self.dispatcher.clock.time())
        self._arm()

    def _reached(self, error: DatabaseError | None) -> None:
        self.health.reached(error, self.dispatcher.clock.time())
        self._arm()

    def _arm(self) -> None:
        """A timer that is early looks once more: to set it anew for each change would cost more."""
        deadline = self.health.deadline
        if deadline is None or (self._timer is not None and self._armed <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed = deadline
        self._timer = self.dispatcher.clock.call_at(deadline, self.look)


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
        assert self._ticket is not None
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
        verdict = judge(error, connected=self._ticket is None or self._ticket.link is not None)
        if verdict is Verdict.ANSWER:
            return False
        if verdict is Verdict.WRITES:
            self._replicas.writing.add(self.effect)
        elif verdict is Verdict.AWAY:
            replica.fail()
        self.go(self._replicas.best() if verdict is Verdict.AWAY else None)
        return True


class Replicas:
    """Routes the statements of a primary and its replicas.

    Args:
        primary: for everything.
        replicas: for what only reads; each has started.
        limits: see PoolLimits.
    """

    def __init__(self, primary: Dispatcher, replicas: Sequence[Dispatcher], limits: PoolLimits) -> None:
        self.primary = primary
        self.writing = Writing()
        self._replicas = [_Replica(dispatcher, limits) for dispatcher in replicas]

    @property
    def well(self) -> int:
        """How many replicas are used now."""
        return sum(replica.health.is_well for replica in self._replicas)

    def start(self) -> None:
        """Find out which replicas are there."""
        for replica in self._replicas:
            replica.look()

    def stop(self) -> list[Dispatcher]:
        """Use none any more; gives their dispatchers, to be closed."""
        for replica in self._replicas:
            replica.stop()
        return [replica.dispatcher for replica in self._replicas]

    def submit(self, effect: Fetch, done: Done) -> Ticket | RoutedTicket:
        """As Dispatcher.submit: on the replica that has the least to do, where the statement may run on one."""
        if self.writing.may_leave(effect):
            replica = self.best()
            if replica is not None:
                ticket = RoutedTicket(self, effect, done)
                ticket.go(replica)
                return ticket
        return self.primary.submit(effect, done)

    def best(self) -> _Replica | None:
        """The replica that is well and has the least to do; None where none is well."""
        return least_loaded(self._replicas)
