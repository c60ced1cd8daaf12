"""Statements about rows of a table that conditions find: locked, changed, deleted.

Each has one row with one column, JSON. Keys go in and out as texts, and are read as the column's own type.

Conditions are those of the type's source. Where that is the table itself, FOR UPDATE checks them again on a row that
another transaction has changed meanwhile (PostgreSQL §13.2.1). A view is read in one statement, its table's rows are
locked, and it is read again by the next, whose snapshot has what became of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from fraiseql.pipeline.sql.inserts import key_text, typed_value
from fraiseql.pipeline.sql.quoting import identifier
from fraiseql.pipeline.sql.rendering import Rendering, Site
from fraiseql.pipeline.sql.values import empty_row, source_name
from fraiseql.schema.table_actions import WrittenTable

__all__ = ["FoundRows", "delete_sql"]


@dataclass(frozen=True, slots=True)
class FoundRows:
    """Rows that conditions find, and the statements about them.

    Args:
        site: the rows of the type's source and the conditions.
        most: how many they may be: of one more no statement changes anything.
    """

    rendering: Rendering
    written: WrittenTable
    site: Site
    most: int

    def lock(self) -> str:
        """Lock them to be deleted, or to be changed by `update` with their keys: `[how many, [key, ...]]`."""
        if self.written.is_source:
            return f"with {self._found('for update')} select {_answer('found$', 'found$')}"
        table, key = source_name(self.written.table), identifier(self.written.key_column)
        mine = f"w$.{key} in (select f$.key from found$ f$)"
        locked = f"locked$ as (select w$.{key} as key from {table} w$ where {mine} order by w$.{key} for update of w$)"
        return f"with {self._found()}, {locked} select {_answer('found$', 'locked$')}"

    def again(self, keys: int) -> str:
        """Which of the locked rows the conditions still hold for: as `lock`; the parameter so numbered has the keys."""
        both = "both$ as (select f$.key from found$ f$ join locked$ l$ on l$.key = f$.key)"
        parts = f"{self._found(every=True)}, {_locked(self.written, keys)}, {both}"
        return f"with {parts} select {_answer('both$', 'both$')}"

    def update(self, columns: list[str], values: int, keys: int | None = None) -> str:
        """Change columns of them: `[how many, [key, ...]]`.

        Args:
            values: the number of the parameter that has the values by the columns' names, a JSON object.
            keys: of the one that has the keys of locked rows, where the source is not the table.
        """
        table, key = source_name(self.written.table), identifier(self.written.key_column)
        parts = [self._found("for no key update" if keys is None else "", every=keys is not None)]
        joined = f"w$.{key} = f$.key"
        origin = f"found$ f$, json_populate_record({empty_row(self.written.table)}, ${values}::json) r$"
        if keys is not None:
            parts.append(_locked(self.written, keys))
            origin += " join locked$ l$ on true"
            joined += f" and w$.{key} = l$.key"
        assigned = ", ".join(f"{identifier(column)} = r$.{identifier(column)}" for column in columns)
        bounded = f"(select count(*) from found$) <= {self.most}" if keys is None else "true"
        update = f"update {table} w$ set {assigned} from {origin} where {joined} and {bounded}"
        parts.append(f"written$ as ({update} returning w$.{key} as key)")
        return f"with {', '.join(parts)} select {_answer('found$', 'written$')}"

    def _found(self, lock: str = "", *, every: bool = False) -> str:
        """The CTE of their keys, one more than allowed where there are too many."""
        written, site = self.written, self.site
        conditions = self.rendering.conditions(site)
        where = f" where {' and '.join(conditions)}" if conditions else ""
        limit = "" if every else f" limit {self.most + 1}"
        if written.is_source:
            key = site.base.named(written.key_column)
            lock = f" {lock} of {site.base.alias}" if lock else ""
            return f"found$ as materialized (select {key} as key from {site.rows}{where} order by 1{limit}{lock})"
        shown = self.rendering.values.compared(written.key, site.base)
        rows = f"select distinct {shown} as key from {site.rows}{where} order by 1{limit}"
        key = typed_value(written.table, written.key_column, "s$.key")
        return f"found$ as materialized (select {key} as key from ({rows}) s$)"


def delete_sql(written: WrittenTable) -> str:
    """Delete the rows whose keys the parameter has, a JSON array of texts: `[key, ...]` of those that are gone."""
    table, key = source_name(written.table), identifier(written.key_column)
    deleted = f"delete from {table} w$ using locked$ l$ where w$.{key} = l$.key returning w$.{key} as key"
    answer = f"coalesce((select json_agg({key_text('g$.key')}) from gone$ g$), '[]')"
    return f"with {_locked(written, 1)}, gone$ as ({deleted}) select {answer}"


def _locked(written: WrittenTable, keys: int) -> str:
    value = typed_value(written.table, written.key_column, "e$.value")
    return f"locked$ as materialized (select {value} as key from json_array_elements_text(${keys}::json) e$(value))"


def _answer(counted: str, keyed: str) -> str:
    keys = f"select json_agg({key_text('a$.key')} order by a$.key) from {keyed} a$"
    return f"json_build_array((select count(*) from {counted}), coalesce(({keys}), '[]'))"
