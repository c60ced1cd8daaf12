"""Which field of a mutation's input a column of the database is: the last step from a constraint to the client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fraiseql.pipeline.mutations.serving import Serving
from fraiseql.schema.model import InputField, InputType, SchemaModel
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
    return _named(serving.asking.planning.model, serving.field.arguments)


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


def _named(model: SchemaModel, arguments: Mapping[str, InputField]) -> dict[str, str]:
    """By what the function knows the fields as, the outermost first."""
    found: dict[str, str] = {}
    level = [(field, "") for field in arguments.values()]
    only = _inside(model, level[0][0]) if len(level) == 1 else None
    if only is not None:
        level = [(field, "") for field in only.fields.values()]
    seen: set[str] = set()
    while level:
        below = list[tuple[InputField, str]]()
        for field, place in level:
            found.setdefault(field.target, f"{place}{field.name}")
            inside = _inside(model, field)
            if inside is not None and inside.name not in seen:
                seen.add(inside.name)
                below += [(each, f"{place}{field.name}.") for each in inside.fields.values()]
        level = below
    return found


def _inside(model: SchemaModel, field: InputField) -> InputType | None:
    named = model.types[field.type.named]
    return named if isinstance(named, InputType) else None
