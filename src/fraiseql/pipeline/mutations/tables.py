"""Mutations of tables: one statement that writes, and then what is selected of the rows that its keys name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from fraiseql.effects import Program, Statement
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.pipeline.failures import refused
from fraiseql.pipeline.mutations.every_row import means_every_row
from fraiseql.pipeline.mutations.serving import Serving
from fraiseql.pipeline.mutations.written_rows import WrittenRows, column_values, wrong
from fraiseql.pipeline.response import Outcome, Refusal
from fraiseql.pipeline.sql.bind import Binding, encode, misfits
from fraiseql.pipeline.sql.found_rows import FoundRows, delete_sql
from fraiseql.pipeline.sql.inserts import Conflict, insert_sql
from fraiseql.pipeline.sql.rendering import Rendering, Site
from fraiseql.schema.model import InputField
from fraiseql.schema.numbers import json_text
from fraiseql.schema.table_actions import TableAction, Write, WrittenTable
from fraiseql.schema.table_mutations import ON_CONFLICT

__all__ = ["write_table"]

# Texts that are no value of their column's type, numbers and times that are none, characters that jsonb does not hold.
_UNREADABLE: Final = frozenset({"22P02", "22P05", "22003", "22007", "22008", "22021"})

# ON CONFLICT DO UPDATE found a row that it had written itself: two spellings of one value, as "1" and "01".
_SAME_ROW_TWICE: Final = ("21000", "nodeModifyTable.c")
_INDEX: Final = re.compile(r"\[\d+\]")


def write_table(serving: Serving) -> Program[bytes]:
    """Serve a field that writes a table: the JSON of what is selected of the rows that were written.

    Raises:
        RequestError: the client's mistake, or that the database did not write a row.
        DatabaseError: a statement failed.
        Refusal: an argument inside of the selection does not fit.
    """
    action = serving.field.action
    assert isinstance(action, TableAction)
    return _SERVERS[action.write](serving, action)


def _insert(serving: Serving, action: TableAction) -> Program[bytes]:
    arguments = serving.arguments()
    given = arguments["input"] if action.many else [arguments["input"]]
    if not given:
        return b"[]"
    written, conflict = action.written, None
    if action.write is Write.UPSERT:
        conflict = _conflict(serving, written, given, arguments.get(ON_CONFLICT))
    limits = serving.asking.planning.limits
    rows = WrittenRows(serving.asking.planning.model, action.tables, serving.path, limits.max_written_rows)
    places = [f"input[{index}]" for index in range(len(given))] if action.many else ["input"]
    addresses = [rows.add(written, each, place) for each, place in zip(given, places, strict=True)]
    keyed = yield from _inserted(serving, action, rows, conflict)
    keys = {(s, n): key for s, n, key in keyed}
    texts = yield from _shown(serving, written, [keys[address] for address in addresses])
    return _answer(action, texts)


def _inserted(
    serving: Serving, action: TableAction, rows: WrittenRows, conflict: Conflict | None
) -> Program[list[Any]]:
    """Insert the rows; gives the keys of those of the field itself, each with its address."""
    sql = insert_sql(rows.inserts, action.written.key_column, conflict, rows.connected)
    try:
        keyed, counts, missing = yield from _asked(serving, sql, rows.parameters(), reads_input=True)
    except DatabaseError as error:
        if conflict is None or (error.sqlstate, error.source_file) != _SAME_ROW_TWICE:
            raise
        names = ", ".join(_conflict_names(action.written, serving.arguments().get(ON_CONFLICT)))
        raise wrong(f'Two rows of the argument "input" have the same {names}', serving.path) from refused(error)
    if missing:
        raise _not_there([rows.connected_place(number, index) for number, index in missing], serving.path)
    if counts != rows.counts():  # and the rows may be paired wrongly
        raise _not_written(serving)
    found: list[Any] = keyed
    return found


def _conflict_names(written: WrittenTable, chosen: str | None) -> tuple[str, ...]:
    """The fields that an upsert finds rows by."""
    return written.conflicts[next(iter(written.conflicts)) if chosen is None else chosen]


def _conflict(
    serving: Serving, written: WrittenTable, given: Sequence[Mapping[str, Any]], chosen: str | None
) -> Conflict:
    """What an upsert finds rows by; raises RequestError where that does not tell them apart."""
    names = _conflict_names(written, chosen)
    seen: set[str] = set()
    for index, each in enumerate(given):
        missing = [name for name in names if each.get(name) is None]
        if missing:  # nulls are never equal: it would always be a new row
            place = "input" if serving.field.arguments["input"].type.item is None else f"input[{index}]"
            raise wrong(f'The argument "{place}.{missing[0]}" is needed: rows are found by it', serving.path)
        values = json_text([each[name] for name in names])
        if values in seen:
            message = f'The argument "input[{index}]" is the second with the same {", ".join(names)}'
            raise wrong(message, serving.path)
        seen.add(values)
    columns = tuple(written.columns[name].column for name in names)
    return Conflict(columns, (written.key_column,), tuple(written.constants.items()))


def _update(serving: Serving, action: TableAction) -> Program[bytes]:
    planning, written = serving.asking.planning, action.written
    values = column_values(planning.model, written, serving.arguments()["input"], serving.path, "input")
    if not values:
        raise wrong('The argument "input" has no field: there is nothing to change', serving.path)
    columns = sorted(values)
    value = json_text({column: values[column] for column in columns}).encode()
    if written.is_source:
        found, bindings = _found(serving, action)
        sql = found.update(columns, len(bindings) + 1)
        keys = yield from _keys(serving, sql, bindings, [value], reads_input=True)
    else:
        locked = yield from _lock(serving, action)
        found, bindings = _found(serving, action)
        sql = found.update(columns, len(bindings) + 1, len(bindings) + 2)
        more = [value, orjson.dumps(locked)]
        keys = (yield from _keys(serving, sql, bindings, more, reads_input=True)) if locked else []
    texts = yield from _shown(serving, written, keys)
    return _answer(action, texts)


def _delete(serving: Serving, action: TableAction) -> Program[bytes]:
    written = action.written
    keys = yield from _lock(serving, action)
    if keys and not written.is_source:
        found, bindings = _found(serving, action)
        keys = yield from _keys(serving, found.again(len(bindings) + 1), bindings, [orjson.dumps(keys)])
    if not keys:
        return _answer(action, [])
    texts = yield from _selected(serving, written, keys)
    shown = {key: text for key, text in zip(keys, texts, strict=True) if text is not None}
    gone = set((yield from _asked(serving, delete_sql(written).encode(), [orjson.dumps([*shown])])))
    return _answer(action, [text for key, text in shown.items() if key in gone])


_SERVERS: Final[Mapping[Write, Callable[[Serving, TableAction], Program[bytes]]]] = {
    Write.CREATE: _insert,
    Write.UPSERT: _insert,
    Write.UPDATE: _update,
    Write.DELETE: _delete,
}


def _lock(serving: Serving, action: TableAction) -> Program[list[str]]:
    """Lock the rows that are meant; gives their keys."""
    found, bindings = _found(serving, action)
    return (yield from _keys(serving, found.lock(), bindings, []))


def _found(serving: Serving, action: TableAction) -> tuple[FoundRows, tuple[Binding, ...]]:
    """The rows that the arguments mean, and what binds these."""
    asking, written = serving.asking, action.written
    planning, root = asking.planning, serving.root
    assert root.selection is not None
    target = planning.model.object_type(action.type)
    assert target.source is not None
    rendering = Rendering(planning.model, planning.schema, asking.variables, planning.limits, {})
    base, conditions = rendering.base(target.source), list[str]()
    if action.finds:
        conditions = rendering.filters.where(target, base, serving.trees["where"], serving.path)
        if means_every_row(planning.model, target, serving.trees["where"], asking.variables):
            raise wrong(
                'The argument "where" would mean every row: what is absent or empty is no condition', serving.path
            )
    else:
        declared: Mapping[str, InputField] = {written.key.name: serving.field.arguments[written.key.name]}
        conditions = rendering.filters.equal(target, base, declared, serving.trees, serving.path)
    site = Site(target, base, conditions, {}, serving.path, root.selection)
    found = FoundRows(rendering, written, site, planning.limits.max_written_rows)
    return found, rendering.bindings.taken()


def _keys(
    serving: Serving, sql: str, bindings: Sequence[Binding], more: Sequence[bytes], *, reads_input: bool = False
) -> Program[list[str]]:
    """Run a statement that gives how many rows there are, and keys; raises RequestError where there are too many."""
    try:
        values = [encode(binding.get(serving.asking.variables)) for binding in bindings]
    except RequestError as error:
        raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None
    parameters = [*values, *more]
    count, keys = yield from _asked(serving, sql.encode(), parameters, bindings, reads_input=reads_input)
    most = serving.asking.planning.limits.max_written_rows
    if count > most:
        raise wrong(f'The argument "where" finds more than {most} rows, which is the limit', serving.path)
    found: list[str] = keys
    return found


def _asked(
    serving: Serving,
    sql: bytes,
    parameters: Sequence[bytes | None],
    bindings: Sequence[Binding] = (),
    *,
    reads_input: bool = False,
) -> Program[Any]:
    """Run a statement that answers with JSON; raises RequestError where a value of the client's is refused."""
    try:
        (answer,) = yield from serving.fetch(Statement(sql, 1), parameters)
    except DatabaseError as error:
        mistakes = misfits(bindings, error)
        is_told = serving.asking.planning.model.errors.find(error) is not None
        if not mistakes and reads_input and error.sqlstate in _UNREADABLE and not is_told:
            message = 'A value of the argument "input" does not fit the column that it is written to'
            mistakes = [wrong(message, serving.path)]
        if not mistakes:
            raise
        raise mistakes[0] from refused(error)
    return orjson.loads(answer or b"null")


def _selected(serving: Serving, written: WrittenTable, keys: Sequence[str]) -> Program[list[bytes | None]]:
    assert serving.root.selection is not None
    return serving.rows_by_key(serving.root.selection, written.key, keys)


def _shown(serving: Serving, written: WrittenTable, keys: Sequence[str]) -> Program[list[bytes]]:
    """What is selected of rows that were written; raises RequestError where a view has one not, or not any more."""
    texts = yield from _selected(serving, written, keys)
    found = [text for text in texts if text is not None]
    if len(found) < len(texts):
        raise _not_written(serving)
    return found


def _answer(action: TableAction, texts: Sequence[bytes]) -> bytes:
    if not action.many:
        return texts[0] if texts else b"null"
    return b"[" + b",".join(texts) + b"]"


def _not_there(places: Sequence[str], path: tuple[str, ...]) -> RequestError:
    """The same for rows that the caller may not see: nobody is told that these are there."""
    fields = list(dict.fromkeys(_INDEX.sub("", place).removeprefix("input.") for place in places))
    message = f'The argument "{places[0]}" names a row that is not there.'
    return RequestError(message, code="FOREIGN_KEY_VIOLATION", path=path, extensions={"fields": fields})


def _not_written(serving: Serving) -> RequestError:
    message = "The database did not let every row be written and be seen."
    return RequestError(message, code="NOT_WRITTEN", path=serving.path)
