"""Whether an index serves a look-up by columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fraiseql.catalog.facts import Catalog, Table

__all__ = ["Missing", "missing_index"]

_LOOKS_UP = ("btree", "hash")


class Missing(NamedTuple):
    """An index that there is not: on these columns of this table."""

    table: Table
    columns: tuple[str, ...]


def missing_index(catalog: Catalog, table: Table, columns: Sequence[str]) -> Missing | None:
    """The index that looking rows up by these columns needs, where there is none.

    A simple view is looked through; of any other view, and of a foreign table, nothing is said.
    """
    if table.kind == "f":
        return None
    if table.kind == "v":
        below = _below(catalog, table, columns)
        return None if below is None else missing_index(catalog, *below)
    wanted = set(columns)
    for index in table.indexes:
        if index.method not in _LOOKS_UP or (index.method == "hash" and len(columns) > 1):
            continue
        # A unique index on fewer columns leads to one row, which then has to match.
        if set(index.columns[: len(wanted)]) == wanted or (index.unique and set(index.columns) <= wanted):
            return None
    return Missing(table, tuple(columns))


def _below(catalog: Catalog, view: Table, columns: Sequence[str]) -> tuple[Table, list[str]] | None:
    """The one table that these columns of a simple view show, and its columns."""
    origins = [view.origins.get(column) for column in columns]
    tables = {None if origin is None else origin[0] for origin in origins}
    if len(tables) != 1 or None in tables:
        return None
    base = catalog.tables.get(next(oid for oid, _ in filter(None, origins)))
    if base is None:
        return None
    names = {column.number: column.name for column in base.columns.values()}
    found = [names.get(number, "") for _, number in filter(None, origins)]
    return (base, found) if all(found) else None
