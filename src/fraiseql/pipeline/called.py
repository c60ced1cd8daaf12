"""A query some of whose root fields functions in Python serve, beside one statement for all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fraiseql.context import Caller
from fraiseql.effects import Program, Row, call_all, fetch
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.pipeline.checking import fetch_checking
from fraiseql.pipeline.computed.resolution import Resolution
from fraiseql.pipeline.computed.roots import GivenRows, Served, show
from fraiseql.pipeline.failures import missing_setting, refused, unavailable
from fraiseql.pipeline.misfits import Checks, may_be_misfit
from fraiseql.pipeline.prepared import Plan
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import GraphQLResponse, Outcome, refuse
from fraiseql.pipeline.sql import BoundStatement
from fraiseql.pipeline.sql.bind import misfits
from fraiseql.pipeline.variables import Variables

__all__ = ["Asked", "answer_called", "failed", "show_given"]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A request that is ready: its plan, and the statement with its parameters, where it needs one.

    Attributes:
        variables: of the request, coerced.
        hint: entries of `extensions` for masked errors, the request's id.
    """

    plan: Plan
    statement: BoundStatement | None
    parameters: tuple[bytes | None, ...]
    variables: Variables
    request: GraphQLRequest
    caller: Caller
    hint: Mapping[str, Any]


def answer_called(asked: Asked, access: DatabaseAccess, resolution: Resolution) -> Program[GraphQLResponse]:
    """Answer such a query: the statement goes first, since nobody is called for what the database refuses.

    Raises:
        Refusal: an argument does not fit, or introspection beside it cannot be answered.
    """
    plan, limit = asked.plan, asked.plan.limits.max_concurrent_calls
    calls = tuple(plan.call(root, asked.variables, asked.caller, access) for root in plan.called_roots)
    given = [plan.statements.given_rows(root, asked.variables) for root in plan.called_roots]
    found = yield from _selected(asked, access, resolution)
    if isinstance(found, GraphQLResponse):
        return found
    values = yield from call_all(calls, limit)

    def fetch_given(rows: GivenRows, records: bytes) -> Program[tuple[Row, Checks | None]]:
        return show_given(rows, records, access, lambda: Checks(plan.model, asked.hint))

    for root, value, rows in zip(plan.called_roots, values, given, strict=True):
        try:
            found[root.key] = yield from show(resolution, plan.model, root, value, rows, fetch_given)
        except DatabaseError as error:  # the others are there already
            found[root.key] = Served(resolution.take_failure(root, error))
    yield from resolution.run()
    served = [found[root.key] for root in plan.value_roots]
    return plan.answer_served(served, asked.request.variables, asked.hint, resolution)


def show_given(
    rows: GivenRows, records: bytes, access: DatabaseAccess, checks: Callable[[], Checks]
) -> Program[tuple[Row, Checks | None]]:
    """Show given rows, and where one may not fit its type, by the checking statement, with what finds it.

    Raises:
        DatabaseError: a statement failed; the transaction of `access` can go on.
    """
    parameters, settings, transaction = (*rows.parameters, records), access.settings, access.transaction
    guarded = transaction is not None
    try:
        return (
            yield from fetch(rows.statement, parameters, settings=settings, transaction=transaction, guarded=guarded)
        ), None
    except DatabaseError as error:
        if not may_be_misfit(error, rows.bindings):
            raise
    row = yield from fetch(rows.checking(), parameters, settings=settings, transaction=transaction, guarded=guarded)
    return row, checks()


def _selected(
    asked: Asked, access: DatabaseAccess, resolution: Resolution
) -> Program[dict[str, Served] | GraphQLResponse]:
    """What SQL serves, by the response key; or the answer where the whole request fails with it."""
    plan, statement = asked.plan, asked.statement
    if statement is None:
        return {}
    checks = None
    try:
        row = yield from fetch(statement.statement, asked.parameters, settings=access.settings)
    except DatabaseError as error:
        checked = yield from fetch_checking(error, plan, statement, asked.parameters, asked.variables, access.settings)
        if checked is None:
            answer = rejected(error, statement, asked.hint)
            failures = ((root, resolution.take_failure(root, error, reading=True)) for root in plan.sql_roots)
            return answer or {root.key: Served(failure) for root, failure in failures}
        row, checks = checked, Checks(plan.model, asked.hint)
    check = None if checks is None else checks.check
    texts = zip(plan.sql_roots, row, strict=True)
    return {root.key: Served(resolution.take_text(root, text, check=check), checks) for root, text in texts}


def failed(
    error: DatabaseError, plan: Plan, statement: BoundStatement, request: GraphQLRequest, request_id: str
) -> GraphQLResponse:
    """Answer a request whose statement failed: the client learns whose fault it was, and no more; raises Refusal."""
    hint = {"requestId": request_id}
    return rejected(error, statement, hint) or plan.fail(error, hint, request.variables)


def rejected(error: DatabaseError, statement: BoundStatement, hint: Mapping[str, Any]) -> GraphQLResponse | None:
    """The answer where the whole request fails with its statement: a value is wrong, or the database is away."""
    missing = missing_setting(error)
    if missing is not None:
        return refuse(Outcome.CALLER_REFUSED, [missing], refused(error))
    wrong = misfits(statement.bindings, error)
    if wrong:
        return refuse(Outcome.VARIABLES_INVALID, wrong, refused(error))
    if error.unavailable:
        return refuse(Outcome.UNAVAILABLE, [unavailable(error, hint)], error)
    return None
