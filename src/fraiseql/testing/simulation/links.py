"""The connections of the scripted database, both ends of them: the Link of a dispatcher, and the server's process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fraiseql.effects import Fetch, Row
from fraiseql.errors import DatabaseError
from fraiseql.runtimes.dispatching import Job
from fraiseql.testing.simulation.loop import SimulatedTimer
from fraiseql.testing.simulation.trips import ScriptedTrip, TripOver

if TYPE_CHECKING:
    from fraiseql.testing.simulation.database import ScriptedDatabase

__all__ = ["ScriptedLink"]

_STUCK: Final = 60.0  # seconds of a statement that waits for a lock: longer than all deadlines
_RECOVERY: Final = 2.0  # seconds for the clean end of an abandoned statement, as PoolLimits has it
_AGAIN: Final = 0.1  # seconds between two cancels of one statement

_Answer: TypeAlias = tuple[Any, DatabaseError | None]
_Done: TypeAlias = Callable[[Any, DatabaseError | None], None]


def _ignore(*_: Any) -> None:
    """For who wants to hear of nothing."""


class _Work:
    """One statement, COMMIT or ROLLBACK under way.

    Attributes:
        text: for the story.
        statements: how many there are in it.
        carry_out: what the server does, once it gets to it.
        done: told the answer.
        then: called, instead, when it was abandoned and nothing is left of it.
        timer: while the server works on it.
        answered: whether the server has ended it.
        cancelling: whether a cancel of it is under way: until that has ended, nobody else may have the connection.
        answer: that came meanwhile.
    """

    __slots__ = (
        "answer",
        "answered",
        "cancelling",
        "carry_out",
        "done",
        "statements",
        "text",
        "then",
        "timer",
        "waits",
    )

    def __init__(
        self, text: str, waits: bool, carry_out: Callable[[], _Answer], done: _Done, statements: int = 1
    ) -> None:
        self.text = text
        self.statements = statements
        self.waits = waits  # it may meet a lock
        self.carry_out = carry_out
        self.done = done
        self.then: list[Callable[[], None]] = []
        self.timer: SimulatedTimer | None = None
        self.answered = False
        self.cancelling = False
        self.answer: _Answer | None = None


class ScriptedLink:
    """One connection.

    Attributes:
        backend_pid: the server's process.
        server: at the other end.
        on_lost: see Link.
        trip: the round trip that is shared now.
        in_transaction: whether a transaction of the client's own is open.
    """

    def __init__(self, server: ScriptedDatabase, pid: int) -> None:
        self.server = server
        self.backend_pid = pid
        self.on_lost: Callable[[], None] = _ignore
        self.in_transaction = False
        self.trip: ScriptedTrip | None = None
        self._works: deque[_Work] = deque()  # whose answers are outstanding
        self._jobs: dict[int, _Work] = {}
        self._lost = False
        self._closed = False
        self._useless = ""  # why
        self._alive = True
        self._failed = False  # the transaction
        self._written: list[str] = []

    # The Link

    @property
    def is_lost(self) -> bool:
        """Whether the client knows that the server has ended it."""
        return self._lost

    def is_open(self) -> bool:
        """Whether it can be used, as far as the client can know."""
        return not self._lost and not self._closed

    def start(self, job: Job) -> None:
        """Send a statement."""
        if id(job) in self._jobs:
            self.server.violated("a statement was started twice")
        work = self._run(job.effect, lambda value, error: self._job_ended(job, value, error))
        self._jobs[id(job)] = work

    def start_all(self, jobs: Sequence[Job], over: TripOver) -> None:
        """Send several statements in one round trip."""
        self.trip = ScriptedTrip(self, jobs, over)

    def abandon(self, job: Job, then: Callable[[], None]) -> None:
        """Cancel a statement."""
        if self.trip is not None and self.trip.abandon(job, then):
            return
        work = self._jobs.get(id(job))
        if work is None:
            self.server.violated(f"what does not run was abandoned on backend {self.backend_pid}")
            return
        self._abandon(work, then)

    def give_up(self) -> None:
        """Be of no use at once."""
        for work in list(self._works):
            self._too_long(work)

    def fault(self, otherwise: str) -> str | None:
        """Why it is not fit for the next statement."""
        if self._useless:
            return self._useless
        if self._lost:
            return "it was lost"
        return otherwise if self.in_transaction else None

    def cut(self) -> None:
        """Have all that runs fail soon."""
        self.die()

    def close(self) -> None:
        """Close it."""
        if self._closed:
            self.server.violated(f"backend {self.backend_pid} was closed twice")
        if any(not work.then for work in self._works):
            self.server.violated(f"backend {self.backend_pid} was closed under {self._works[0].text}")
        self._closed, self.on_lost = True, _ignore
        self._end("is closed by its client")

    def carry(self, count: int, carry_out: Callable[[], _Answer], done: _Done) -> Callable[[Callable[[], None]], None]:
        """Have so many statements carried out; gives what abandons them."""
        work = self._begin(_Work(f"a trip of {count}", True, carry_out, done, count))
        return lambda then: self._abandon(work, then)

    # For transactions

    def begin(self) -> None:
        """The next statement begins a transaction."""
        self.in_transaction, self._failed = True, False

    def run(self, fetch: Fetch, done: _Done) -> Callable[[Callable[[], None]], None]:
        """Run a statement; gives what abandons it."""
        work = self._run(fetch, done)
        return lambda then: self._abandon(work, then)

    def commit(self, done: _Done) -> Callable[[Callable[[], None]], None]:
        """Commit the transaction; gives what abandons that."""
        work = self._begin(_Work("commit", False, self._committed, done))
        return lambda then: self._abandon(work, then)

    def rollback(self, done: _Done) -> None:
        """Roll the transaction back."""
        self._begin(_Work("rollback", False, self._rolled_back, done))

    def die(self) -> None:
        """The server ends it: what is under way is not carried out, unless it was already."""
        if self._alive:
            self._end("dies")
            self.server.loop.call_later(self.server.latency(), self._lose)

    # The client's end

    def _run(self, fetch: Fetch, done: _Done) -> _Work:
        asked = self.server.statements.read(fetch)
        text = f"{asked.what} {asked.marker}".rstrip()
        return self._begin(_Work(text, True, lambda: self.execute(fetch), done))

    def _begin(self, work: _Work) -> _Work:
        server = self.server
        if self._closed:
            server.violated(f"backend {self.backend_pid} is closed, and asked for {work.text}")
        if self._works:
            server.violated(f"backend {self.backend_pid} is asked for {work.text} during {self._works[0].text}")
        self._works.append(work)
        if self._lost:
            server.loop.call_soon(self._lose_works)
        elif self._alive and len(self._works) == 1:
            self._work_on(work)
        return work

    def _abandon(self, work: _Work, then: Callable[[], None]) -> None:
        work.then.append(then)
        if len(work.then) == 1 and not self._lost:  # else the news are on their way
            self._cancel(work)
            self.server.loop.call_later(_RECOVERY, self._too_long, work)

    def _cancel(self, work: _Work) -> None:
        """Over a connection of its own, again and again: the server passes over one that comes too early."""
        server, faults = self.server, self.server.faults
        if work not in self._works or self._lost:
            return
        work.cancelling = True
        if server.draw(faults.lost_cancels):
            server.tell("a cancel for backend %d is lost", self.backend_pid)
            return
        way = server.latency() + (0.05 if server.draw(faults.late_cancels) else 0.0)
        server.loop.call_later(way, self._cancelled, work)

    def _cancel_ended(self, work: _Work) -> None:
        work.cancelling = False
        if work.answer is not None:
            self._answered(work, work.answer)
        else:
            self.server.loop.call_later(_AGAIN, self._cancel, work)

    def _too_long(self, work: _Work) -> None:
        if work in self._works and work.then:
            self._useless = "a cancelled statement did not end cleanly in time"
            self._works.remove(work)
            self._work_ended(work, (None, None))

    def _job_ended(self, job: Job, value: Row | None, error: DatabaseError | None) -> None:
        self._jobs.pop(id(job), None)
        job.ended(value, error)

    def _work_ended(self, work: _Work, answer: _Answer) -> None:
        if not work.then:
            work.done(*answer)
            return
        self._jobs = {key: other for key, other in self._jobs.items() if other is not work}
        for then in work.then:
            then()

    def _answered(self, work: _Work, answer: _Answer) -> None:
        if work not in self._works or self._lost:
            return
        if work.cancelling:
            work.answer = answer
        else:
            self._works.remove(work)
            self._work_ended(work, answer)

    def _lose(self) -> None:
        if self._closed or self._lost:
            return
        self._lost, self.in_transaction = True, False
        if self._works:
            self._lose_works()
        else:
            self.on_lost()

    def _lose_works(self) -> None:
        while self._works:
            work = self._works.popleft()
            sqlstate = "08007" if work.text == "commit" else "08006"
            self._work_ended(work, (None, DatabaseError("lost", sqlstate=sqlstate, retryable=sqlstate == "08006")))

    # The server's end

    def _work_on(self, work: _Work) -> None:
        server = self.server
        time = server.latency() + sum(server.work() for _ in range(work.statements))
        if work.waits and server.draw(server.faults.stuck):
            server.tell("backend %d waits for a lock: %s", self.backend_pid, work.text)
            time = _STUCK
        if server.draw(server.faults.deaths):
            server.loop.call_later(server.random.random() * min(time, 1.0) * 1.5, self._die_of, work)
        work.timer = server.loop.call_later(time, self._carry_out, work)

    def _die_of(self, work: _Work) -> None:
        if work in self._works:
            self.die()

    def _carry_out(self, work: _Work) -> None:
        value, error = work.carry_out()
        if error is not None:
            self.server.tell("backend %d answers %s with %s", self.backend_pid, work.text, error.sqlstate)
        self._answer(work, value, error)

    def _answer(self, work: _Work, value: Any, error: DatabaseError | None) -> None:
        work.timer, work.answered = None, True
        self.server.loop.call_later(self.server.latency(), self._answered, work, (value, error))
        following = next((each for each in self._works if not each.answered), None)
        if following is not None and self._alive:
            self._work_on(following)

    def execute(self, fetch: Fetch) -> _Answer:
        """What the server does with a statement."""
        server, asked = self.server, self.server.statements.read(fetch)
        if self._failed:
            return None, DatabaseError("the transaction is aborted", sqlstate="25P02")
        if server.draw(server.faults.errors):
            self._failed = self.in_transaction
            return None, server.error()
        if asked.writes:
            self._written.append(asked.marker)
            if not self.in_transaction:
                server.violated(f"{asked.marker} was written outside of a transaction")
        return server.statements.answer(fetch, server.committed.total()), None

    def _committed(self) -> _Answer:
        server, written, failed = self.server, self._written, self._failed
        self._rolled_back()
        if failed:
            return None, DatabaseError("it was rolled back", sqlstate="25P02")
        if server.draw(server.faults.errors):
            return None, DatabaseError("scripted", sqlstate="40001", retryable=True)
        server.tell("backend %d commits %s", self.backend_pid, " ".join(written) or "nothing")
        server.commit(written)
        return None, None

    def _rolled_back(self) -> _Answer:
        self._failed, self._written, self.in_transaction = False, [], False
        return None, None

    def _cancelled(self, meant: _Work) -> None:
        self.server.loop.call_later(self.server.latency(), self._cancel_ended, meant)
        if not self._alive:
            return
        work = next((each for each in self._works if each.timer is not None), None)
        if work is None or work.timer is None:
            return
        if work is not meant:
            self.server.violated(f"the cancel of {meant.text} has reached {work.text} on backend {self.backend_pid}")
        work.timer.cancel()
        self._failed = self.in_transaction
        self.server.tell("backend %d cancels %s", self.backend_pid, work.text)
        self._answer(work, None, DatabaseError("canceling statement", sqlstate="57014"))

    def _end(self, how: str) -> None:
        if not self._alive:
            return
        self._alive = False
        self._written = []
        for work in self._works:
            if work.timer is not None:
                work.timer.cancel()
        self.server.tell("backend %d %s", self.backend_pid, how)
        del self.server.backends[self.backend_pid]
