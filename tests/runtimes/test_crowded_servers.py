"""How many round trips go at once to a server that has few processors, or many; on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from statistics import mean
from typing import Any

import pytest

from fraiseql.effects import Fetch, Statement
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.runtimes.dispatching import Dispatcher, Job, Link, Ticket
from fraiseql.testing.simulation.loop import SimulatedLoop

QUICK = Fetch(Statement(b"SELECT 1", 1), (), read_only=True)
STUCK = Fetch(Statement(b"SELECT 1", 1), (b"locked",), read_only=True)
WORK, NETWORK = 0.001, 0.000_1  # seconds of one statement on a processor, and of a round trip
CLIENTS, CONNECTIONS = 32, 10


class Server:
    """Some processors, of which each round trip under way has its part."""

    def __init__(self, processors: int) -> None:
        self.random = Random(1)
        self.loop = SimulatedLoop(self.random)
        self.processors = processors
        self.work = WORK
        self.varies = False  # the work, by the arguments
        self.under_way = 0
        self.seen: list[int] = []  # how many, at each start
        self.fails = False  # the first statement of each round trip
        limits = PoolLimits(max_size=CONNECTIONS, pipeline_depth=16)
        self.dispatcher = Dispatcher(limits, self._open, self.loop, lambda _: None)

    def _open(self, opened: Callable[[Link | None, Any], None]) -> None:
        self.loop.call_soon(opened, ServerLink(self), None)

    def run(self, jobs: Sequence[Job], then: Callable[[], None]) -> None:
        self.under_way += 1
        self.seen.append(self.under_way)
        if self.varies:
            self.work = WORK if self.random.random() < 0.1 else 8 * WORK
        turns = max(1.0, self.under_way / self.processors)
        stuck = any(job.effect is STUCK for job in jobs)
        self.loop.call_later(60.0 if stuck else NETWORK + len(jobs) * self.work * turns, self._end, then)

    def _end(self, then: Callable[[], None]) -> None:
        self.under_way -= 1
        then()

    def serve(self, seconds: float) -> None:
        """Clients of which each asks again as soon as it is answered."""
        until = self.loop.time() + seconds

        def ask(*_: object) -> None:
            if self.loop.time() < until:
                self.dispatcher.submit(QUICK, ask)

        for _ in range(CLIENTS):
            ask()
        self.loop.run(until + 1.0, max_steps=1_000_000)


class ServerLink:
    backend_pid, is_lost = 1, False

    def __init__(self, server: Server) -> None:
        self.server = server
        self.on_lost: Callable[[], None] = lambda: None

    def is_open(self) -> bool:
        return True

    def start(self, job: Job) -> None:
        self.server.run([job], lambda: job.ended((b"1",), None))

    def start_all(self, jobs: Sequence[Job], over: Callable[[Sequence[Job], Sequence[Job], bool], None]) -> None:
        def end() -> None:
            if self.server.fails:
                over(jobs[1:], (), False)
                jobs[0].ended(None, DatabaseError("no", sqlstate="22012"))
                return
            over((), (), True)
            for job in jobs:
                job.ended((b"1",), None)

        self.server.run(jobs, end)

    def abandon(self, job: Job, then: Callable[[], None]) -> None:
        then()

    def give_up(self) -> None: ...

    def fault(self, otherwise: str) -> str | None:
        return None

    def cut(self) -> None: ...

    def close(self) -> None: ...


def test_a_server_with_few_processors_is_given_few_round_trips_at_once() -> None:
    server = Server(processors=1)
    server.serve(5.0)
    assert mean(server.seen[-500:]) < 0.85 * CONNECTIONS
    server.processors = CONNECTIONS
    server.serve(5.0)
    assert mean(server.seen[-500:]) > 0.95 * CONNECTIONS, "it has got some more"


def test_a_server_with_many_processors_is_given_as_many_as_it_needs() -> None:
    server = Server(processors=CONNECTIONS)
    server.serve(5.0)
    assert mean(server.seen[-500:]) > 0.95 * CONNECTIONS


def test_statements_that_take_longer_by_their_arguments_are_no_crowd() -> None:
    server = Server(processors=CONNECTIONS)
    server.varies = True
    server.serve(5.0)
    assert mean(server.seen[-500:]) > 0.9 * CONNECTIONS


def test_who_is_quick_waits_for_those_that_are_stuck_no_longer_than_a_moment() -> None:
    server = Server(processors=1)
    server.serve(2.0)
    for _ in range(3):
        server.dispatcher.submit(STUCK, lambda *_: None)
        server.loop.run(server.loop.time() + 0.000_01)
    answered: list[float] = []
    began = server.loop.time()
    server.dispatcher.submit(QUICK, lambda *_: answered.append(server.loop.time() - began))
    server.loop.run(began + 1.0)
    assert answered
    assert answered[0] < 0.05


@pytest.mark.parametrize("way", ["fails", "leaves"])
def test_nobody_waits_for_a_round_trip_that_has_ended(way: str) -> None:
    server = Server(processors=1)
    server.serve(2.0)
    loop, dispatcher, server.work = server.loop, server.dispatcher, WORK / 4
    answered: list[float] = []

    def ask() -> Ticket:
        return dispatcher.submit(QUICK, lambda *_: answered.append(loop.time()))

    for _ in range(2):  # the second learns what it takes
        ask()
    loop.run(loop.time() + 0.1)
    answered.clear()
    server.fails = way == "fails"
    tickets = [ask()]
    while not dispatcher.waiting:
        tickets += [ask() for _ in range(2 if server.fails else 1)]
        loop.run(loop.time() + 0.000_001)
    assert 1 < server.under_way < CONNECTIONS, "there is no room, though there are connections"
    began = loop.time()
    if way == "leaves":
        for ticket in tickets[:-1]:
            ticket.abandon()
    loop.run(began + 1.0)
    assert len(answered) == (len(tickets) if server.fails else 1)
    assert max(answered) - began < 0.015
