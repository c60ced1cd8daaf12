"""What a request is answered with: an outcome, from which a transport picks its status, and the bytes of the body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson

from fraiseql.errors import FraiseQLError, RequestError

__all__ = ["GraphQLResponse", "Outcome", "Refusal", "refuse", "respond", "respond_with_errors"]


class Outcome(Enum):
    """How far a request came; the rows of the status table of GraphQL over HTTP.

    CALLER_REFUSED: what the caller says of itself does not do. METHOD_NOT_ALLOWED: a mutation where only reading is
    allowed. KEY_REUSED is for a mutation: its idempotency key stands for another one. STREAM_FAILED is for a
    subscription only: it ended before its source did.
    """

    NOT_PARSED = auto()
    NOT_VALID = auto()
    OPERATION_UNKNOWN = auto()
    VARIABLES_INVALID = auto()
    CALLER_REFUSED = auto()
    METHOD_NOT_ALLOWED = auto()
    KEY_REUSED = auto()
    DATA = auto()
    DATA_AND_ERRORS = auto()
    FAILED = auto()
    UNAVAILABLE = auto()
    TIMED_OUT = auto()
    STREAM_FAILED = auto()


@dataclass(slots=True)  # not frozen: made for each request, in a third of the time
class GraphQLResponse:
    """The answer to one request.

    Attributes:
        body: JSON in UTF-8.
        cause: the error that the client was not shown.
    """

    outcome: Outcome
    body: bytes
    cause: BaseException | None = None

    @property
    def errors(self) -> bytes:
        """The body's `errors` as a JSON array; an empty one where there are none."""
        return orjson.dumps(orjson.loads(self.body).get("errors", []))


class Refusal(FraiseQLError):
    """A request ends before its statement: the outcome, the errors to answer with, and what the client is not shown."""

    def __init__(self, outcome: Outcome, errors: Iterable[RequestError], cause: Exception | None = None) -> None:
        self.outcome = outcome
        self.errors = tuple(errors)
        self.cause = cause
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


def respond(
    data: bytes | None,
    errors: Sequence[RequestError] = (),
    extensions: Mapping[str, Any] | None = None,
    cause: BaseException | None = None,
) -> GraphQLResponse:
    """One result of a subscription.

    Args:
        data: the JSON of `data`; None is null.
        extensions: of the whole result; none are left out.
    """
    if not errors and data is not None:
        end = b',"extensions":' + orjson.dumps(extensions) + b"}" if extensions else b"}"
        return GraphQLResponse(Outcome.DATA, b'{"data":' + data + end, cause)
    body: dict[str, Any] = {"errors": [_entry(error) for error in errors]}
    body["data"] = None if data is None else orjson.Fragment(data)
    if extensions:
        body["extensions"] = extensions
    return GraphQLResponse(Outcome.DATA_AND_ERRORS, orjson.dumps(body), cause)


def _entry(error: RequestError) -> dict[str, Any]:
    entry: dict[str, Any] = {"message": error.message}
    if error.locations:
        entry["locations"] = [{"line": line, "column": column} for line, column in error.locations]
    if error.path is not None:
        entry["path"] = error.path
    entry["extensions"] = {"code": error.code, **error.extensions}
    return entry
