"""One statement that inserts rows, and rows that are bound to them, whatever their keys turn out to be.

The text depends on which columns are given in which tables; the rows are parameters, each a JSON array. PostgreSQL
reads their values as the columns' own types, by `json_populate_record`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fraiseql.pipeline.sql.quoting import identifier, literal
from fraiseql.pipeline.sql.values import Base, Values, empty_row, source_name
from fraiseql.schema.fields import Field, Source
from fraiseql.schema.model import ObjectType

__all__ = ["Conflict", "Insert", "Reference", "insert_sql", "is_there", "key_text", "typed_value"]


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns that other rows of the same statement fill; those that several fill must be the same in each.

    Attributes:
        place: of those rows.
        pairs: `(our column, their column)`.
    """

    place: int
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows for one table that have the same columns.

    Attributes:
        place: a number for all rows that are reached by the same way from those of place 0, whatever their columns.
        columns: those that are given.
    """

    place: int
    table: Source
    columns: tuple[str, ...]
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """What becomes of a row of place 0 that is there already: the columns that are given are changed.

    Attributes:
        columns: by which it is found.
        kept: columns that stay.
        constants: it is an error where it has other texts in these columns.
    """

    columns: tuple[str, ...]
    kept: tuple[str, ...]
    constants: tuple[tuple[str, str], ...]


def typed_value(table: Source, column: str, text: str) -> str:
    """An SQL value as one of the type of a column, whatever that is."""
    made = f"json_populate_record({empty_row(table)}, json_build_object({literal(column)}, {text}))"
    return f"({made}).{identifier(column)}"


def key_text(key: str) -> str:
    """A key as the text that jsonb has for it, which a view's document is compared with.

    A cast to text would take the spaces from the end of a `char(n)`, and write times and addresses in another form.
    """
    return f"(to_json({key}) #>> '{{}}')"


def is_there(values: Values, target: ObjectType, key: Field) -> str:
    """The condition that there is a row of a type which the caller may see, for `insert_sql`."""
    assert target.source is not None
    base = Base.of_source("t$", target.source)
    conditions = [values.is_row(key, base, target.source, "e.value"), *values.membership(target, base)]
    return f"exists (select from {source_name(target.source)} {base.alias} where {' and '.join(conditions)})"


@lru_cache(maxsize=1_000)
def insert_sql(
    inserts: tuple[Insert, ...], key: str, conflict: Conflict | None = None, connected: tuple[str, ...] = ()
) -> bytes:
    """The statement for some inserts, each of which takes one parameter: a JSON array of its rows.

    Foreign keys are checked whatever the policies of the caller. So each of `connected`, which `is_there` makes, takes
    a further parameter: a JSON array of the keys of rows that must be there. Nothing is inserted where one is not.

    A row is `{"v": {column: value}, "r": [[s, n], ...]}`: for each reference the row that fills it, the n-th, from 1,
    of the s-th insert, from 0, of its place.

    Its only column is JSON: `[[[s, n, key], ...], [count, ...], [[c, n], ...]]`, the keys of place 0 as texts, how many
    rows each insert has made, and the keys that are missing: the n-th, from 1, of the c-th of `connected`, from 0.

    How a row is paired with those that it is bound to: INSERT takes the rows of its SELECT one by one, in the order of
    its ORDER BY, and gives RETURNING for each before it takes the next; that goes into the CTE's tuple store in this
    order, from which `row_number() over ()` numbers it without a sort. This is how nodeModifyTable.c works in
    PostgreSQL 13 to 18 (nothing of a statement that modifies in WITH is parallel; foreign tables insert no batches
    where there is RETURNING). A row that a trigger leaves out would shift those behind it: the counts tell, and then
    all is rolled back. Nothing is assumed of the keys, which defaults, identities and triggers make as they like.
    """
    places: dict[int, list[tuple[int, Insert]]] = {}
    for number, insert in enumerate(inserts):
        places.setdefault(insert.place, []).append((number, insert))
    needed = _needed(inserts, key)
    parts, missing = [_missing(connected, len(inserts))] if connected else list[str](), "'[]'::json"
    if connected:
        missing = "(select coalesce(json_agg(json_build_array(m.c, m.n) order by m.c, m.n), '[]') from missing$ m)"
    for place in _ordered(places):
        for number, insert in places[place]:
            found = conflict if place == 0 else None
            parts.append(_insert(number, insert, needed, found, is_checked=bool(connected)))
        numbered = [
            f"select {s} as s, row_number() over () as n, w.* from w${number} w"
            for s, (number, _) in enumerate(places[place])
        ]
        parts.append(f"k${place} as ({' union all '.join(numbered)})")
    keyed = f"json_build_array(k.s, k.n, {key_text(f'k.c{needed[0].index(key)}')})"
    counts = ", ".join(f"(select count(*) from w${number})" for number in range(len(inserts)))
    answer = f"json_build_array((select json_agg({keyed}) from k$0 k), json_build_array({counts}), {missing})"
    return f"with {', '.join(parts)} select {answer}".encode()


def _needed(inserts: tuple[Insert, ...], key: str) -> dict[int, list[str]]:
    """The columns of each place that others ask for; those of place 0 begin with the key."""
    found: dict[int, dict[str, None]] = {insert.place: {} for insert in inserts}
    found[0][key] = None
    for insert in inserts:
        for reference in insert.references:
            found[reference.place].update((theirs, None) for _, theirs in reference.pairs)
    return {place: list(columns) for place, columns in found.items()}


def _ordered(places: dict[int, list[tuple[int, Insert]]]) -> list[int]:
    """The places, each behind those that fill its rows: WITH knows what stands before."""
    found: dict[int, None] = {}

    def visit(place: int) -> None:
        if place not in found:
            for _, insert in places[place]:
                for reference in insert.references:
                    visit(reference.place)
            found[place] = None

    for place in places:
        visit(place)
    return list(found)


def _missing(connected: tuple[str, ...], first: int) -> str:
    keys = [
        f"select {c} as c, e.n from json_array_elements_text(${first + c + 1}::json) with ordinality e(value, n)"
        f" where not {condition}"
        for c, condition in enumerate(connected)
    ]
    return f"missing$ as materialized ({' union all '.join(keys)})"


def _insert(
    number: int, insert: Insert, needed: dict[int, list[str]], conflict: Conflict | None, *, is_checked: bool
) -> str:
    table = source_name(insert.table)
    columns = [identifier(column) for column in insert.columns]
    values = [f"r.{column}" for column in columns]
    rows = f"json_array_elements(${number + 1}::json) with ordinality e(value, n)"
    if columns:
        rows += f" cross join lateral json_populate_record({empty_row(insert.table)}, e.value->'v') r"
    filled: dict[str, str] = {}
    for index, reference in enumerate(insert.references):
        alias, address, theirs = f"p{index}", f"e.value->'r'->{index}", needed[reference.place]
        rows += f" join k${reference.place} {alias}"
        rows += f" on {alias}.s = ({address}->>0)::int4 and {alias}.n = ({address}->>1)::int8"
        for ours, column in reference.pairs:
            value = f"{alias}.c{theirs.index(column)}"
            if filled.setdefault(ours, value) is not value:  # else no row is made, and the counts tell
                rows += f" and {value} = {filled[ours]}"
    columns += map(identifier, filled)
    values += filled.values()
    if is_checked:
        rows += " where not exists (select from missing$)"
    named = f" ({', '.join(columns)})" if columns else ""  # with none, all are what the database makes them
    sql = f"insert into {table} as t${named} select {', '.join(values)} from {rows} order by e.n"
    if conflict is not None:
        sql += _on_conflict(insert, conflict)
    asked = needed[insert.place]
    returned = ", ".join(f"t$.{identifier(column)} as c{index}" for index, column in enumerate(asked))
    return f"w${number} as ({sql} returning {returned or '1 as c0'})"


def _on_conflict(insert: Insert, conflict: Conflict) -> str:
    stay = {*conflict.columns, *conflict.kept, *(column for column, _ in conflict.constants)}
    changed = [column for column in insert.columns if column not in stay]
    assignments = [f"{identifier(column)} = excluded.{identifier(column)}" for column in changed]
    # With DO NOTHING there would be no row to return; with nothing to change, what a row is found by stays as it is.
    assigned = ", ".join(assignments or [f"{each} = t$.{each}" for each in map(identifier, conflict.columns[:1])])
    found = ", ".join(map(identifier, conflict.columns))
    conditions = [f"t$.{identifier(column)}::text = {literal(value)}" for column, value in conflict.constants]
    where = f" where {' and '.join(conditions)}" if conditions else ""
    return f" on conflict ({found}) do update set {assigned}{where}"
