"""The tables that mutations write, held against the facts of a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from fraiseql.catalog.facts import Column, DataType, Table
from fraiseql.catalog.findings import Finding, Severity, nearest
from fraiseql.schema.fields import Source, TypeReference
from fraiseql.schema.model import SchemaModel
from fraiseql.schema.table_actions import NestedRows, Nesting, TableAction, Write, WrittenTable

__all__ = ["check_written", "written_sources"]

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING
_Fit: TypeAlias = "Callable[[TypeReference, DataType, str, str], Iterator[Finding]]"


def written_sources(model: SchemaModel) -> Iterator[Source]:
    """The tables that mutations write, those between others too."""
    for written in _written(model).values():
        yield written.table
        for nested in written.nested.values():
            if nested.through is not None:
                yield nested.through.source


def check_written(
    model: SchemaModel,
    table_of: Callable[[Source], Table | None],
    no_table: Callable[[str, Source, str], Finding],
    fit: _Fit,
    role: str,
) -> Iterator[Finding]:
    """What is wrong with the tables that mutations write.

    Args:
        table_of: the facts of a source that was asked for.
        no_table: the finding that there is none.
        fit: what is wrong between a field's type and a column's.
        role: who writes.
    """
    written = _written(model)
    writes = _writes(model)
    nested = {each.target for table in written.values() for each in table.nested.values()}
    for name, each in written.items():
        used = writes.get(name, set()) | ({Write.CREATE} if name in nested else set())
        if used:
            yield from _Check(each, used, written, table_of, fit, role).findings(no_table, is_root=name in writes)


def _written(model: SchemaModel) -> Mapping[str, WrittenTable]:
    """By the types' names; all fields of Mutation know of all."""
    actions = (each.action for each in model.mutations.values())
    return next((each.tables for each in actions if isinstance(each, TableAction)), {})


def _writes(model: SchemaModel) -> dict[str, set[Write]]:
    found: dict[str, set[Write]] = {}
    for each in model.mutations.values():
        if isinstance(each.action, TableAction):
            found.setdefault(each.action.type, set()).add(each.action.write)
    return found


class _Check:
    def __init__(
        self,
        written: WrittenTable,
        writes: set[Write],
        tables: Mapping[str, WrittenTable],
        table_of: Callable[[Source], Table | None],
        fit: _Fit,
        role: str,
    ) -> None:
        self._written = written
        self._writes = writes
        self._tables = tables
        self._table_of = table_of
        self._fit = fit
        self._role = role
        self._where = f"crud({written.type})"

    def findings(self, no_table: Callable[[str, Source, str], Finding], *, is_root: bool) -> Iterator[Finding]:
        """Args: is_root: whether rows are written by themselves too, and not only nested in others."""
        written, where = self._written, self._where
        table = self._table_of(written.table)
        if table is None:
            if not written.is_source:  # else it is told of the type
                yield no_table(where, written.table, "table")
            return
        if table.kind == "m":
            yield Finding(_ERROR, where, f"{table.quoted} is a materialised view", 'name its table in `table="..."`')
            return
        if table.shadowed and written.table.schema is None:
            found = f"{table.quoted} has the name of a type of PostgreSQL's own, which would be taken for it"
            yield Finding(_ERROR, where, found, f"name it with its schema: {table.schema}.{table.name}")
        yield from self._columns(table)
        yield from self._unique(table, [written.key_column], f"{where} (key)", "what names a row must be unique")
        for names in written.conflicts.values():
            columns = [written.columns[name].column for name in names]
            yield from self._unique(table, columns, f"{where} (upsert)", "ON CONFLICT needs one", immediate=True)
        if self._writes & {Write.CREATE, Write.UPSERT}:
            yield from self._missing(table, is_root=is_root)
        for nested in written.nested.values():
            yield from self._nested(nested, table, no_table)
        yield from self._privileges(table)

    def _columns(self, table: Table) -> Iterator[Finding]:
        written, where = self._written, self._where
        own = [(each.column, f"{written.type}.{each.field.attribute}") for each in written.columns.values()]
        made = [(column, where) for column in [*written.constants, *sorted(written.generated), written.key_column]]
        told: set[str] = set()
        for name, place in [*own, *made]:
            if name not in table.columns and name not in told:
                told.add(name)
                yield _no_column(place, table, name)
        for each in written.columns.values():
            place, column = f"{written.type}.{each.field.attribute}", table.columns.get(each.column)
            if column is None:
                continue
            if column.is_generated:
                found = f"{table.quoted}.{column.quoted} takes no value: PostgreSQL always makes it"
                yield Finding(_ERROR, place, found, f'crud({written.type}, generated=("{each.field.attribute}", ...))')
            elif not written.is_source:  # of a source it is told already
                shown = f"{table.quoted}.{column.quoted} is {column.shown}"
                yield from self._fit(each.field.type, column.type, place, shown)
            if each.field.type.nullable and column.required:
                found = f"{table.quoted}.{column.quoted} may not be null, the input may"
                yield Finding(_WARNING, place, found, "annotate without `| None`, or take NOT NULL from the column")

    def _unique(
        self, table: Table, columns: list[str], where: str, why: str, *, immediate: bool = False
    ) -> Iterator[Finding]:
        if table.is_view or any(column not in table.columns for column in columns):
            return
        for index in table.indexes:
            if index.unique and (index.immediate or not immediate) and set(index.columns) == set(columns):
                return
        names = ", ".join(table.columns[column].quoted for column in columns)
        found = f"{table.quoted} has no unique index on {names}"
        yield Finding(_ERROR, where, found, f"{why}: create unique index on {table.quoted} ({names});")

    def _missing(self, table: Table, *, is_root: bool) -> Iterator[Finding]:
        """Columns that need a value, and that no input has."""
        written = self._written
        given = {each.column for each in written.columns.values()} | set(written.constants)
        given.update(ours for each in written.nested.values() if each.nesting is Nesting.PARENT for _, ours in each.on)
        if not is_root:
            given.update(_filled(written.type, self._tables.values()))
        optional = {written.columns[name].column for name in written.optional}
        for column in table.columns.values():
            if not column.required or column.has_default or column.number <= 0 or table.is_view:
                continue
            shown = f"{table.quoted}.{column.quoted} may not be null and has no default"
            if column.name in written.generated | optional:
                found = f"{shown}: some trigger has to set it"
                yield Finding(_WARNING, self._where, found, "give it a default, or let the input have it")
            elif column.name not in given:
                advice = "declare a field for it, give it a default, or name it in `generated=` where a trigger sets it"
                yield Finding(_ERROR, self._where, f"{shown}, and no input has it", advice)

    def _nested(
        self, nested: NestedRows, ours: Table, no_table: Callable[[str, Source, str], Finding]
    ) -> Iterator[Finding]:
        """The columns that bind rows to each other."""
        where = f"{self._written.type}.{nested.name}"
        theirs, target, through = self._tables[nested.target].table, [their for their, _ in nested.on], nested.through
        pairs: list[tuple[Source, Iterable[str]]] = [(theirs, target)]
        if through is None:
            pairs.append((self._written.table, [own for _, own in nested.on]))
        else:
            between = [its for _, its in nested.on] + [its for its, _ in through.own]
            pairs += [(through.source, between), (self._written.table, [own for _, own in through.own])]
        for source, columns in pairs:
            table = self._table_of(source)
            if table is None:
                continue  # is told of the relation, or of its type
            for column in columns:
                if column not in table.columns:
                    yield _no_column(where, table, column)
        if through is not None and (between_table := self._table_of(through.source)) is not None:
            yield from self._allowed(where, between_table, "insert", lambda column: column.insertable, between)

    def _privileges(self, table: Table) -> Iterator[Finding]:
        columns = [each.column for each in self._written.columns.values()]
        if self._writes & {Write.CREATE, Write.UPSERT}:
            wanted = [*columns, *self._written.constants]
            yield from self._allowed(self._where, table, "insert", lambda column: column.insertable, wanted)
        if self._writes & {Write.UPDATE, Write.UPSERT}:
            wanted = [each for each in columns if each != self._written.key_column]
            yield from self._allowed(self._where, table, "update", lambda column: column.updatable, wanted)
        if Write.DELETE in self._writes:
            if not table.deletable:
                found = f"the role {self._role} may not delete rows of {table.quoted}"
                yield Finding(_ERROR, self._where, found, f"grant delete on {table.quoted} to {self._role};")
            if not any(column.updatable for column in table.columns.values()):
                found = f"the role {self._role} may not lock rows of {table.quoted}, as a deletion does"
                yield Finding(_ERROR, self._where, found, f"grant update on {table.quoted} to {self._role};")

    def _allowed(
        self, where: str, table: Table, privilege: str, has: Callable[[Column], bool], columns: Iterable[str]
    ) -> Iterator[Finding]:
        found = [table.columns[name] for name in columns if name in table.columns]
        hidden = [column.quoted for column in found if not has(column) and not column.is_generated]
        if hidden:
            text = f"the role {self._role} may not {privilege} {', '.join(hidden)} of {table.quoted}"
            yield Finding(_ERROR, where, text, f"grant {privilege} on {table.quoted} to {self._role};")


def _filled(name: str, tables: Iterable[WrittenTable]) -> Iterator[str]:
    """The columns of a type's table that rows which it is nested in fill."""
    for table in tables:
        for nested in table.nested.values():
            if nested.target == name and nested.nesting in (Nesting.CHILD, Nesting.CHILDREN):
                yield from (theirs for theirs, _ in nested.on)


def _no_column(where: str, table: Table, name: str) -> Finding:
    known = [column.name for column in table.columns.values() if column.number > 0]
    hint = nearest(name, known) or "name another in `columns=`, or put it into `read_only=`"
    return Finding(_ERROR, where, f"{table.quoted} has no column {name}", hint)
