"""Runs what drivers of clients start: statements in place, the rest of programs in tasks."""

from __future__ import annotations

from typing import Any

import anyio

from fraiseql.effects import Effect, Fetch, Join, Program
from fraiseql.runtimes.anyio.background import Background
from fraiseql.runtimes.anyio.database import Database
from fraiseql.runtimes.anyio.programs import Perform, Run, run_program
from fraiseql.runtimes.anyio.streams import Streams
from fraiseql.runtimes.driving import Done, Ticket
from fraiseql.runtimes.operations import Gate, Participant

__all__ = ["Operations"]


class Operations:
    """The OperationRunner of asyncio and trio.

    Args:
        database: for statements.
        streams: for what operations share.
        perform: carries out all effects.
        background: where tasks run: they may last a moment longer than their client, to come to a clean end.
    """

    def __init__(self, database: Database, streams: Streams, perform: Perform, background: Background) -> None:
        self._database = database
        self._streams = streams
        self._perform = perform
        self._background = background

    def submit(self, effect: Fetch, done: Done) -> Ticket:
        """Run a statement outside of a transaction."""
        return self._database.submit(effect, done)

    def join(self, effect: Join, participant: Participant, done: Done) -> Ticket | None:
        """Take part in a stream, where it is shared: one of one's own runs in one's own task."""
        if effect.stream.key is None:
            return None
        return self._streams.take_part(effect.stream, participant, effect.user, self._perform, done)

    def run(self, program: Program[Any], effect: Effect, participant: Participant, gate: Gate, done: Done) -> Ticket:
        """Run a program on from an effect that it has yielded, in a task."""
        task = _Task(program, effect, Run(participant, gate=gate), done)
        self._background.start_soon(task.run, self._perform, name="fraiseql operation")
        return task


class _Task:
    """An operation's task."""

    __slots__ = ("_done", "_effect", "_is_abandoned", "_program", "_run", "_scope")

    def __init__(self, program: Program[Any], effect: Effect, run: Run, done: Done) -> None:
        self._program = program
        self._effect = effect
        self._run = run
        self._done = done
        self._is_abandoned = False
        self._scope: anyio.CancelScope | None = None  # from its first step on

    def abandon(self) -> None:
        """Cancel it."""
        self._is_abandoned = True
        if self._scope is not None:
            self._scope.cancel()

    async def run(self, perform: Perform) -> None:
        result: Any = None
        failure: Exception | None = RuntimeError("the server stopped")
        try:
            if self._is_abandoned:  # before its first step, which costs the most
                self._program.close()
            else:
                with anyio.CancelScope() as self._scope:
                    result = await run_program(self._program, perform, self._run, self._effect)
            failure = None
        except Exception as error:  # a program answers all errors it knows of: this is a defect
            failure = error
        finally:
            self._done(result, failure)
