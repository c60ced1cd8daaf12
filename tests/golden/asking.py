"""Runs requests against a database, blocking."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fraiseql.effects import Fetch
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Pipeline
from fraiseql.postgres import Connection
from golden import driving

__all__ = ["Answer", "Ask", "asking", "opened"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to, and the statement it asked for."""

    response: GraphQLResponse
    fetches: tuple[Fetch, ...]

    @property
    def json(self) -> Any:
        return json.loads(self.response.body)


Ask = Callable[..., Answer]


@contextmanager
def opened(conninfo: str) -> Iterator[Connection]:
    """A connection to a database."""
    connection = driving.opened(conninfo)
    yield connection
    connection.close()


def asking(pipeline: Pipeline, connection: Connection) -> Ask:
    """A function that runs one request after the other."""

    def ask(query: str, variables: Mapping[str, Any] | None = None, operation: str | None = None) -> Answer:
        program = pipeline.execute(GraphQLRequest(query, operation, variables or {}), "request-1")
        response, fetches = driving.drive(connection, program)
        return Answer(response, tuple(fetches))

    return ask
