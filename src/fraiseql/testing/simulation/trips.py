"""Statements that share a round trip on a scripted connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from fraiseql.errors import DatabaseError
from fraiseql.runtimes.dispatching import Job
from fraiseql.testing.simulation.loop import SimulatedTimer

if TYPE_CHECKING:
    from fraiseql.testing.simulation.links import ScriptedLink

__all__ = ["ScriptedTrip", "TripOver"]

TripOver = Callable[[list[tuple[Job, bool]], bool], None]
_PATIENCE: Final = 0.02  # seconds for it to end by itself, once somebody has left it


class ScriptedTrip:
    """Some jobs, in one transaction that only reads: after an error the rest of it is passed over, and left.

    Args:
        over: see Link.start_all.
    """

    def __init__(self, link: ScriptedLink, jobs: Sequence[Job], over: TripOver) -> None:
        self._link = link
        self._jobs: list[Job | None] = list(jobs)  # None: answered, abandoned, or left over
        self._effects = [job.effect for job in jobs]
        self._over = over
        self._left: list[tuple[Job, bool]] = []
        self._answers: list[tuple[Any, DatabaseError | None] | None] = [None] * len(jobs)
        self._failed = False
        self._then: list[Callable[[], None]] = []
        self._timer: SimulatedTimer | None = None
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
        elif self._timer is None:
            self._timer = self._link.server.loop.call_later(_PATIENCE, self._cancel)
        return True

    def _executed(self) -> tuple[Any, DatabaseError | None]:
        """On the server."""
        link = self._link
        for index, effect in enumerate(self._effects):
            row, error = link.execute(effect)
            self._answers[index] = row, error
            if error is not None:
                link.server.tell("backend %d passes over what follows an error", link.backend_pid)
                break
        early = link.server.random.randrange(len(self._effects))
        link.server.loop.call_later(link.server.latency(), self._tell, early)
        return None, None

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._failed = True
        self._leave_rest()
        self._abandon(lambda: self._end(0))

    def _leave_rest(self) -> None:
        self._left += [(job, False) for job in self._jobs if job is not None]
        self._jobs = [None] * len(self._jobs)

    def _ended(self, _: Any, error: DatabaseError | None) -> None:
        """On the client: all answers are there, or the connection is lost."""
        if error is not None:
            self._failed = True
            self._answers = [(None, _own(error))] * len(self._jobs)
        for index, answer in enumerate(self._answers):
            job = self._jobs[index]
            if answer is None and job is not None:
                self._left.append((job, False))
                self._jobs[index] = None
            self._failed = self._failed or answer is None or answer[1] is not None
        self._end(len(self._jobs))

    def _end(self, answers: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._link.trip = None
        self._over(self._left, not self._failed)
        self._tell(answers)
        for then in self._then:
            then()

    def _tell(self, count: int) -> None:
        for index in range(count):
            job, answer = self._jobs[index], self._answers[index]
            if job is not None and answer is not None:
                self._jobs[index] = None
                job.ended(*answer)


def _own(error: DatabaseError) -> DatabaseError:
    return DatabaseError(str(error), sqlstate=error.sqlstate, retryable=error.retryable)
