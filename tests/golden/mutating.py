"""Mutations driven against a real PostgreSQL, blocking, with all that they asked for written down."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from psycopg.waiting import wait_conn

from fraiseql.effects import Begin, CallAll, Commit, Effect, Fetch, Isolation, Program, Rollback, Settings, Sleep
from fraiseql.postgres import Connection, Conversation, Transaction, run, wind_up
from golden.files import laid_out
from pipeline.stepping import outcome

__all__ = ["Recorder"]

_Result = TypeVar("_Result")


@dataclass(slots=True)
class Recorder:
    """Performs effects, one transaction at a time.

    Attributes:
        steps: what was asked for, as SQL with comments.
        committed: whether anything was.
    """

    connection: Connection
    steps: list[str] = field(default_factory=list)
    committed: bool = False
    _open: Transaction | None = None
    _told: Settings = ()

    def drive(self, program: Program[Any]) -> Any:
        """What a program returns."""
        try:
            effect = next(program)
            while True:
                try:
                    result = self._perform(effect)
                except Exception as error:
                    effect = program.throw(error)
                else:
                    effect = program.send(result)
        except StopIteration as stop:
            assert self._open is None, "a transaction is left open"
            return stop.value

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Begin(isolation):
                self.steps.append(f"-- begin, {isolation.value}")
                return self._begin(isolation)
            case Fetch():
                self.steps.append(_shown(effect))
                if effect.transaction is None:
                    return self._wait(run(self.connection, effect))
                assert effect.transaction is self._open
                return self._wait(self._open.fetch(effect))
            case Commit(handle):
                assert handle is self._open
                self.steps.append("-- commit")
                try:
                    self._wait(handle.commit())
                    self.committed = True
                finally:
                    self._end()
                return None
            case Rollback():
                if self._open is not None:  # else it has ended
                    self.steps.append("-- rollback")
                    self._end()
                return None
            case CallAll(calls):
                names = ", ".join(call.field_name for call in calls)
                self.steps.append(f"-- Python: {names}")
                return [outcome(call) for call in calls]
            case Sleep(seconds):
                self.steps.append(f"-- sleep {seconds:g}")
                return seconds
        raise AssertionError(effect)

    def _begin(self, isolation: Isolation) -> Transaction:
        self._open = Transaction(self.connection, isolation)
        return self._open

    def _end(self) -> None:
        self._open = None
        self._wait(wind_up(self.connection))
        assert self.connection.is_idle
        assert not self.connection.unclean

    @staticmethod
    def _wait(conversation: Conversation[_Result]) -> _Result:
        result: _Result = wait_conn(conversation, interval=1.0, timeout=10.0)
        return result


def _shown(fetch: Fetch) -> str:
    lines = [f"-- {name.decode()} = {_text(value)}" for name, value in fetch.settings]
    if fetch.guarded:
        lines.append("-- behind a savepoint")
    lines.append(laid_out(fetch.statement.sql.decode()))
    lines += [f"-- ${number} = {_text(value)}" for number, value in enumerate(fetch.parameters, 1)]
    return "\n".join(lines)


def _text(value: bytes | None) -> str:
    return "NULL" if value is None else json.dumps(value.decode(), ensure_ascii=False)
