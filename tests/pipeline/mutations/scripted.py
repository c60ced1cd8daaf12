"""Mutations stepped without a database: every effect is answered by a script, which may put an error in its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import fraiseql
from fraiseql.effects import Begin, Commit, Effect, Fetch, Program, Rollback, Sleep, Statement
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, Pipeline
from fraiseql.pipeline.mutations.serving import Serving

__all__ = ["Faults", "Ran", "Script", "database_error", "run", "schema", "serve"]


@fraiseql.type(sql_source="entries", jsonb_column=None)
class Entry:
    amount: int


@fraiseql.query
def entries() -> list[Entry]: ...


@fraiseql.mutation(function="add")
def add(amount: int) -> int:
    """It may not be null."""


@fraiseql.mutation(function="try_add")
def try_add(amount: int, note: str | None = None) -> int | None:
    """It may be null."""


schema = fraiseql.Schema(queries=[entries], mutations=[add, try_add])


def serve(serving: Serving) -> Program[bytes]:
    """One statement about the field's arguments; a stand-in for the real actions, whose statements are their own."""
    arguments = json.dumps(serving.arguments(), sort_keys=True).encode()
    (text,) = yield from serving.fetch(Statement(serving.root.name.encode(), 1), (arguments,))
    return text or b"null"


Faults = Mapping[int, Exception]
"""Errors by the number of the effect, from 0, that each comes in place of."""


def database_error(sqlstate: str) -> DatabaseError:
    return DatabaseError("what the server said: secret", sqlstate=sqlstate, retryable=sqlstate in ("40001", "40P01"))


@dataclass(slots=True)
class Script:
    """What a runtime and a database do.

    Attributes:
        faults: errors in place of effects.
        answers: by the name of a mutation, what its statement gives; the amount by default.
        lost_commits_count: whether a COMMIT that nobody can tell of was applied.
        trace: what was asked for: words.
        pauses: in seconds.
        committed: amounts.
        pending: those of the open transaction; None where there is none.
    """

    faults: Faults = field(default_factory=dict)
    answers: Mapping[str, bytes | None] = field(default_factory=dict)
    lost_commits_count: bool = False
    trace: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    pending: list[int] | None = None
    handle: object = None
    count: int = 0

    def perform(self, effect: Effect) -> Any:
        """The result of an effect; raises the error that comes in its place."""
        fault = self.faults.get(self.count)
        if not isinstance(effect, Fetch) and not isinstance(fault, DatabaseError):
            fault = None  # the others raise nothing else
        self.count += 1
        match effect:
            case Begin(isolation):
                self.trace.append("begin" if isolation.value == "read committed" else f"begin {isolation.value}")
                assert self.pending is None, "one transaction at a time"
                self._raise(fault)
                self.pending, self.handle = [], object()
                return self.handle
            case Fetch():
                return self._fetched(effect, fault)
            case Commit(handle):
                self.trace.append("commit")
                assert handle is self.handle
                pending, self.pending = self.pending, None
                unknown = isinstance(fault, DatabaseError) and fault.sqlstate == "08007" and self.lost_commits_count
                if fault is None or unknown:
                    self.committed += pending or []
                self._raise(fault)
                return None
            case Rollback(handle):
                self.trace.append("rollback")
                assert handle is self.handle
                self.pending = None
                return None
            case Sleep(seconds):
                self.trace.append("sleep")
                self.pauses.append(seconds)
                assert self.pending is None, "nothing is held meanwhile"
                return seconds
        raise AssertionError(effect)

    def _fetched(self, effect: Fetch, fault: Exception | None) -> Any:
        name, (parameter,) = effect.statement.sql.decode(), effect.parameters
        arguments = json.loads(parameter or b"")
        self.trace.append(f"{name} {arguments['amount']}")
        assert effect.transaction is self.handle
        assert self.pending is not None, "inside of a transaction"
        self._raise(fault)
        self.pending.append(int(arguments["amount"]))
        return (self.answers.get(name, str(arguments["amount"]).encode()),)

    @staticmethod
    def _raise(fault: Exception | None) -> None:
        if fault is not None:
            raise fault


@dataclass(frozen=True, slots=True)
class Ran:
    """What a request came to."""

    script: Script
    response: GraphQLResponse

    @property
    def trace(self) -> list[str]:
        return self.script.trace

    @property
    def committed(self) -> list[int]:
        return self.script.committed

    @property
    def outcome(self) -> Outcome:
        return self.response.outcome

    @property
    def json(self) -> Any:
        return json.loads(self.response.body)

    @property
    def data(self) -> Any:
        return self.json.get("data")

    @property
    def codes(self) -> dict[str, str]:
        """Of the errors, by the paths."""
        errors = self.json.get("errors", [])
        return {".".join(map(str, error.get("path", ()))): error["extensions"]["code"] for error in errors}


def run(
    pipeline: Pipeline,
    query: str,
    variables: Mapping[str, Any] | None = None,
    *,
    faults: Faults | None = None,
    answers: Mapping[str, bytes | None] | None = None,
    lost_commits_count: bool = False,
) -> Ran:
    """Answer one request to the end."""
    script = Script(faults or {}, answers or {}, lost_commits_count)
    program = pipeline.execute(GraphQLRequest(query, None, variables or {}), "request-1")
    try:
        effect = next(program)
        while True:
            try:
                result = script.perform(effect)
            except Exception as error:
                effect = program.throw(error)
            else:
                effect = program.send(result)
    except StopIteration as stop:
        assert script.pending is None, "no transaction is left open"
        return Ran(script, stop.value)
