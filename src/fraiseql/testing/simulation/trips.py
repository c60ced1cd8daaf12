"""Statements that share a round trip on a scripted connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fraiseql.errors import DatabaseError
from fraiseql.postgres.costs import PATIENCE
from fraiseql.postgres.errors import own_copy
from fraiseql.runtimes.dispatching import Job
from fraiseql.runtimes.trips import TripOver
from fraiseql.testing.simulation.loop import SimulatedTimer

if TYPE_CHECKING:
    from fraiseql.testing.simulation.links import ScriptedLink

__all__ = ["ScriptedTrip", "TripOver"]


class ScriptedTrip:
    """Some jobs, each a transaction of its own: after an error the rest is passed over, and left.

    Args:
        over: see Link.start_all.
    """

    def __init__(self, link: ScriptedLink, jobs: Sequence[Job], over: TripOver) -> None:
        self._link = link
        self._members = list(jobs)
        self._jobs: list[Job | None] = list(jobs)  # None: answered, abandoned, or left over
        self._over = over
        self._left: list[Job] = []
        self._slow: list[Job] = []
        self._answers: list[tuple[Any, DatabaseError | None] | None] = [None] * len(jobs)
        self._was_executed = False
        self._is_cancelled = False
        self._failed = False
        self._then: list[Callable[[], None]] = []
        self._timer: SimulatedTimer = link.server.loop.call_later(PATIENCE, self._impatient)
        link.server.depart(jobs)
        self._abandon: Callable[[Callable[[], None]], None] = link.carry(len(jobs), self._executed, self._ended)

    def abandon(self, job: Job, then: Callable[[], None]) -> bool:
        """Drop a job; False where it is none of these."""
        if job not in self._jobs:
            return False
        self._jobs[self._jobs.index(job)] = None
        self._then.append(then)
        if not any(self._jobs):
            self._cancel()
        return True

    def _executed(self) -> tuple[Any, DatabaseError | None]:
        """On the server."""
        link = self._link
        self._execute(len(self._members))
        early = link.server.random.randrange(len(self._members))
        link.server.loop.call_later(link.server.latency(), self._tell, early)
        return None, None

    def _execute(self, count: int) -> None:
        link, self._was_executed = self._link, True
        for index, job in enumerate(self._members[:count]):
            row, error = link.execute(job.effect)
            self._answers[index] = row, error
            if error is not None:
                link.server.tell("backend %d passes over what follows an error", link.backend_pid)
                break

    def _impatient(self) -> None:
        """Nobody is kept waiting for another, nor for who has left."""
        if self._then or sum(job is not None for job in self._jobs) > 1:
            self._cancel()

    def _cancel(self) -> None:
        if not self._is_cancelled:
            self._is_cancelled = True
            self._abandon(self._cancelled)

    def _cancelled(self) -> None:
        """On the client: what was committed before the cancel counts, unless nobody can tell."""
        self._failed = True
        if self._link.fault("") is not None:
            error = DatabaseError("lost", sqlstate="08006", retryable=True)
            self._ended(None, error)
            return
        if not self._was_executed:
            reached = self._link.server.random.randrange(len(self._members))
            self._execute(reached)
            self._slow.append(self._members[reached])
        self._ended(None, None)

    def _ended(self, _: Any, error: DatabaseError | None) -> None:
        """On the client: all answers are there, or the connection is lost."""
        if error is not None:
            self._failed = True
            self._answers = [(None, own_copy(error)) for _ in self._jobs]
        for index, answer in enumerate(self._answers):
            job = self._jobs[index]
            if answer is None and job is not None:
                self._left.append(job)
                self._jobs[index] = None
            self._failed = self._failed or answer is None or answer[1] is not None
        self._end()

    def _end(self) -> None:
        self._timer.cancel()
        self._link.trip = None
        self._over(self._left, self._slow, not self._failed)
        self._tell(len(self._jobs))
        for then in self._then:
            then()

    def _tell(self, count: int) -> None:
        for index in range(count):
            job, answer = self._jobs[index], self._answers[index]
            if job is not None and answer is not None:
                self._jobs[index] = None
                job.ended(*answer)
