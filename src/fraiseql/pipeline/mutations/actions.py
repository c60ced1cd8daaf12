"""Who serves a field of a mutation: a PostgreSQL function, a statement about a table, or a function in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from fraiseql.effects import Program
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.pipeline.database_errors import described
from fraiseql.pipeline.failures import missing_setting
from fraiseql.pipeline.mutations.functions import call_function, error_member
from fraiseql.pipeline.mutations.serving import Serving
from fraiseql.pipeline.mutations.tables import write_table
from fraiseql.schema.function_actions import FunctionAction
from fraiseql.schema.model import InputField, InputType, SchemaModel
from fraiseql.schema.table_actions import TableAction

__all__ = ["recovered", "serve"]

_SERVERS: Final[Mapping[type[Any], Callable[[Serving], Program[bytes]]]] = MappingProxyType(
    {FunctionAction: call_function, TableAction: write_table}
)


def serve(serving: Serving) -> Program[bytes]:
    """Serve a field in its transaction and return the JSON of what is selected of it; raises anything."""
    return _SERVERS[type(serving.field.action)](serving)


def recovered(serving: Serving, error: Exception) -> Program[tuple[bytes | None, Exception]]:
    """What can be made of an error after the transaction was rolled back.

    Returns:
        the JSON of the union's error member, where the field has one and the error fits it; and what the error is for
        the client, whose `__cause__`, where that is a ValueRefused, is for the log.
    """
    planning, hint = serving.asking.planning, serving.asking.hint
    if isinstance(error, DatabaseError):
        error = missing_setting(error) or (yield from described(planning, error, _field_names(serving), hint)) or error
    return (error_member(serving, error) if isinstance(error, RequestError) else None), error


def _field_names(serving: Serving) -> Mapping[str, str]:
    """For each column that the field's input may write, its name there."""
    action = serving.field.action
    if isinstance(action, TableAction):
        tables = (*action.tables.values(), action.written)
        return {f"{each.table.name}.{of.column}": name for each in tables for name, of in each.columns.items()}
    return dict(_inputs(serving.asking.planning.model, serving.field.arguments.values(), frozenset()))


def _inputs(model: SchemaModel, fields: Iterable[InputField], above: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What arguments and input objects in them are named in the database, and in GraphQL; the outermost comes last."""
    for field in (fields := list(fields)):
        named = model.types[field.type.named]
        if isinstance(named, InputType) and named.name not in above:
            yield from _inputs(model, named.fields.values(), above | {named.name})
    for field in fields:
        if not isinstance(model.types[field.type.named], InputType):
            yield field.target, field.name
