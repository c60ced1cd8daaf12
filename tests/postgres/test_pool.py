"""The pool's policy: playbooks of (event, time) and the commands they give, and its invariants under random events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fraiseql.errors import DatabaseError, LocalProtocolError
from fraiseql.limits import PoolLimits
from fraiseql.postgres.pool import Pool
from fraiseql.postgres.pool_events import (
    CloseConnection,
    Command,
    ConnectionDistrusted,
    ConnectionOpened,
    ConnectionReleased,
    ConnectionRequested,
    DeadlineReached,
    Event,
    GrantConnection,
    OpenConnection,
    OpeningFailed,
    PoolClosing,
    RefuseRequest,
    RequestAbandoned,
)

REFUSED = DatabaseError("connection refused", sqlstate="08001", retryable=True)
STARTING = DatabaseError("the database system is starting up", sqlstate="57P03", retryable=True)
PASSWORD = DatabaseError("password authentication failed", sqlstate="28P01")
LIMITS = PoolLimits(max_size=2, max_waiting=4, backoff_initial=0.125, max_idle=100.0, max_lifetime=1000.0)

Step = tuple[Event, float, list[Any]]


def request(*names: str, at: float = 0.0) -> list[Step]:
    """Requests on a new pool of two: the first two make it open a connection each."""
    return [
        (ConnectionRequested(name), at, [OpenConnection(n)] if n <= LIMITS.max_size else [])
        for n, name in enumerate(names, 1)
    ]


def refused(name: str, sqlstate: str) -> tuple[str, str]:
    """How a playbook writes RefuseRequest."""
    return (name, sqlstate)


PLAYBOOKS: dict[str, list[Step]] = {
    "a connection is opened for the first request and used again by the next": [
        *request("a"),
        (ConnectionOpened(1), 1, [GrantConnection("a", 1)]),
        (ConnectionReleased(1), 2, []),
        (ConnectionRequested("b"), 3, [GrantConnection("b", 1)]),
    ],
    "the first in the queue is served first": [
        *request("a", "b", "c", "d"),
        (ConnectionOpened(2), 1, [GrantConnection("a", 2)]),
        (ConnectionOpened(1), 1, [GrantConnection("b", 1)]),
        (ConnectionReleased(1), 2, [GrantConnection("c", 1)]),
        (ConnectionReleased(2), 2, [GrantConnection("d", 2)]),
    ],
    "the connection idle last is used first": [
        *request("a", "b"),
        (ConnectionOpened(1), 1, [GrantConnection("a", 1)]),
        (ConnectionOpened(2), 1, [GrantConnection("b", 2)]),
        (ConnectionReleased(2), 2, []),
        (ConnectionReleased(1), 2, []),
        (ConnectionRequested("c"), 3, [GrantConnection("c", 1)]),
        (ConnectionRequested("d"), 3, [GrantConnection("d", 2)]),
    ],
    "a connection opened for a request that was served otherwise becomes idle": [
        *request("a"),
        (ConnectionOpened(1), 1, [GrantConnection("a", 1)]),
        (ConnectionRequested("b"), 1, [OpenConnection(2)]),
        (ConnectionReleased(1), 1, [GrantConnection("b", 1)]),
        (ConnectionOpened(2), 2, []),
        (ConnectionRequested("c"), 2, [GrantConnection("c", 2)]),
    ],
    "a request given up leaves the queue, its opening goes on": [
        *request("a"),
        (RequestAbandoned("a"), 1, []),
        (RequestAbandoned("a"), 1, []),
        (ConnectionOpened(1), 2, []),
    ],
    "a full queue refuses": [
        *request("a", "b", "c", "d"),
        (ConnectionRequested("e"), 0, [refused("e", "53300")]),
    ],
    "nothing became free in time": [
        *request("a", "b"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (ConnectionOpened(2), 0, [GrantConnection("b", 2)]),
        (ConnectionRequested("c"), 1, []),
        (ConnectionRequested("d"), 2, []),
        (DeadlineReached(), 10.9, []),
        (DeadlineReached(), 11, [refused("c", "53300")]),
        (ConnectionReleased(1), 11, [GrantConnection("d", 1)]),
    ],
    "failed openings are tried again after a doubling pause, one at a time": [
        *request("a", "b"),
        (OpeningFailed(1, REFUSED), 0, []),
        (OpeningFailed(2, REFUSED), 0, []),
        (DeadlineReached(), 0.125, [OpenConnection(3)]),
        (OpeningFailed(3, STARTING), 0.125, []),
        (ConnectionRequested("c"), 0.25, []),
        (DeadlineReached(), 0.375, [OpenConnection(4)]),
        (ConnectionOpened(4), 0.5, [GrantConnection("a", 4), OpenConnection(5)]),
        (ConnectionOpened(5), 0.5, [GrantConnection("b", 5)]),
    ],
    "a request whose deadline comes while nothing can be opened is told the reason": [
        *request("a"),
        (OpeningFailed(1, REFUSED), 9.95, []),
        (DeadlineReached(), 10, [refused("a", "08001")]),
        (ConnectionRequested("b"), 30, [OpenConnection(2)]),
    ],
    "an impatient request is told the first failure": [
        (ConnectionRequested("a", patient=False), 0, [OpenConnection(1)]),
        (OpeningFailed(1, STARTING), 0, [refused("a", "57P03")]),
    ],
    "a failure that lasts refuses everybody at once": [
        *request("a", "b", "c"),
        (OpeningFailed(1, PASSWORD), 1, [refused("a", "28P01"), refused("b", "28P01"), refused("c", "28P01")]),
        (ConnectionRequested("d"), 1, [refused("d", "28P01")]),
        (OpeningFailed(2, PASSWORD), 1, []),
        (ConnectionRequested("e"), 1.2, [OpenConnection(3)]),
        (ConnectionOpened(3), 1.3, [GrantConnection("e", 3)]),
    ],
    "a distrusted connection is closed, and another opened for who waits": [
        *request("a", "b"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (ConnectionOpened(2), 0, [GrantConnection("b", 2)]),
        (ConnectionRequested("c"), 1, []),
        (ConnectionDistrusted(1), 1, [CloseConnection(1), OpenConnection(3)]),
        (ConnectionOpened(3), 2, [GrantConnection("c", 3)]),
    ],
    "dead idle connections are passed over until one lives or a new one is opened": [
        *request("a", "b"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (ConnectionOpened(2), 0, [GrantConnection("b", 2)]),
        (ConnectionReleased(1), 1, []),
        (ConnectionReleased(2), 1, []),
        (ConnectionRequested("c"), 2, [GrantConnection("c", 2)]),
        (ConnectionDistrusted(2, unused=True), 2, [CloseConnection(2), GrantConnection("c", 1)]),
        (ConnectionDistrusted(1, unused=True), 2, [CloseConnection(1), OpenConnection(3)]),
        (ConnectionRequested("d"), 2, [OpenConnection(4)]),
        (ConnectionOpened(4), 3, [GrantConnection("c", 4)]),
        (ConnectionOpened(3), 3, [GrantConnection("d", 3)]),
    ],
    "when the server ends a connection, none of the others is granted again": [
        *request("a", "b"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (ConnectionOpened(2), 0, [GrantConnection("b", 2)]),
        (ConnectionReleased(1), 1, []),
        (ConnectionDistrusted(2, lost=True), 1, [CloseConnection(2), CloseConnection(1)]),
        (ConnectionRequested("c"), 1, []),
        (DeadlineReached(), 1.125, [OpenConnection(3)]),
        (ConnectionOpened(3), 2, [GrantConnection("c", 3)]),
        (ConnectionRequested("d"), 2, [OpenConnection(4)]),
        (ConnectionOpened(4), 2, [GrantConnection("d", 4)]),
        (ConnectionDistrusted(3, lost=True), 3, [CloseConnection(3)]),
        (ConnectionReleased(4), 3, [CloseConnection(4)]),
    ],
    "a connection that was being opened when the server ended another is not granted": [
        *request("a", "b"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (ConnectionDistrusted(1, lost=True), 1, [CloseConnection(1)]),
        (ConnectionOpened(2), 1, [CloseConnection(2)]),
        (DeadlineReached(), 1.125, [OpenConnection(3)]),
        (ConnectionOpened(3), 2, [GrantConnection("b", 3)]),
    ],
    "who was granted a dead connection keeps place and deadline": [
        *request("a", "b", "c"),
        (ConnectionOpened(1), 5, [GrantConnection("a", 1)]),
        (ConnectionDistrusted(1, unused=True), 5, [CloseConnection(1), OpenConnection(3)]),
        (DeadlineReached(), 9.9, []),
        (ConnectionOpened(2), 9.9, [GrantConnection("a", 2)]),
        (DeadlineReached(), 10, [refused("b", "53300"), refused("c", "53300")]),
    ],
    "an idle connection is closed after a time": [
        *request("a"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (ConnectionReleased(1), 10, []),
        (DeadlineReached(), 109, []),
        (DeadlineReached(), 110, [CloseConnection(1)]),
        (ConnectionRequested("b"), 111, [OpenConnection(2)]),
    ],
    "an old connection is closed when it comes back": [
        *request("a", "b", "c"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (ConnectionOpened(2), 0, [GrantConnection("b", 2)]),
        (ConnectionReleased(1), 1000, [CloseConnection(1), OpenConnection(3)]),
    ],
    "an old connection is closed while it is idle": [
        *request("a"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (ConnectionReleased(1), 950, []),
        (DeadlineReached(), 1000, [CloseConnection(1)]),
    ],
    "closing refuses, and closes what is idle or comes back": [
        *request("a", "b", "c"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (PoolClosing(), 1, [refused("b", "57P01"), refused("c", "57P01")]),
        (ConnectionRequested("d"), 1, [refused("d", "57P01")]),
        (ConnectionReleased(1), 2, [CloseConnection(1)]),
        (ConnectionOpened(2), 2, [CloseConnection(2)]),
    ],
    "closing with an idle connection and an opening that fails": [
        *request("a", "b"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (RequestAbandoned("b"), 0, []),
        (ConnectionReleased(1), 0, []),
        (PoolClosing(), 1, [CloseConnection(1)]),
        (OpeningFailed(2, REFUSED), 1, []),
        (DeadlineReached(), 50, []),
    ],
    "a dead connection granted while closing": [
        *request("a"),
        (ConnectionOpened(1), 0, [GrantConnection("a", 1)]),
        (PoolClosing(), 0, []),
        (ConnectionDistrusted(1, unused=True), 0, [CloseConnection(1), refused("a", "57P01")]),
    ],
}


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_playbook(name: str) -> None:
    pool = Pool(LIMITS)
    for event, now, expected in PLAYBOOKS[name]:
        found = [
            (command.waiter, command.error.sqlstate) if isinstance(command, RefuseRequest) else command
            for command in pool.handle(event, now)
        ]
        assert found == expected, (event, now)
        assert pool.deadline is None or pool.deadline > now or not isinstance(event, DeadlineReached)


def test_the_pause_between_attempts_is_bounded() -> None:
    pool = Pool(PoolLimits(acquire_timeout=1000.0))
    pool.handle(ConnectionRequested("a"), 0.0)
    now, pauses = 0.0, []
    for id in range(1, 8):
        pool.handle(OpeningFailed(id, REFUSED), now)
        assert pool.retry_at == pool.deadline
        pauses.append(round((pool.retry_at or 0.0) - now, 6))
        now = pool.retry_at or 0.0
        assert pool.handle(DeadlineReached(), now) == [OpenConnection(id + 1)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_the_refusals_name_the_time_and_the_reason() -> None:
    pool = Pool(PoolLimits(max_size=1))
    pool.handle(ConnectionRequested("a"), 0.0)
    pool.handle(ConnectionOpened(1), 0.0)
    pool.handle(ConnectionRequested("b"), 0.0)
    (refusal,) = pool.handle(DeadlineReached(), 10.0)
    assert isinstance(refusal, RefuseRequest)
    assert str(refusal.error) == "no database connection became free within 10 s"
    assert refusal.error.retryable
    pool.handle(ConnectionDistrusted(1), 10.0)
    pool.handle(ConnectionRequested("c"), 10.0)
    pool.handle(OpeningFailed(2, REFUSED), 19.95)
    (refusal,) = pool.handle(DeadlineReached(), 20.0)
    assert isinstance(refusal, RefuseRequest)
    assert str(refusal.error) == "no database connection could be made within 10 s: connection refused"
    assert refusal.error.unavailable


@pytest.mark.parametrize(
    "event",
    [
        ConnectionOpened(2),
        OpeningFailed(2, REFUSED),
        ConnectionReleased(2),
        ConnectionDistrusted(2),
        ConnectionOpened(1),
    ],
)
def test_an_event_that_the_state_does_not_allow_is_our_callers_bug(event: Event) -> None:
    pool = Pool(LIMITS)
    pool.handle(ConnectionRequested("a"), 0.0)
    pool.handle(ConnectionOpened(1), 0.0)
    with pytest.raises(LocalProtocolError):
        pool.handle(event, 0.0)


class PoolUnderRandomEvents(RuleBasedStateMachine):
    """Drives a pool as a runtime would, and keeps its own books."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = PoolLimits(max_size=3, max_waiting=5, max_idle=20.0, max_lifetime=60.0)
        self.pool = Pool(self.limits)
        self.now = 100.0
        self.closing = False
        self.opening: list[int] = []
        self.idle: set[int] = set()
        self.holders: dict[int, int] = {}
        self.queue: list[int] = []
        self.names = 0

    def tell(self, event: Event) -> None:
        self.carry_out(self.pool.handle(event, self.now))

    def carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case OpenConnection(id):
                    assert not self.closing
                    self.opening.append(id)
                case CloseConnection(id):
                    assert id in self.idle or id in self.holders
                    self.idle.discard(id)
                    self.holders.pop(id, None)
                case GrantConnection(waiter, id):
                    assert id not in self.holders, "granted twice"
                    assert waiter == self.queue.pop(0), "not first come, first served"
                    self.idle.discard(id)
                    self.holders[id] = waiter  # type: ignore[assignment]
                case RefuseRequest(waiter, error):
                    assert error.sqlstate
                    self.queue.remove(waiter)  # type: ignore[arg-type]

    def pick(self, data: st.DataObject, ids: list[int]) -> int | None:
        return data.draw(st.sampled_from(ids)) if ids else None

    @rule(patient=st.booleans())
    def request(self, patient: bool) -> None:
        self.names += 1
        self.queue.append(self.names)
        self.tell(ConnectionRequested(self.names, patient))

    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        if (name := self.pick(data, self.queue)) is not None:
            self.queue.remove(name)
            self.tell(RequestAbandoned(name))

    @rule(data=st.data())
    def opened(self, data: st.DataObject) -> None:
        if (id := self.pick(data, self.opening)) is not None:
            self.opening.remove(id)
            self.idle.add(id)
            self.tell(ConnectionOpened(id))

    @rule(data=st.data(), error=st.sampled_from([REFUSED, STARTING, PASSWORD]))
    def opening_failed(self, data: st.DataObject, error: DatabaseError) -> None:
        if (id := self.pick(data, self.opening)) is not None:
            self.opening.remove(id)
            self.tell(OpeningFailed(id, error))

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if (id := self.pick(data, sorted(self.holders))) is not None:
            del self.holders[id]
            self.idle.add(id)
            self.tell(ConnectionReleased(id))

    @rule(data=st.data(), lost=st.booleans(), unused=st.booleans())
    def distrust(self, data: st.DataObject, lost: bool, unused: bool) -> None:
        if (id := self.pick(data, sorted(self.holders))) is not None:
            if unused:
                self.queue.insert(0, self.holders[id])
            self.tell(ConnectionDistrusted(id, lost, unused))
            assert id not in self.holders

    @rule(seconds=st.sampled_from([0.01, 0.3, 3.0, 12.0, 45.0]))
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.pool.deadline is not None and self.pool.deadline <= end:
            self.now = max(self.now, self.pool.deadline)
            self.tell(DeadlineReached())
            assert self.pool.deadline is None or self.pool.deadline > self.now, "a deadline that stays"
        self.now = end

    @rule()
    def close(self) -> None:
        self.closing = True
        self.tell(PoolClosing())

    @invariant()
    def books_agree(self) -> None:
        pool = self.pool
        assert pool.size == len(self.opening) + len(self.idle) + len(self.holders) <= self.limits.max_size
        assert (pool.opening, pool.idle, pool.granted) == (len(self.opening), len(self.idle), len(self.holders))
        assert pool.waiting == len(self.queue)

    @invariant()
    def nobody_waits_beside_an_idle_connection(self) -> None:
        assert not (self.queue and self.idle)

    @invariant()
    def who_waits_is_waited_for(self) -> None:
        """No request is lost: it has a deadline, and an opening, a use or a retry that it can hope for."""
        if self.queue:
            assert self.pool.deadline is not None
            assert self.pool.deadline <= self.now + self.limits.acquire_timeout
            assert self.opening or self.holders or self.pool.retry_at is not None

    def teardown(self) -> None:
        self.close()
        assert not self.queue
        assert not self.idle
        for id in list(self.opening):
            self.opening.remove(id)
            self.idle.add(id)
            self.tell(ConnectionOpened(id))
        for id in list(self.holders):
            del self.holders[id]
            self.idle.add(id)
            self.tell(ConnectionReleased(id))
        assert self.pool.size == 0
        assert not self.idle
        assert self.pool.deadline is None


PoolUnderRandomEvents.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_the_pool_under_random_events = PoolUnderRandomEvents.TestCase
