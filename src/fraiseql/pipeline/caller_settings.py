"""What PostgreSQL is told of the caller with a statement, and what becomes of an answer where that is not enough.

A statement and its plan are kept by the document alone, whoever asks: no SQL depends on the caller. What does depend on
the caller, policies and privileges, is PostgreSQL's to apply each time it executes, by the settings and the role that
travel with the execution; it plans a prepared statement anew where its policies were those of another role.
"""

from __future__ import annotations

from fraiseql.context import Caller
from fraiseql.effects import Settings
from fraiseql.errors import RequestError
from fraiseql.pipeline.response import Outcome, Refusal
from fraiseql.schema.model import SchemaModel

__all__ = ["settings_for"]


def settings_for(model: SchemaModel, caller: Caller, request_id: str) -> Settings:
    """What is told before each statement of a request.

    Raises:
        Refusal: CALLER_REFUSED where a value is missing; FAILED where one cannot be had for another reason.
    """
    if model.database_context is None:
        return ()
    try:
        return model.database_context.settings_of(caller)
    except RequestError as error:
        raise Refusal(Outcome.CALLER_REFUSED, [error]) from None
    except Exception as error:  # a function of the user's raises anything
        hint = {"requestId": request_id}
        shown = RequestError("Internal server error.", code="INTERNAL_SERVER_ERROR", extensions=hint)
        raise Refusal(Outcome.FAILED, [shown], error) from None
