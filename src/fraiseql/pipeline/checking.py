"""A query once more, by its checking statement, where the first statement may have failed for a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fraiseql.effects import Program, Row, Settings, fetch
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.computed.resolution import Resolution
from fraiseql.pipeline.misfits import Checks, may_be_misfit
from fraiseql.pipeline.prepared import Plan
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import GraphQLResponse
from fraiseql.pipeline.sql import BoundStatement
from fraiseql.pipeline.variables import Variables

__all__ = ["answer_checked", "fetch_checking"]


def answer_checked(
    error: DatabaseError,
    plan: Plan,
    failed: BoundStatement,
    parameters: tuple[bytes | None, ...],
    request: GraphQLRequest,
    variables: Variables,
    hint: Mapping[str, Any],
    resolution: Resolution | None,
    settings: Settings = (),
) -> Program[GraphQLResponse | None]:
    """Answer a query whose statement failed with an error, what fits beside what does not.

    Where nothing is found wrong, the rows have changed meanwhile, and the answer is right.

    Args:
        failed: the statement, and `parameters` what it was sent with.
        variables: of the request, coerced.
        hint: entries of `extensions` for masked errors, the request's id.
        resolution: of the fields that Python computes, where there are any.
        settings: that the statement was sent with.

    Returns:
        None where the error is of another kind, or the checking statement fails too.

    Raises:
        Refusal: introspection beside it cannot be answered.
    """
    row = yield from fetch_checking(error, plan, failed, parameters, variables, settings)
    if row is None:
        return None
    checks = Checks(plan.model, hint)
    if resolution is None:
        return plan.answer(row, request.variables, hint, checks=checks)
    values = yield from resolution.complete(plan.sql_roots, row, check=checks.check)
    return plan.answer(values, request.variables, hint, resolution, checks)


def fetch_checking(
    error: DatabaseError,
    plan: Plan,
    failed: BoundStatement,
    parameters: tuple[bytes | None, ...],
    variables: Variables,
    settings: Settings = (),
) -> Program[Row | None]:
    """The row of the checking statement; None where the error is of another kind, or that statement fails too."""
    if not may_be_misfit(error, failed.bindings):
        return None
    statement = plan.statements.of_roots(variables, checking=True)
    try:
        return (yield from fetch(statement.statement, parameters, settings=settings))
    except DatabaseError:
        return None
