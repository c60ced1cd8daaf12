"""A query once more, by its checking statement, where the first statement may have failed for a value."""

from __future__ import annotations

from fraiseql.effects import Program, fetch
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.computed.resolution import Resolution
from fraiseql.pipeline.misfits import Checks, may_be_misfit
from fraiseql.pipeline.prepared import Plan, PreparedOperation
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import GraphQLResponse
from fraiseql.pipeline.sql import BoundStatement

__all__ = ["answer_checked"]


def answer_checked(
    error: DatabaseError,
    prepared: PreparedOperation,
    plan: Plan,
    failed: BoundStatement,
    parameters: tuple[bytes | None, ...],
    request: GraphQLRequest,
    request_id: str,
    resolution: Resolution | None,
) -> Program[GraphQLResponse | None]:
    """Answer a query whose statement failed with an error, what fits beside what does not.

    Where nothing is found wrong, the rows have changed meanwhile, and the answer is right.

    Returns:
        None where the error is of another kind, or the checking statement fails too.

    Raises:
        Refusal: introspection beside it cannot be answered.
    """
    if not may_be_misfit(error, failed.bindings):
        return None
    statement = plan.statement(prepared.coerce(request), checking=True)
    try:
        row = yield from fetch(statement.statement, parameters)
    except DatabaseError:
        return None
    hint = {"requestId": request_id}
    checks = Checks(plan.model, hint)
    if resolution is None:
        return plan.answer(row, request.variables, hint, checks=checks)
    values = yield from resolution.complete(plan.sql_roots, row, check=checks.check)
    return plan.answer(values, request.variables, hint, resolution, checks)
