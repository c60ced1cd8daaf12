"""Which field of a mutation's input a column of the database is: the last step from a constraint to the client."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from fraiseql.pipeline.mutations.function_names import known_names
from fraiseql.pipeline.mutations.serving import Serving
from fraiseql.schema.table_actions import Nesting, TableAction, WrittenTable
from fraiseql.schema.table_inputs import CONNECT, CREATE

__all__ = ["field_names"]


def field_names(serving: Serving) -> Mapping[str, tuple[str, ...]]:
    """The names in GraphQL, dots leading into objects, by column: `email`, `users.email`, `blog.users.email`.

    What is written to a table of its own is known by table and column; of a function's input only the names are known.
    An object that is the only argument goes without saying. There are several names where the input has rows of one
    table in several places: PostgreSQL does not tell which of them it was.
    """
    action = serving.field.action
    if not isinstance(action, TableAction):
        known = known_names(serving.asking.planning.model, serving.field.arguments)
        return {column: (name,) for column, name in known.items()}
    found: dict[str, dict[str, None]] = {}
    for column, name in _written(action, action.written, _objects([serving.arguments().get("input")]), ""):
        found.setdefault(column, {})[name] = None
    return {column: tuple(names) for column, names in found.items()}


def _written(
    action: TableAction, table: WrittenTable, rows: list[Any], place: str, bound: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """The columns of a table, and of those that are written along with it.

    Args:
        rows: what is given of them.
        bound: columns that hold what binds the rows to those that they are nested in.
    """
    source = table.table
    owner = source.name if source.schema is None else f"{source.schema}.{source.name}"
    for column, name in _columns(table, rows, is_outermost=place == "").items():
        if column not in bound:
            yield f"{owner}.{column}", f"{place}{name}"
    for nested in table.nested.values():
        below, inner = _objects(row.get(nested.name) for row in rows), f"{place}{nested.name}."
        binding = [theirs for theirs, _ in nested.on]
        if nested.nesting in (Nesting.PARENT, Nesting.LINKED):  # each is new, or is there already
            below, inner, binding = _objects(each.get(CREATE) for each in below), f"{inner}{CREATE}.", []
        if below:
            yield from _written(action, action.tables[nested.target], below, inner, binding)


def _columns(table: WrittenTable, rows: list[Any], *, is_outermost: bool) -> dict[str, str]:
    """What is written to each column of a row: a field, or a row that it names by that column."""
    names: dict[str, str] = {}
    for name, written in table.columns.items():
        names.setdefault(written.column, name)
    if is_outermost and table.key.column is not None:
        names.setdefault(table.key_column, table.key.name)
    given = {name for row in rows for name in row}
    for nested in table.nested.values():
        parents = _objects(row.get(nested.name) for row in rows) if nested.nesting is Nesting.PARENT else []
        if parents:
            name = f"{nested.name}.{CONNECT}" if all(CONNECT in each for each in parents) else nested.name
            names |= {column: name for _, column in nested.on if names.get(column) not in given}
    return names


def _objects(given: Iterable[Any]) -> list[dict[str, Any]]:
    """The objects among what is given, those in lists included."""
    flat = (one for each in given for one in (each if isinstance(each, list) else [each]))
    return [each for each in flat if isinstance(each, dict)]
