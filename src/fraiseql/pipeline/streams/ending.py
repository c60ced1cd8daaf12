"""How streams end before their source does, and how they ask the database again."""

from __future__ import annotations

from collections.abc import Callable

from fraiseql.effects import Program, Row, Settings, Statement, fetch, sleep
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import SubscriptionLimits
from fraiseql.pipeline.database_errors import told
from fraiseql.pipeline.failures import masked, refused, shown
from fraiseql.pipeline.misfits import Checks, may_be_misfit
from fraiseql.pipeline.response import GraphQLResponse, Outcome, refuse
from fraiseql.pipeline.sql.bind import misfits
from fraiseql.pipeline.subscription import PreparedSubscription

__all__ = ["broke_off", "fetch_again", "fetch_checked", "misfit", "not_started"]

_FIRST_PAUSE = 0.1  # seconds, doubled each time ...
_LONGEST_PAUSE = 2.0  # ... up to this


def not_started(subscription: PreparedSubscription, error: Exception, request_id: str) -> GraphQLResponse:
    """What is answered where a source cannot be opened, or the first result not be had: one result, then the end."""
    unavailable = isinstance(error, DatabaseError) and error.unavailable
    outcome = Outcome.UNAVAILABLE if unavailable else Outcome.FAILED
    entry = misfit(subscription, error)
    if entry is not None:
        return refuse(outcome, [entry], refused(error))
    known, cause = _known(subscription, error, request_id)
    return refuse(outcome, [shown(known, subscription.path, {"requestId": request_id})], cause)


def broke_off(
    subscription: PreparedSubscription, error: Exception, request_id: str, cursor: str | None = None
) -> GraphQLResponse:
    """What is answered where a stream fails midway; the client can resume behind `cursor`."""
    place = None if cursor is None else {"cursor": cursor}
    known, cause = _known(subscription, error, request_id)
    entry = shown(known, subscription.path, {"requestId": request_id}, place)
    return refuse(Outcome.STREAM_FAILED, [entry], cause)


def _known(
    subscription: PreparedSubscription, error: Exception, request_id: str
) -> tuple[Exception, BaseException | None]:
    """What the table of errors says of one, and what the log is told."""
    found = told(subscription.model, error, {"requestId": request_id}, reading=True)
    return (error, masked(error)) if found is None else found


def misfit(subscription: PreparedSubscription, error: Exception) -> RequestError | None:
    """The client's mistake, where the database could not read one of its values."""
    wrong = misfits(subscription.bindings, error) if isinstance(error, DatabaseError) else []
    return wrong[0] if wrong else None


def fetch_again(
    statement: Statement,
    parameters: tuple[bytes | None, ...],
    limits: SubscriptionLimits,
    settings: Settings = (),
) -> Program[Row]:
    """Run a statement, again and again while the database is away; raises DatabaseError.

    No attempt begins later than `recovery_timeout` after the first one failed.
    """
    pause, failed_at, now = _FIRST_PAUSE, None, 0.0
    while True:
        try:
            return (yield from fetch(statement, parameters, limits.statement_timeout, settings=settings))
        except DatabaseError as error:
            if not error.unavailable or (failed_at is not None and now - failed_at >= limits.recovery_timeout):
                raise
        now = yield from sleep(pause)
        failed_at = now - pause if failed_at is None else failed_at
        pause = min(pause * 2, _LONGEST_PAUSE)


def fetch_checked(
    subscription: PreparedSubscription,
    parameters: tuple[bytes | None, ...],
    limits: SubscriptionLimits,
    request_id: str,
) -> Program[tuple[Row, Callable[[], Checks] | None]]:
    """Run the statement, and where it fails for a value that may not fit its type, the checking statement.

    Returns:
        the row, and what makes the checks for each result in it, where they are needed.

    Raises:
        DatabaseError: of the first statement, or that the database stays away.
    """
    assert subscription.statement is not None
    try:
        return (yield from fetch_again(subscription.statement, parameters, limits, subscription.settings)), None
    except DatabaseError as error:
        if not may_be_misfit(error, subscription.bindings):
            raise
        first = error
    try:
        row = yield from fetch_again(subscription.checking_statement, parameters, limits, subscription.settings)
    except DatabaseError as error:
        raise error if error.unavailable else first from None
    return row, lambda: Checks(subscription.model, {"requestId": request_id})
