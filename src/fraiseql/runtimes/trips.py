"""Statements that share one round trip on a connection, driven by callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

from fraiseql.errors import DatabaseError
from fraiseql.postgres import quick
from fraiseql.postgres.batch import Batch
from fraiseql.postgres.conversation import only_row
from fraiseql.postgres.errors import is_fatal, is_stale_plan, is_unknown_statement
from fraiseql.postgres.telling import undo
from fraiseql.runtimes.loop import Timer

if TYPE_CHECKING:
    from fraiseql.runtimes.dispatching import Job
    from fraiseql.runtimes.links import PostgresLink

__all__ = ["Left", "Shared", "TripOver"]

_PATIENCE = 0.02  # seconds for a round trip to end by itself, once somebody has left it
_WRITES = b"25006"

Left = list[tuple["Job", bool]]
"""Jobs that have to run again, alone; and whether that is since they write."""
TripOver = Callable[[Left, bool], None]
"""Told once of what is left, and whether all ran without an error: before the jobs are told of their answers."""


class Shared:
    """Some jobs, from their sending until the connection is free again.

    Args:
        link: an idle one.
        jobs: each `ended`, abandoned, or left over in the end.
        over: see TripOver.

    Attributes:
        is_clearing: whether nothing is read any more, and the connection brought to a clean end.
    """

    __slots__ = (
        "_batch",
        "_failed",
        "_is_over",
        "_jobs",
        "_left",
        "_link",
        "_members",
        "_over",
        "_then",
        "_timer",
        "is_clearing",
    )

    def __init__(self, link: PostgresLink, jobs: Sequence[Job], over: TripOver) -> None:
        self._link = link
        self._members = jobs
        self._jobs: list[Job | None] = list(jobs)  # None: answered, abandoned, or left over
        self._over = over
        self._batch: Batch | None = None
        self._left: Left = []
        self._failed = False
        self._is_over = False
        self.is_clearing = False
        self._then: list[Callable[[], None]] = []
        self._timer: Timer | None = None

    def start(self) -> None:
        """Send them."""
        connection = self._link.connection
        try:
            self._batch = Batch(connection, [job.effect for job in self._jobs if job is not None])
            if not quick.flush(connection):
                self._link.watch_writable()
        except DatabaseError as error:
            self._link.loop.call_soon(self.fail, error)

    def readable(self) -> None:
        """Read answers; who has one is told, once the connection is given on if it is the last."""
        assert self._batch is not None
        answers: list[tuple[Job, Any, Exception | None]] = []
        try:
            for index, result in self._batch.receive():
                if (job := self._jobs[index]) is not None:
                    self._judge(index, job, result, answers)
                elif result.status != ExecStatus.TUPLES_OK:
                    self._failed = True
        except DatabaseError as error:
            self._tell(answers)
            self.fail(error)
            return
        if not self._batch.complete:
            self._tell(answers)
        elif self._link.connection.in_transaction:  # an error has passed over the ROLLBACK
            self._tell(answers)
            self.is_clearing = True
            self._link.converse(undo(self._link.connection, b"ROLLBACK"), lambda _, error: self._end(()))
        else:
            self._end(answers)

    def abandon(self, job: Job, then: Callable[[], None]) -> bool:
        """Drop a job: at once where it is the last, else when all are answered, or after a while."""
        if job in self._jobs:
            self._jobs[self._jobs.index(job)] = None
        elif any(job is left for left, _ in self._left):
            self._left = [(left, writes) for left, writes in self._left if left is not job]
        elif job in self._members:  # it has its answer
            then()
            return True
        else:
            return False
        self._then.append(then)
        if self.is_clearing:
            return True
        if not any(self._jobs):
            self.cancel()
        elif self._timer is None:
            clock = self._link.clock
            self._timer = clock.call_at(clock.time() + _PATIENCE, self.cancel)
        return True

    def cancel(self) -> None:
        """Cancel all that still runs; what nobody has abandoned runs again."""
        if self._timer is not None:
            self._timer.cancel()
        self._failed = True
        self._left += [(job, False) for job in self._jobs if job is not None]
        self._jobs = [None] * len(self._jobs)
        self.is_clearing = True
        self._link.stop()
        self._link.recover(lambda: self._end(()))

    def cut(self, error: DatabaseError) -> None:
        """Fail all, and cancel what runs."""
        self._failed = True
        answers = self._all(error)
        if self.is_clearing:
            self._tell(answers)
            return
        self.is_clearing = True
        self._link.stop()
        self._link.recover(lambda: self._end(answers))

    def fail(self, error: DatabaseError) -> None:
        """The connection is lost."""
        if self._is_over:
            return
        self._failed = True
        self._end(self._all(error))

    def _all(self, error: DatabaseError) -> list[tuple[Job, Any, Exception | None]]:
        answers: list[tuple[Job, Any, Exception | None]] = []
        answers += [(job, None, _own(error)) for job in self._jobs if job is not None]
        self._jobs = [None] * len(self._jobs)
        return answers

    def _judge(self, index: int, job: Job, result: PGresult, answers: list[tuple[Job, Any, Exception | None]]) -> None:
        is_row = result.status == ExecStatus.TUPLES_OK
        self._failed = self._failed or not is_row
        is_error = result.status == ExecStatus.FATAL_ERROR
        if is_error and is_fatal(result):
            return  # its answer is the end of the connection, which follows
        self._jobs[index] = None
        writes = is_error and result.error_field(DiagnosticField.SQLSTATE) == _WRITES
        if not is_row and (not is_error or writes or is_stale_plan(result) or is_unknown_statement(result)):
            self._left.append((job, writes))
            return
        try:
            answers.append((job, only_row(self._link.connection, result, job.effect.statement.columns), None))
        except DatabaseError as error:
            answers.append((job, None, error))

    def _end(self, answers: Sequence[tuple[Job, Any, Exception | None]]) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._link.shared = None
        self._link.stop()
        self._over(self._left, not self._failed)
        self._tell(answers)
        for then in self._then:
            then()

    def _tell(self, answers: Sequence[tuple[Job, Any, Exception | None]]) -> None:
        for job, row, error in answers:
            job.ended(row, error)


def _own(error: DatabaseError) -> DatabaseError:
    return DatabaseError(str(error), sqlstate=error.sqlstate, retryable=error.retryable)
