"""A scripted database: it knows the statements of the simulation, and does to its clients what databases do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeAlias

from fraiseql.errors import DatabaseError
from fraiseql.runtimes.dispatching import Job
from fraiseql.testing.simulation.desk import Statements
from fraiseql.testing.simulation.links import ScriptedLink
from fraiseql.testing.simulation.loop import SimulatedLoop
from fraiseql.testing.simulation.story import Story

__all__ = ["DatabaseFaults", "Done", "ScriptedDatabase"]

Done: TypeAlias = Callable[[Any, DatabaseError | None], None]
"""Is told a result or an error."""

_SLOW: Final = 0.002  # seconds, from which on times are whole milliseconds
_REFUSALS: Final = (("08001", True), ("53300", True), ("57P03", True))
_ERRORS: Final = (
    *(("40001", True), ("40P01", True), ("55P03", True), ("53200", True)),
    *(("23505", False), ("22012", False), ("P0001", False), ("XX000", False)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFaults:
    """How often the database does what it should not, as probabilities; times in seconds.

    Attributes:
        latency: the longest way of a message, either way.
        work: the longest time of a usual statement.
        refusals: of connecting.
        errors: of a statement.
        stuck: of a statement that waits for a lock.
        deaths: of a connection while a statement of it is under way, before or after it was carried out.
        lost_cancels: of a cancel that does not arrive.
        late_cancels: of one that takes long.
    """

    latency: float = 0.002
    work: float = 0.02
    refusals: float = 0.0
    errors: float = 0.0
    stuck: float = 0.0
    deaths: float = 0.0
    lost_cancels: float = 0.0
    late_cancels: float = 0.0


class ScriptedDatabase:
    """The server.

    Args:
        statements: those it knows.
        changed: called when something was committed.
        violated: called with what must not have happened.

    Attributes:
        backends: those that are alive, by process id.
        committed: how often each marker was.
        most: how many connections there were at once.
        quiet: whether it makes no more mistakes.
        trips: how many statements each round trip had that several have shared.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        random: Random,
        story: Story,
        faults: DatabaseFaults,
        statements: Statements,
        changed: Callable[[], None],
        violated: Callable[[str], None],
    ) -> None:
        self.loop, self.random, self.faults, self.statements = loop, random, faults, statements
        self._story = story
        self._changed = changed
        self.violated = violated
        self.backends: dict[int, ScriptedLink] = {}
        self.committed: Counter[str] = Counter()
        self.most = 0
        self.quiet = False
        self.trips: list[int] = []
        self._numbers: dict[Job, int] = {}
        self._away_until = 0.0
        self._pids = 100

    def tell(self, what: str, *values: Any) -> None:
        """Note it in the story."""
        self._story.tell("database", what, *values)

    def note(self, job: Job) -> None:
        """Remember the order in which statements were submitted."""
        self._numbers[job] = len(self._numbers)

    def depart(self, jobs: Sequence[Job]) -> None:
        """Several statements share a round trip."""
        self.trips.append(len(jobs))
        numbers = [self._numbers[job] for job in jobs]
        if numbers != sorted(numbers):
            self.violated(f"statements {numbers} share a round trip in this order")

    def draw(self, probability: float) -> bool:
        """Whether a mistake is made now."""
        return not self.quiet and probability > 0.0 and self.random.random() < probability

    def latency(self) -> float:
        """The way of one message."""
        return self._up_to(self.faults.latency)

    def work(self) -> float:
        """The time of a statement."""
        return self._up_to(self.faults.work)

    def _up_to(self, most: float) -> float:
        """Rounded, so that things meet."""
        return round(self.random.random() * most, 3 if most >= _SLOW else 4)

    def connect(self, done: Done) -> None:
        """Connect; gives a ScriptedLink. This is the Opener of a Dispatcher."""
        self.loop.call_later(3 * self.latency(), self._connected, done)

    def _connected(self, done: Done) -> None:
        if self.loop.time() < self._away_until:
            done(None, DatabaseError("connection refused", sqlstate="08001", retryable=True))
        elif self.draw(self.faults.refusals):
            sqlstate, retryable = self.random.choice(_REFUSALS)
            self.tell("refuses a connection: %s", sqlstate)
            done(None, DatabaseError("no connection", sqlstate=sqlstate, retryable=retryable))
        else:
            self._pids += 1
            backend = self.backends[self._pids] = ScriptedLink(self, self._pids)
            self.most = max(self.most, len(self.backends))
            self.tell("backend %d begins", backend.backend_pid)
            done(backend, None)

    def restart(self, away: float) -> None:
        """End all connections, and refuse new ones for so many seconds."""
        self.tell("restarts, and is away for %.3f s", away)
        self._away_until = self.loop.time() + away
        for backend in list(self.backends.values()):
            backend.die()

    def commit(self, markers: list[str]) -> None:
        """What a transaction has written counts from now on."""
        self.committed.update(markers)
        if markers:
            self._changed()

    def error(self) -> DatabaseError:
        """One that a statement may meet."""
        sqlstate, retryable = self.random.choice(_ERRORS)
        return DatabaseError("scripted", sqlstate=sqlstate, retryable=retryable)
