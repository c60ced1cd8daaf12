"""A pipeline for the sample blog, without a database: its programs are sent rows or errors by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from fraiseql.cli.demo.schema import schema
from fraiseql.effects import Fetch, Row
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, Pipeline

Answer = Row | DatabaseError


@dataclass(frozen=True, slots=True)
class Execution:
    """What a program asked for and what it returned."""

    response: GraphQLResponse
    fetches: tuple[Fetch, ...]

    @property
    def outcome(self) -> Outcome:
        return self.response.outcome

    @property
    def json(self) -> Any:
        return json.loads(self.response.body)

    @property
    def error(self) -> Any:
        """The only error of an answer."""
        (error,) = self.json["errors"]
        return error

    @property
    def brief(self) -> Any:
        """The only error's code and path."""
        return self.error["extensions"]["code"], self.error.get("path")


Execute = Callable[..., Execution]


def run(
    pipeline: Pipeline,
    query: str,
    variables: Mapping[str, Any] | None = None,
    operation: str | None = None,
    *,
    answers: tuple[Answer, ...] = (),
) -> Execution:
    """Drive one program; each Fetch takes the next of `answers`, or a row of empty lists."""
    program = pipeline.execute(GraphQLRequest(query, operation, variables or {}), "request-1")
    fetches: list[Fetch] = []
    left = list(answers)
    try:
        effect = next(program)
        while True:
            fetches.append(effect)
            answer = left.pop(0) if left else (b"[]",) * effect.statement.columns
            effect = program.throw(answer) if isinstance(answer, DatabaseError) else program.send(answer)
    except StopIteration as stop:
        return Execution(stop.value, tuple(fetches))


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    """With the default limits."""
    return Pipeline(schema)


@pytest.fixture(scope="session")
def execute(pipeline: Pipeline) -> Execute:
    return lambda *arguments, **options: run(pipeline, *arguments, **options)


@pytest.fixture
def execute_with() -> Callable[..., Execution]:
    """The same with a pipeline of one's own."""
    return run
