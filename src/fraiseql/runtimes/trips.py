"""Statements that share one round trip on a connection, driven by callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

from fraiseql.effects import Row
from fraiseql.errors import DatabaseError
from fraiseql.postgres import cancel, quick
from fraiseql.postgres.batch import Batch
from fraiseql.postgres.conversation import CAN_CANCEL, only_row
from fraiseql.postgres.costs import PATIENCE
from fraiseql.postgres.errors import connection_lost, is_fatal, is_stale_plan, is_unknown_statement, own_copy
from fraiseql.postgres.telling import undo
from fraiseql.runtimes.loop import Timer
from fraiseql.runtimes.stepping import Stepping

if TYPE_CHECKING:
    from fraiseql.runtimes.dispatching import Job
    from fraiseql.runtimes.links import PostgresLink

__all__ = ["Shared", "TripOver"]

_AGAIN = 0.1  # seconds between two cancels of one round trip: a statement that was reached ends in milliseconds
_CANCELLED = b"57014"

TripOver: TypeAlias = Callable[["Sequence[Job]", "Sequence[Job]", bool], None]
"""Told once, before the last answers, of the jobs that have to run again, alone; of those that were cancelled since
others waited for them; and whether all ran without an error."""
_Answer: TypeAlias = "tuple[Job, Row | None, Exception | None]"


class Shared:
    """Some jobs, from their sending until the connection is free again.

    Args:
        link: an idle one.
        jobs: each `ended`, abandoned, or left over in the end.
        over: see TripOver.
        timeout: seconds for the clean end of what was cancelled.

    Attributes:
        is_clearing: whether nothing is read any more, and the connection brought to a clean end.
    """

    __slots__ = (
        "_batch",
        "_canceller",
        "_cancels",
        "_failed",
        "_held",
        "_is_over",
        "_jobs",
        "_left",
        "_limit",
        "_link",
        "_members",
        "_over",
        "_slow",
        "_then",
        "_timeout",
        "_timer",
        "is_clearing",
    )

    def __init__(self, link: PostgresLink, jobs: Sequence[Job], over: TripOver, timeout: float) -> None:
        self._link = link
        self._members = jobs
        self._jobs: list[Job | None] = list(jobs)  # None: answered, abandoned, or left over
        self._over = over
        self._timeout = timeout
        self._batch: Batch | None = None
        self._left: list[Job] = []
        self._slow: list[Job] = []
        self._failed = False
        self._is_over = False
        self.is_clearing = False
        self._held: list[_Answer] = []  # to be told in the end
        self._then: list[Callable[[], None]] = []
        self._timer: Timer | None = None  # for patience, then until the next cancel
        self._cancels = False
        self._canceller: Stepping | None = None  # while a cancel is under way
        self._limit: Timer | None = None  # until which cancelling has to help

    def start(self) -> None:
        """Send them."""
        connection, clock = self._link.connection, self._link.clock
        self._timer = clock.call_at(clock.time() + PATIENCE, self._impatient)
        try:
            self._batch = Batch(connection, [job.effect for job in self._members])
            if not quick.flush(connection):
                self._link.watch_writable()
        except DatabaseError as error:
            self._link.loop.call_soon(self.fail, error)

    def readable(self) -> None:
        """Read answers; who has one is told, once the connection is given on if it is the last."""
        assert self._batch is not None
        answers: list[_Answer] = []
        try:
            for index, result in self._batch.receive():
                if (job := self._jobs[index]) is not None or result.status != ExecStatus.TUPLES_OK:
                    self._judge(index, job, result, answers)
        except DatabaseError as error:
            self._tell(answers)
            self.fail(error)
            return
        if self._batch.complete and self._canceller is None and not self._link.connection.in_transaction:
            self._end(answers)
            return
        if self._cancels and self._batch.complete:  # who goes on then may count on the connection
            self._held = answers
        else:
            self._tell(answers)
        if self._batch.complete:
            self.is_clearing = True
            if self._canceller is None:  # else it might reach who has the connection next
                self._clear()

    def abandon(self, job: Job, then: Callable[[], None]) -> bool:
        """Drop a job: what runs is cancelled where it was the last, and else if it takes its time."""
        if job in self._jobs:
            self._jobs[self._jobs.index(job)] = None
        elif job in self._left:
            self._left.remove(job)
        elif job in self._members:  # it has its answer
            then()
            return True
        else:
            return False
        self._then.append(then)
        if not any(self._jobs):
            self.cancel()
        return True

    def give_up(self) -> None:
        """Call what `abandon` was given, and let the connection be of no use if nobody else waits for it."""
        if self._then and not any(self._jobs):
            self._too_long()
        else:
            self._leave()

    def cancel(self) -> None:
        """Cancel what runs; what nobody has abandoned, and has not come to its end, runs again.

        Answers are read on: what was committed before must not run again.
        """
        if self._cancels or self.is_clearing or self._is_over:
            return
        if CAN_CANCEL:
            self._cancels = True
            clock = self._link.clock
            self._limit = clock.call_at(clock.time() + self._timeout, self._too_long)
            self._send_cancel()
        elif not any(self._jobs):
            self._too_long()

    def cut(self, error: DatabaseError) -> None:
        """Fail all, and cancel what runs."""
        self._failed = True
        answers = self._all(error)
        self.cancel()
        self._tell(answers)

    def fail(self, error: DatabaseError) -> None:
        """The connection is lost."""
        if self._is_over:
            return
        self._failed = True
        self._end(self._all(error))

    def _impatient(self) -> None:
        """It takes long: who only waits for others is not to wait any more."""
        self._timer = None
        if self.is_clearing or self._is_over or self._batch is None:
            return
        self.readable()  # on some loops timers come before what has arrived
        if (
            not self._is_over
            and not self.is_clearing
            and (self._then or sum(job is not None for job in self._jobs) > 1)
        ):
            self.cancel()

    def _send_cancel(self) -> None:
        """The server passes over a request that comes between two statements: it is sent again after a while."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._canceller = Stepping(self._link.loop, cancel(self._link.connection), self._cancel_sent)
        self._canceller.start()

    def _cancel_sent(self, _: object, error: Exception | None) -> None:
        self._canceller = None
        if self._is_over:
            return
        if self.is_clearing:
            self._clear()
        else:
            clock = self._link.clock
            self._timer = clock.call_at(clock.time() + _AGAIN, self._send_cancel)

    def _too_long(self) -> None:
        """Cancelling has not helped: nobody can tell what has run."""
        if not self._is_over:
            self._slow += [job for job in self._jobs if job is not None]
            self._link.connection.unclean = True
            self.fail(connection_lost("what shared a round trip did not end in time"))

    def _clear(self) -> None:
        connection = self._link.connection
        if connection.in_transaction:  # an error has passed over the COMMIT
            self._link.converse(undo(connection, b"ROLLBACK"), lambda _, error: self._end(()))
        else:
            self._end(())

    def _all(self, error: DatabaseError) -> list[_Answer]:
        answers: list[_Answer] = [(job, None, own_copy(error)) for job in self._jobs if job is not None]
        self._jobs = [None] * len(self._jobs)
        return answers

    def _judge(self, index: int, job: Job | None, result: PGresult, answers: list[_Answer]) -> None:
        is_error = result.status == ExecStatus.FATAL_ERROR
        self._failed = self._failed or result.status != ExecStatus.TUPLES_OK
        if is_error and is_fatal(result):
            return  # its answer is the end of the connection, which follows
        self._jobs[index] = None
        cancelled = is_error and self._cancels and result.error_field(DiagnosticField.SQLSTATE) == _CANCELLED
        if cancelled:
            self._slow.append(self._members[index])
        if job is None:
            return
        passed_over = result.status == ExecStatus.PIPELINE_ABORTED
        if passed_over or cancelled or (is_error and (is_stale_plan(result) or is_unknown_statement(result))):
            self._left.append(job)
            return
        try:
            answers.append((job, only_row(self._link.connection, result, job.effect.statement.columns), None))
        except DatabaseError as error:
            answers.append((job, None, error))

    def _end(self, answers: Sequence[_Answer]) -> None:
        self._is_over = True
        for timer in (self._timer, self._limit):
            if timer is not None:
                timer.cancel()
        if self._canceller is not None:
            self._canceller.stop()
            self._canceller = None
        self._link.shared = None
        self._link.stop()
        self._over(self._left, self._slow, not self._failed)
        self._tell([*self._held, *answers])
        self._leave()

    def _leave(self) -> None:
        left, self._then = self._then, []
        for then in left:
            then()

    def _tell(self, answers: Sequence[_Answer]) -> None:
        for job, row, error in answers:
            job.ended(row, error)
