"""Fields of mutations that SQL serves: a PostgreSQL function, or statements about a table; and what errors become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from fraiseql.effects import Program
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.pipeline.database_errors import described
from fraiseql.pipeline.failures import missing_setting
from fraiseql.pipeline.mutations.field_names import field_names
from fraiseql.pipeline.mutations.functions import call_function, error_member
from fraiseql.pipeline.mutations.serving import Serving
from fraiseql.pipeline.mutations.tables import write_table
from fraiseql.schema.function_actions import FunctionAction
from fraiseql.schema.table_actions import TableAction

__all__ = ["recovered", "serve"]

_SERVERS: Final[Mapping[type[Any], Callable[[Serving], Program[bytes]]]] = MappingProxyType(
    {FunctionAction: call_function, TableAction: write_table}
)


def serve(serving: Serving) -> Program[bytes]:
    """Serve a field in its transaction and return the JSON of what is selected of it; raises anything.

    One with a function in Python is served by `resolvers.called`.
    """
    return _SERVERS[type(serving.field.action)](serving)


def recovered(serving: Serving, error: Exception) -> Program[tuple[bytes | None, Exception]]:
    """What can be made of an error after the transaction was rolled back.

    Returns:
        the JSON of the union's error member, where the field has one and the error fits it; and what the error is for
        the client, whose `__cause__`, where that is a ValueRefused, is for the log.
    """
    planning, hint = serving.asking.planning, serving.asking.hint
    if isinstance(error, DatabaseError):
        known = described(planning.model, planning.constraints, error, field_names(serving), hint)
        error = missing_setting(error) or (yield from known) or error
    return (error_member(serving, error) if isinstance(error, RequestError) else None), error
