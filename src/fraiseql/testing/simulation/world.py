"""One simulated world: clients, the server and its database, from a seed to a verdict."""

from __future__ import annotations

import re
import traceback
from collections import Counter
from dataclasses import dataclass, replace
from operator import methodcaller
from pathlib import Path
from random import Random
from typing import Final, Literal, Protocol, TypeAlias

from fraiseql.effects import Event, changed_topic
from fraiseql.errors import DatabaseError, RequestError, ValueRefused
from fraiseql.limits import HttpLimits, PoolLimits, SubscriptionLimits, WebSocketLimits
from fraiseql.observations import InternalErrorMasked, Observation, RequestCompleted, WebSocketClosed
from fraiseql.runtimes.dispatching import Dispatcher, Ticket
from fraiseql.session import ClientSession, Endpoint
from fraiseql.session.busy import BusySession
from fraiseql.testing.simulation.database import DatabaseFaults, ScriptedDatabase
from fraiseql.testing.simulation.desk import NOTED, made, statements, text_of
from fraiseql.testing.simulation.event_stream_client import EventStreamClient
from fraiseql.testing.simulation.http_client import HttpClient
from fraiseql.testing.simulation.loop import SimulatedLoop
from fraiseql.testing.simulation.network import Listener, NetworkFaults, Wire
from fraiseql.testing.simulation.performing import Performer
from fraiseql.testing.simulation.questions import DONE, FAILED, Question
from fraiseql.testing.simulation.servers import LoopServer, Server, Site, ThreadServer
from fraiseql.testing.simulation.story import Story
from fraiseql.testing.simulation.websocket_client import WebSocketClient

__all__ = ["Outcome", "Runtime", "World", "failure_of", "simulate"]

Runtime: TypeAlias = Literal["loops", "threads"]
"""Which server there is: drivers, as on asyncio and trio, or threads."""

_DRAINS: Final = {"loops": 0.15, "threads": 0.35}  # how often a server drains
_TROUBLE: Final = 6.0  # seconds, after which the database makes no more mistakes
_CALM: Final = 8.0  # seconds more, after which everything must be well again
_SETTLED: Final = 300.0  # seconds, by which all clients are served or gone
_CLOSED: Final = 70.0  # seconds more, by which nothing is left: a statement that is stuck ends in 60
_DRAINED: Final = 4.0  # seconds for the end of a connection that is idle while the server drains
_LOOK: Final = 0.5  # seconds between two looks at the queues

_HTTP: Final = HttpLimits(max_pipelined=4_000, head_timeout=3.0, body_timeout=3.0, idle_timeout=20.0, write_timeout=4.0)
_WEBSOCKET: Final = WebSocketLimits(ping_interval=5.0, ping_timeout=5.0, close_timeout=2.0)
_SUBSCRIPTIONS: Final = SubscriptionLimits(init_timeout=3.0, max_queued=4, max_unread=8_000, keep_alive=4.0)
_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")
_TOO_MANY: Final = "requests wait for a database connection already"
_UNREAD: Final = "the client did not read what it asked for"
_MAX_BUFFERED: Final = 20
_MOST_UNSENT: Final = 20_000  # of one connection: what is unread, and an answer or two


class Client(Listener, Protocol):
    """A client in a world."""

    name: str
    over: bool

    @property
    def waits_for_nothing(self) -> bool:
        """Whether the server need not keep its connection."""

    def start(self) -> None:
        """Connect, and begin."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed.

    Attributes:
        seed, runtime: that the world was made of.
        violations: what must not have happened; empty where all is well.
        story: what everybody did, and when.
        requests: how many were asked.
        shared: how many round trips two statements or more have shared.
        steps: how many calls the event loop has made.
        seconds: virtual ones.
    """

    seed: int
    runtime: Runtime
    violations: tuple[str, ...]
    story: Story
    requests: int
    shared: int
    steps: int
    seconds: float


class World:
    """Everything in it.

    Args:
        seed: of everything that is drawn.
        runtime: `loops`, with the drivers of asyncio and trio, or `threads`.

    Attributes:
        faulty: whether the database makes mistakes, or turns clients away.
        quick: whether it is usually so quick that statements may share a round trip.
        calm_at: when everything must be well again.
        sound: the markers of requests that cannot fail, unless too many come at once.
        changes_late: whether something was committed just before that.
        dispatcher, performer, database: parts of the server, and what it talks to.
    """

    def __init__(self, seed: int, runtime: Runtime = "loops") -> None:
        self.seed, self.runtime = seed, runtime
        self._random = random = _drawn(f"world {seed}")
        self.loop = loop = SimulatedLoop(_drawn(f"ties {seed}"))
        self.story = Story(loop.time)
        self.violations: list[str] = []
        self.faulty = random.random() < 0.6
        size = random.choice((1, 2, 3))
        waiting = random.choice((3, 50)) if self.faulty else 50
        self.quick = random.random() < 0.4
        depth = random.choice((1, 2, 8, 8) if self.quick else (1, 1, 2, 8))
        self.pool_limits = PoolLimits(max_size=size, max_waiting=waiting, acquire_timeout=3.0, pipeline_depth=depth)
        self.database = ScriptedDatabase(
            loop, _drawn(f"database {seed}"), self.story, self._faults(), statements(), self._changed, self.violated
        )
        self.dispatcher = Dispatcher(self.pool_limits, self.database.connect, loop, self._observe)
        share = max(1, size // 2)
        room = methodcaller("room") if runtime == "threads" else None  # each has its own
        self.performer = Performer(loop, self.dispatcher, share, _MAX_BUFFERED, self._submitted, room)
        self._max_connections = random.choice((2, 100, 100, 100, 100))
        self._server = self._make_server(share)
        self._names = 0
        self._draining = False
        self._idle: dict[Client, float] = {}  # while the server drains: since when they wait for nothing
        self._turned_away: set[str] = set()
        self._narrow: dict[str, str] = {}  # connections of which little fits on the way, and whose they are
        self._overflowed: set[str] = set()
        self.calm_at = loop.time() + _TROUBLE + _CALM
        self.changes_late = False
        self.sound: set[str] = set()
        self._crowded = False  # since then, somebody was refused since too many waited for the database
        self._asked: dict[str, Question] = {}
        self._verdicts: dict[str, str] = {}
        self._published = 0
        self._starts: dict[Client, float] = {}  # of those who come together
        self.clients: list[Client] = [HttpClient(self, n, self._own(n)) for n in range(1, random.randrange(2, 8))]
        if self.quick and random.random() < 0.6:
            self._crowd(random.randrange(6, 17))
        count = random.randrange(3)
        self.clients += [WebSocketClient(self, n, self._own(n)) for n in range(11, 11 + count)]
        if (count := _drawn(f"event streams {seed}").randrange(-2, 3)) > 0:
            self.clients += [EventStreamClient(self, n, self._own(n)) for n in range(31, 31 + count)]
        self._endpoint = Endpoint(
            pipeline=made(runtime),
            observe=self._observe,
            http=replace(_HTTP, idle_timeout=self._idle_timeout()),
            websocket=_WEBSOCKET,
            subscriptions=_SUBSCRIPTIONS,
        )

    def _idle_timeout(self) -> float:
        """In seconds: so long, that who has left is missed, unless there are some that only this sends away."""
        is_needed = any(getattr(client, "manner", "") == "never reads" for client in self.clients)
        return _HTTP.idle_timeout if is_needed else 2 * _SETTLED

    def _make_server(self, max_statements: int) -> Server:
        site = Site(
            loop=self.loop,
            random=_drawn(f"threads {self.seed}"),
            performer=self.performer,
            max_statements=max_statements,
            write_timeout=_HTTP.write_timeout,
            close_spread=_SUBSCRIPTIONS.close_spread,
            observe=self._observe,
            violated=self.violated,
        )
        return LoopServer(site) if self.runtime == "loops" else ThreadServer(site)

    def _crowd(self, count: int) -> None:
        """Clients that come and ask at the same moments."""
        first, at = 100, round(self._random.random() * 2.0, 3)
        clients = [HttpClient(self, n, self._own(n), in_crowd=True) for n in range(first, first + count)]
        self.clients += clients
        self._starts.update(dict.fromkeys(clients, at))

    def _own(self, number: int) -> Random:
        return _drawn(f"client {number} {self.seed}")

    def _faults(self) -> DatabaseFaults:
        random = self._random
        if self.quick:
            latency, work = random.choice((0.0, 0.0002)), random.choice((0.0001, 0.0005))
        else:
            latency, work = 0.002, random.choice((0.005, 0.02, 0.3)) if self.faulty else 0.02
        if not self.faulty:
            return DatabaseFaults(latency=latency, work=work)

        def often(most: float) -> float:
            return random.random() * most if random.random() < 0.5 else 0.0

        return DatabaseFaults(
            latency=latency,
            work=work,
            refusals=often(0.5),
            errors=often(0.3),
            stuck=often(0.1),
            deaths=often(0.3),
            lost_cancels=often(1.0),
            late_cancels=often(1.0),
        )

    # What happens

    def run(self) -> Outcome:
        """Let it happen, and look at what is left."""
        try:
            self._plan()
            self._live()
        except Exception as error:
            self.violated(f"a defect: {type(error).__name__}: {_repeatable(str(error))} ({_place(error)})")
        self._server.end()
        seconds = self.loop.time() - 1_000.0
        return Outcome(
            seed=self.seed,
            runtime=self.runtime,
            violations=tuple(self.violations),
            story=self.story,
            requests=len(self._asked),
            shared=len(self.database.trips),
            steps=self.loop.steps,
            seconds=seconds,
        )

    def _plan(self) -> None:
        random, loop = self._random, self.loop
        for client in self.clients:
            drawn = random.choice((0.0, round(random.random(), 3)))
            loop.call_later(self._starts.get(client, drawn), client.start)
        loop.call_later(_TROUBLE, self._calm)
        if self.faulty and random.random() < 0.4:
            away = random.choice((0.0, 0.2, 1.0))
            loop.call_later(random.random() * 1.5, self.database.restart, away)
        if random.random() < _DRAINS[self.runtime]:
            loop.call_later(random.random() * 2.0, self._drain)
        if any(isinstance(client, (WebSocketClient, EventStreamClient)) for client in self.clients):
            for _ in range(random.choice((0, 5, 25))):
                loop.call_later(random.random() * 4.0, self._publish, random.randrange(1, 4))

    def _live(self) -> None:
        begin, loop = self.loop.time(), self.loop
        while loop.time() < begin + _SETTLED and not self._settled():
            is_idle = loop.run(loop.time() + _LOOK, max_steps=200_000)
            self._look()
            if self.violations:
                return
            if is_idle:
                break
        self._check_settled()
        self.story.tell("server", "stops")
        self._server.cut()
        self.dispatcher.close(self._stopped)
        if not loop.run(loop.time() + _CLOSED, max_steps=200_000):
            self.violated(f"still to be called: {', '.join(self.loop.pending()[:5])}")
        self._check_end()

    def _stopped(self) -> None:
        self.story.tell("server", "has stopped")
        self.dispatcher.stop()

    def _settled(self) -> bool:
        performer, pool = self.performer, self.dispatcher.pool
        busy = performer.running or performer.transactions or pool.granted or self.dispatcher.waiting
        return not busy and not any(self._server.left().values()) and all(client.over for client in self.clients)

    def _calm(self) -> None:
        self.story.tell("database", "makes no more mistakes")
        self.database.quiet = True

    def _drain(self) -> None:
        self.story.tell("server", "drains")
        self._draining = True
        self._server.drain()
        if self.runtime == "threads" and self._random.random() < 0.5:  # some stop before all is said
            grace = self._random.choice((0.0, 0.1, 3.0))
            self.loop.call_later(self._random.random() * grace, self._server.cut)

    def _publish(self, count: int) -> None:
        numbers = range(self._published, self._published + count)
        self._published += count
        self.story.tell("bus", "publishes events %d to %d", numbers[0], numbers[-1])
        size = self._random.choice((1, 1, 2_000))
        events = [Event(NOTED, {"id": f"e{n}", "size": size, "text": text_of(f"e{n}", size)}) for n in numbers]
        self.performer.fanout.broadcast(events)

    def _changed(self) -> None:
        if self.loop.time() > self.calm_at - 1.0:
            self.changes_late = True
        self.performer.fanout.broadcast([Event(changed_topic("note"))])

    # What clients do

    def connect(self, client: Listener) -> Wire:
        """A client comes."""
        random = self._random
        is_near = isinstance(client, HttpClient) and client.in_crowd
        faults = NetworkFaults(
            latency=random.choice((0.0, 0.0, 0.002) if is_near else (0.0, 0.002, 0.05)),
            cuts=random.choice((0.0, 0.5, 0.9)),
            window=random.choice((300, 2_000, 20_000)),
            half_closes=random.random() < 0.7,
        )
        self._names += 1
        name = f"s-{self._names}"
        wire = self._server.wire(name, random, faults)
        session: ClientSession | BusySession = ClientSession(self._endpoint, name, None)
        if self._server.connections >= self._max_connections:
            session = BusySession(name, _HTTP, 1, self._observe)
            self._turned_away.add(getattr(client, "name", ""))
        if faults.window < 10_000:
            self._narrow[name] = getattr(client, "name", "")
        self._server.serve(session, wire, client)
        return wire

    def excuse(self, client: Client) -> str:
        """Why the server may cut any client off now."""
        if self._draining:
            return "the server drains"
        if client.name in self._overflowed:
            return "it has asked for more than fits on its way"
        return "there is no room" if client.name in self._turned_away else ""

    def may_fail(self, question: Question) -> bool:
        """Whether a request may be answered with an error that is none of its own."""
        return self.faulty and (question.marker not in self.sound or self._crowded)

    def asked(self, question: Question) -> None:
        """A request is on its way."""
        self._asked[question.marker] = question

    def answered(self, question: Question, verdict: str) -> None:
        """A request has its answer."""
        if question.marker in self._verdicts:
            self.violated(f"{question.marker} has a second answer")
        self._verdicts[question.marker] = verdict

    def over(self, client: Client) -> None:
        """A client has left."""

    # What must hold

    def violated(self, what: str) -> None:
        """Something has happened that must not."""
        self.violations.append(what)
        self.story.tell("VIOLATION", "%s", what.replace("%", "%%"))

    def _look(self) -> None:
        pool = self.dispatcher.pool
        if pool.size > self.pool_limits.max_size or self.database.most > self.pool_limits.max_size:
            self.violated(f"{pool.size} connections to the database")
        self._look_at_queues()
        self._look_at_clients()
        for name, unsent in self._server.unsent().items():
            if unsent > _MOST_UNSENT:
                self.violated(f"{unsent} bytes are kept for {name}")

    def _look_at_clients(self) -> None:
        for client in self.clients:
            if isinstance(client, HttpClient) and client.held > _HTTP.max_pipelined:
                self.violated(f"{client.held} bytes of {client.name} are taken in, and not answered")
            if not self._draining or not client.waits_for_nothing:
                self._idle.pop(client, None)
            elif self.loop.time() - self._idle.setdefault(client, self.loop.time()) > _DRAINED:
                self.violated(f"{client.name} waits for nothing, and is kept although the server drains")

    def _submitted(self, ticket: Ticket) -> None:
        self.database.note(ticket)
        self._look_at_queues()

    def _look_at_queues(self) -> None:
        alone = self.dispatcher.pool.waiting
        for what, waiting in {"a connection": alone, "a round trip": self.dispatcher.waiting - alone}.items():
            if waiting > self.pool_limits.max_waiting:  # of each of the two queues
                self.violated(f"{waiting} requests wait for {what}")

    def _check_settled(self) -> None:
        pool, performer = self.dispatcher.pool, self.performer
        for client in self.clients:
            if not client.over:
                self.violated(f"{client.name} is still waiting")
        for what, left in {
            **self._server.left(),
            "connections that somebody holds": pool.granted,
            "requests that wait for a connection": self.dispatcher.waiting,
            "running programs": performer.running,
            "open transactions": performer.transactions,
            "shared streams": performer.streams,
            "listening streams": len(performer.fanout),
        }.items():
            if left:
                self.violated(f"{left} {what} are left after {_SETTLED:g} seconds")
        self._check_writes()

    def _check_writes(self) -> None:
        committed = Counter(self.database.committed)
        for question in self._asked.values():
            if not question.writes:
                continue
            counts = {committed.pop(marker, 0) for marker in question.markers}
            verdict = self._verdicts.get(question.marker)
            if len(counts) > 1:
                self.violated(f"{question.marker} is committed by half")
            if max(counts) > 1:
                self.violated(f"{question.marker} is committed {max(counts)} times")
            if verdict == DONE and counts != {1}:
                self.violated(f"{question.marker} was acknowledged, and is not committed")
            if verdict == FAILED and counts != {0}:
                self.violated(f"{question.marker} was refused, and is committed")
        if committed:
            self.violated(f"nobody has asked for {', '.join(committed)}")

    def _check_end(self) -> None:
        if self.dispatcher.pool.size or self.dispatcher.links or self.database.backends:
            self.violated(f"{self.dispatcher.pool.size} connections to the database are left at the end")

    def _observe(self, observation: Observation) -> None:
        if isinstance(observation, RequestCompleted):
            return
        self.story.tell("server", "%s", repr(observation))
        if isinstance(observation, WebSocketClosed) and observation.reason == _UNREAD:
            self._overflowed.add(self._narrow.get(observation.connection_id, ""))
        if isinstance(observation, InternalErrorMasked):
            if _TOO_MANY in str(observation.error) and self.loop.time() >= self.calm_at:
                self._crowded = True
            if not _is_known(observation.error):
                self.violated(f"a defect: {observation.error!r}")


def _drawn(seed: str) -> Random:
    return Random(seed)  # noqa: S311 - it shall be known what it draws


def _place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _repeatable(text: str) -> str:
    return _ADDRESS.sub("", text)  # which differs from run to run


def _is_known(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_known, error.exceptions))
    return isinstance(error, (DatabaseError, RequestError, ValueRefused))


def failure_of(outcome: Outcome) -> str:
    """What went wrong with a seed, and the command that shows it again."""
    lines = [f"seed {outcome.seed}: {violation}" for violation in outcome.violations]
    runtime = "" if outcome.runtime == "loops" else f" --runtime {outcome.runtime}"
    return "\n".join([*lines, f"python -m fraiseql.testing.simulation --seed {outcome.seed}{runtime}"])


def simulate(seed: int, runtime: Runtime = "loops") -> Outcome:
    """Let the world of a seed happen; the same seed gives the same story, byte for byte."""
    return World(seed, runtime).run()
