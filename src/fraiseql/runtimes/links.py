"""A connection to PostgreSQL driven by callbacks of an event loop, with one reader for its whole life.

Every wait for its descriptor goes through that reader: event loops keep one for each descriptor, and to add and remove
it costs system calls. So a server that ends an idle connection is noticed at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from psycopg.pq import ExecStatus

from fraiseql.errors import DatabaseError
from fraiseql.postgres import Connection, Conversation, Ready, Wait, cancel, drain, quick, run, wind_up
from fraiseql.postgres.conversation import CAN_CANCEL, only_row, resume
from fraiseql.postgres.errors import connection_lost
from fraiseql.runtimes.dispatching import Job
from fraiseql.runtimes.loop import Clock, EventLoop, Timer
from fraiseql.runtimes.stepping import Stepping
from fraiseql.runtimes.trips import Shared, TripOver

__all__ = ["PostgresLink"]

_FRESH = 0.005  # seconds after its last use for which a connection is taken to be there: to look takes system calls
_CANCELLED_AGAIN = 0.1  # seconds; a statement that was reached ends in milliseconds
_Told = Callable[[Any, Exception | None], None]


def _nothing() -> None:
    """For a link that nobody has yet."""


class PostgresLink:
    """A Link over a real connection, which also holds conversations for whoever has it for himself.

    Args:
        connection: an idle one; nothing else may watch its descriptor.
        loop: calls back.
        clock: keeps the deadlines.
        recovery_timeout: seconds for the clean end of what was cancelled.

    Attributes:
        connection: to be read, and for conversations.
        on_lost: see Link.
        loop, clock: as given.
        shared: what runs together, if anything does.
    """

    def __init__(self, connection: Connection, loop: EventLoop, clock: Clock, recovery_timeout: float) -> None:
        self.connection = connection
        self.on_lost: Callable[[], None] = _nothing
        self.loop = loop
        self.clock = clock
        self._recovery_timeout = recovery_timeout
        self._job: Job | None = None  # sent by `quick`, or within `_talk`
        self._talk: Conversation[Any] | None = None
        self._told: _Told | None = None
        self.shared: Shared | None = None
        self._recovery: _Recovery | None = None
        self._reading = True
        self._writing = False
        self._ended = False  # by the server, and noticed
        self._used = loop.time()  # last
        # libpq closes its descriptor as soon as the connection is lost, and the number may be another socket's at once.
        self._fd = os.dup(connection.fd)
        loop.add_reader(self._fd, self._readable)

    @property
    def backend_pid(self) -> int:
        """Of the process that serves it."""
        return self.connection.backend_pid

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke."""
        return self.connection.is_lost

    def is_open(self) -> bool:
        """Whether it can be used, now that nothing runs on it."""
        if self.loop.time() - self._used < _FRESH:
            return not self._ended and self.connection.is_idle
        return self.connection.is_alive()

    def start(self, job: Job) -> None:
        """Send a statement."""
        self._job = job
        try:
            if quick.send(self.connection, job.effect):
                if not quick.flush(self.connection):
                    self._watch(Wait.RW)
                return
        except DatabaseError as error:
            self.loop.call_soon(self._job_over, job, None, error)
            return
        conversation = run(self.connection, job.effect)
        try:
            _, wait = next(conversation)
        except Exception as error:  # it has sent nothing; to end without an answer takes one
            self.loop.call_soon(self._job_over, job, None, error)
            return
        self._talk, self._told = conversation, partial(self._job_over, job)
        self._watch(wait)

    def start_all(self, jobs: Sequence[Job], over: TripOver) -> None:
        """Send statements that share a round trip."""
        self.shared = Shared(self, jobs, over, self._recovery_timeout)
        self.shared.start()

    def watch_writable(self) -> None:
        """Not all that is to be sent was sent at once."""
        self._watch(Wait.RW)

    def abandon(self, job: Job, then: Callable[[], None]) -> None:
        """Cancel a statement, and call `then` when the connection is clean, or of no use."""
        if self.shared is not None and self.shared.abandon(job, then):
            return
        if self._job is job:
            self._job = None
            self.stop()
            self.recover(then)
        elif self._recovery is not None:
            self._recovery.also(then)
        else:  # it has its answer
            then()

    def converse(self, conversation: Conversation[Any], told: _Told) -> None:
        """Drive a conversation; `told` is given its result or its error, perhaps within this call.

        Only one may be under way, and no job.
        """
        self._talk, self._told = conversation, told
        self._step(conversation.__next__)

    def stop(self) -> None:
        """Close the conversation where it stands; nobody is told. `recover` must follow, or `close`."""
        talk, self._talk, self._told = self._talk, None, None
        self.connection.half = None
        self._watch(Wait.R)
        if talk is not None:
            talk.close()

    def recover(self, then: Callable[[], None]) -> None:
        """Bring the connection to a clean end, if that takes not too long; `then` is called, perhaps within this call.

        What runs is cancelled, an open transaction rolled back, and what a user's SQL left is undone.
        """
        connection = self.connection
        is_clean = connection.is_idle and not connection.unclean
        must_cancel = connection.is_busy and not connection.awaits_cleaning
        if is_clean or connection.is_lost or (must_cancel and not CAN_CANCEL):
            then()
        elif self._recovery is not None:
            self._recovery.also(then)
        else:
            self._recovery = _Recovery(self, then)
            self._recovery.start(self._recovery_timeout)

    def give_up(self) -> None:
        """End a recovery where it stands."""
        if self.shared is not None:
            self.shared.give_up()
        elif self._recovery is not None:
            self._recovery.end()

    def fault(self, otherwise: str) -> str | None:
        """Why the connection is not fit for the next."""
        connection = self.connection
        self._used = self.loop.time()
        if not connection.is_idle or connection.unclean:
            return connection.fault or otherwise
        if connection.outgrown:
            return connection.fault or "a very large answer made its buffers grow for good"
        return None

    def cut(self) -> None:
        """Fail what runs now, and cancel it."""
        if self._recovery is not None:
            return
        error = connection_lost("it was closed on this side")
        if self.shared is not None:
            self.shared.cut(error)
        elif (job := self._job) is not None:
            self._job = None
            self.stop()
            self.recover(partial(job.ended, None, error))
        elif self._talk is not None:
            self._step(partial(self._talk.throw, error))

    def close(self) -> None:
        """Close it for good."""
        self.loop.remove_reader(self._fd)
        if self._writing:
            self.loop.remove_writer(self._fd)
        self.connection.close()
        os.close(self._fd)

    def _readable(self) -> None:
        if self._talk is not None:
            self._step(partial(self._talk.send, Ready.R))
        elif self._job is not None:
            self._receive(self._job)
        elif self.shared is not None and not self.shared.is_clearing:
            self.shared.readable()
            if self._writing and self.shared is not None and not self.shared.is_clearing:
                self._flush(self.shared.fail)
        elif not self._ended and not self.connection.is_open():
            self._ended = True
            self._watch(0)  # it would be readable for ever
            self.on_lost()

    def _writable(self) -> None:
        if self._talk is not None:
            self._step(partial(self._talk.send, Ready.W))
        elif self._job is not None:
            self._flush(partial(self._job_over, self._job, None))
        elif self.shared is not None and not self.shared.is_clearing:
            self._flush(self.shared.fail)
        else:
            self._watch(Wait.R)

    def _flush(self, failed: Callable[[DatabaseError], None]) -> None:
        try:
            if quick.flush(self.connection):
                self._watch(Wait.R)
        except DatabaseError as error:
            failed(error)

    def _receive(self, job: Job) -> None:
        """What a quick statement brought."""
        connection, fetch = self.connection, job.effect
        try:
            result = quick.receive(connection)
            if result is None:
                if self._writing:
                    self._flush(partial(self._job_over, job, None))
                return
            if result.status == ExecStatus.TUPLES_OK:
                row = only_row(connection, result, fetch.statement.columns)
                self._job = None
                job.ended(row, None)
                return
        except DatabaseError as error:
            self._job_over(job, None, error)
            return
        self.converse(resume(connection, fetch, result), partial(self._job_over, job))

    def _job_over(self, job: Job, row: Any, error: Exception | None) -> None:
        if self._job is job:  # not abandoned
            self._job = None
            job.ended(row, error)

    def _step(self, step: Callable[[], tuple[int, Wait]]) -> None:
        result: Any = None
        failure: Exception | None = None
        try:
            _, wait = step()
        except StopIteration as stop:
            result = stop.value
        except Exception as error:
            failure = error
        else:
            self._watch(wait)
            return
        told, self._talk, self._told = self._told, None, None
        self._watch(Wait.R)
        assert told is not None
        told(result, failure)

    def _watch(self, wait: int) -> None:
        fd = self._fd
        writing, reading = bool(wait & Wait.W), bool(wait & Wait.R)
        if writing is not self._writing:
            self._writing = writing
            if writing:
                self.loop.add_writer(fd, self._writable)
            else:
                self.loop.remove_writer(fd)
        if self._ended:  # a reader that is added to a descriptor that has hung up may never be called
            if wait and (self._talk is not None or self._job is not None):
                self.loop.call_soon(self._readable)
        elif reading is not self._reading:
            self._reading = reading
            if reading:
                self.loop.add_reader(fd, self._readable)
            else:
                self.loop.remove_reader(fd)


class _Recovery:
    """Clears a connection: cancels what runs until it has ended, then winds up."""

    def __init__(self, link: PostgresLink, then: Callable[[], None]) -> None:
        self._link = link
        self._then = [then]
        self._cancel: Stepping | None = None
        self._timers: list[Timer] = []
        self._over = False

    def start(self, timeout: float) -> None:
        """Begin; `then` is called after that many seconds at the latest."""
        self._after(timeout, self.end)
        self._go_on()

    def end(self) -> None:
        """Stop, whatever was reached, and call `then`."""
        if self._over:
            return
        self._over = True
        for timer in self._timers:
            timer.cancel()
        if self._cancel is not None:
            self._cancel.stop()
        self._link.stop()
        self._link._recovery = None
        for then in self._then:
            then()

    def also(self, then: Callable[[], None]) -> None:
        """Call this too."""
        self._then.append(then)

    def _after(self, seconds: float, callback: Callable[[], None]) -> None:
        clock = self._link.clock
        self._timers.append(clock.call_at(clock.time() + seconds, callback))

    def _go_on(self) -> None:
        connection = self._link.connection
        if connection.is_busy and not connection.awaits_cleaning:
            connection.cleaning = None  # what was sent of it is read with the rest
            self._cancel = Stepping(self._link.loop, cancel(connection), self._cancelled)
            self._cancel.start()
        else:
            self._link.converse(wind_up(connection), self._wound_up)

    def _cancelled(self, _: Any, error: Exception | None) -> None:
        """The server passes over a request that comes before the statement begins: it is sent again after a while."""
        self._cancel = None
        if error is not None:
            self.end()
            return
        self._after(_CANCELLED_AGAIN, self._again)
        self._link.converse(drain(self._link.connection), self._drained)

    def _again(self) -> None:
        if self._link.connection.is_busy:
            self._link.stop()
            self._go_on()

    def _drained(self, _: Any, error: Exception | None) -> None:
        self._timers.pop().cancel()
        if error is not None:
            self.end()
        else:
            self._go_on()

    def _wound_up(self, _: Any, error: Exception | None) -> None:
        self.end()  # in error it is not clean, and will be closed
