"""What a request is answered with: an outcome, from which a transport picks its status, and the bytes of the body."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson

from fraiseql.errors import FraiseQLError, RequestError

__all__ = ["GraphQLResponse", "Outcome", "Refusal", "refuse", "respond_with_errors"]


class Outcome(Enum):
    """How far a request came; the rows of the status table of GraphQL over HTTP."""

    NOT_PARSED = auto()
    NOT_VALID = auto()
    OPERATION_UNKNOWN = auto()
    VARIABLES_INVALID = auto()
    DATA = auto()
    DATA_AND_ERRORS = auto()
    FAILED = auto()
    UNAVAILABLE = auto()
    TIMED_OUT = auto()


@dataclass(frozen=True, slots=True)
class GraphQLResponse:
    """The answer to one request.

    Attributes:
        body: JSON in UTF-8.
        cause: the error that the client was not shown.
    """

    outcome: Outcome
    body: bytes
    cause: BaseException | None = None


class Refusal(FraiseQLError):
    """A request ends before its statement: the outcome and the errors to answer with."""

    def __init__(self, outcome: Outcome, errors: Iterable[RequestError]) -> None:
        self.outcome = outcome
        self.errors = tuple(errors)
        super().__init__("; ".join(error.message for error in self.errors))


def refuse(outcome: Outcome, errors: Iterable[RequestError], cause: BaseException | None = None) -> GraphQLResponse:
    """Answer a request that was not executed: `errors` and no `data` (GraphQL §7.1)."""
    return GraphQLResponse(outcome, orjson.dumps({"errors": [_entry(error) for error in errors]}), cause)


def respond_with_errors(
    errors: Iterable[RequestError], data: orjson.Fragment | None, cause: BaseException | None
) -> GraphQLResponse:
    """Answer a request that was executed and failed: `errors` first, then what is left of `data`."""
    body = orjson.dumps({"errors": [_entry(error) for error in errors], "data": data})
    return GraphQLResponse(Outcome.DATA_AND_ERRORS, body, cause)


def _entry(error: RequestError) -> dict[str, Any]:
    entry: dict[str, Any] = {"message": error.message}
    if error.locations:
        entry["locations"] = [{"line": line, "column": column} for line, column in error.locations]
    if error.path is not None:
        entry["path"] = error.path
    entry["extensions"] = {"code": error.code, **error.extensions}
    return entry
