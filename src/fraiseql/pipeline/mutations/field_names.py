"""Which field of a mutation's input a column of the database is: the last step from a constraint to the client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fraiseql.pipeline.mutations.function_names import known_names
from fraiseql.pipeline.mutations.serving import Serving
from fraiseql.schema.table_actions import Nesting, TableAction, WrittenTable
from fraiseql.schema.table_inputs import CREATE

__all__ = ["field_names"]


def field_names(serving: Serving) -> Mapping[str, str]:
    """The names in GraphQL, dots leading into objects, by column: `email`, `users.email`, `blog.users.email`.

    What is written to a table of its own is known by table and column; of a function's input only the names are known.
    An object that is the only argument goes without saying.
    """
    action = serving.field.action
    if isinstance(action, TableAction):
        return dict(reversed([*_written(action, action.written, serving.arguments().get("input"), "")]))
    return known_names(serving.asking.planning.model, serving.field.arguments)


def _written(action: TableAction, table: WrittenTable, given: Any, place: str) -> Iterator[tuple[str, str]]:
    """The columns of a table, and of those that are written along with it; what comes first holds."""
    source = table.table
    owner = source.name if source.schema is None else f"{source.schema}.{source.name}"
    for name, written in table.columns.items():
        yield f"{owner}.{written.column}", f"{place}{name}"
    if place == "" and table.key.column is not None:
        yield f"{owner}.{table.key_column}", table.key.name
    rows = given if isinstance(given, list) else [given]
    for nested in table.nested.values():
        below = [row[nested.name] for row in rows if isinstance(row, dict) and row.get(nested.name) is not None]
        if below:
            flat = [each for one in below for each in (one if isinstance(one, list) else [one])]
            inner = f"{place}{nested.name}."
            if nested.nesting in (Nesting.PARENT, Nesting.LINKED):  # each is new, or is there already
                flat, inner = [each[CREATE] for each in flat if CREATE in each], f"{inner}{CREATE}."
            yield from _written(action, action.tables[nested.target], flat, inner)
