"""A schema held against the facts of a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from fraiseql.catalog.constraints import listed_values
from fraiseql.catalog.expressions import Computed, ExpressionTypes, check_expression
from fraiseql.catalog.facts import Catalog, Column, DataType, Table
from fraiseql.catalog.findings import Finding, Severity, nearest
from fraiseql.catalog.indexes import missing_index
from fraiseql.catalog.shared import check_discriminator, served_types
from fraiseql.catalog.types import TEXTS, fit_of
from fraiseql.catalog.written import check_written, written_sources
from fraiseql.schema.model import (
    AbstractType,
    EnumType,
    Field,
    ObjectType,
    SchemaModel,
    Shape,
    Source,
    SubscriptionField,
    SubscriptionKind,
    Through,
    TypeReference,
)
from fraiseql.schema.scalars import Scalar

__all__ = ["check_schema", "sources_of"]

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING


def sources_of(model: SchemaModel) -> list[Source]:
    """The sources that a schema names, each once, in the order that `check_schema` wants them asked for."""
    found: dict[tuple[str | None, str], Source] = {}
    for target, _ in served_types(model):
        between = [through.source for _, through in _between(target)]
        for source in (target.source, *between):
            assert source is not None
            found.setdefault((source.schema, source.name), source)
    for source in written_sources(model):
        found.setdefault((source.schema, source.name), source)
    return list(found.values())


def check_schema(
    model: SchemaModel,
    catalog: Catalog,
    missing_outbox: str | None = None,
    expressions: ExpressionTypes = MappingProxyType({}),
) -> list[Finding]:
    """Every difference between a schema and a database, type by type.

    Args:
        catalog: the answer for `sources_of(model)`.
        missing_outbox: the name of the outbox that subscriptions need and the database has not.
        expressions: what PostgreSQL says of computed fields.
    """
    return list(_Check(model, catalog, expressions).findings(missing_outbox))


def _between(target: ObjectType) -> Iterator[tuple[Field, Through]]:
    """The relations of a type that have a table between."""
    for field in target.fields.values():
        if field.relation is not None and field.relation.through is not None:
            yield field, field.relation.through


class _Check:
    def __init__(self, model: SchemaModel, catalog: Catalog, expressions: ExpressionTypes) -> None:
        self._model = model
        self._expressions = expressions
        self._catalog = catalog
        asked = [(source.schema, source.name) for source in sources_of(model)]
        self._tables = dict(zip(asked, catalog.found, strict=True))

    def findings(self, missing_outbox: str | None) -> Iterator[Finding]:
        for target, is_shared in served_types(self._model):
            yield from self._type(target, is_shared=is_shared)
        for subscription in self._model.subscriptions.values():
            yield from self._subscription(subscription)
        yield from check_written(self._model, self._table_of, self._no_table, self._fit, self._catalog.role)
        if missing_outbox is not None:
            found = f"the database has no outbox {missing_outbox}, which carries events to them"
            yield Finding(_ERROR, "subscriptions", found, "run what `fraiseql outbox` prints")

    def _table(self, target: ObjectType) -> Table | None:
        assert target.source is not None
        return self._table_of(target.source)

    def _table_of(self, source: Source) -> Table | None:
        return self._tables[source.schema, source.name]

    def _type(self, target: ObjectType, *, is_shared: bool) -> Iterator[Finding]:
        """What is wrong with one type; of a source that it shares with others only what is its own."""
        assert target.source is not None
        table = self._table(target)
        if table is None:
            if not is_shared:
                yield self._no_table(target.name, target.source, "sql_source")
            return
        used: dict[str, None] = {}
        document = target.source.jsonb_column
        if document is not None and not is_shared:
            used[document] = None
            yield from self._document(target, table, document)
        if isinstance(target, AbstractType) and target.discriminator is not None:
            used[target.discriminator.key] = None
            yield from check_discriminator(target, table)
        yield from self._fields(target, table, used, is_shared=is_shared)
        for other in self._referring(target):
            used.update(dict.fromkeys(other))
        yield from self._privileges(target.name, table, list(used))

    def _fields(self, target: ObjectType, table: Table, used: dict[str, None], *, is_shared: bool) -> Iterator[Finding]:
        """What is wrong with the fields of a type; `used` is given the columns that they read."""
        for field in target.fields.values():
            where = _where(target, field)
            if field.relation is not None:
                used.update(dict.fromkeys(field.relation.begins_at))
                yield from self._relation(field, where, table, is_shared=is_shared)
            elif field.expression is not None:
                used.update(dict.fromkeys(field.expression.columns))
                computed = Computed(target, field, field.expression)
                yield from check_expression(self._model, computed, where, table, self._expressions)
            elif field.column is not None:
                used[field.column] = None
                yield from self._column(field, where, table, is_shared=is_shared)

    def _no_table(self, where: str, source: Source, option: str) -> Finding:
        hint = nearest(str(source), self._catalog.names) or f"make it, or change {option}"
        path = "" if source.schema is not None else " on the search path"
        return Finding(_ERROR, where, f"there is no table or view {source}{path}", hint)

    def _referring(self, target: ObjectType) -> Iterator[tuple[str, ...]]:
        """The columns by which relations find rows of a type."""
        for owner, _ in served_types(self._model):
            for field in owner.fields.values():
                if field.relation is not None and field.relation.target == target.name:
                    yield tuple(theirs for theirs, _ in field.relation.on)

    def _document(self, target: ObjectType, table: Table, name: str) -> Iterator[Finding]:
        column = table.columns.get(name)
        if column is None:
            hint = nearest(name, table.columns) or "name another jsonb_column, or None where the fields are columns"
            yield Finding(_ERROR, target.name, f"{table.quoted} has no column {name}", hint)
        elif column.type.bare.name != "jsonb":
            found = f"{_shown(table, column)}, and holds the fields"
            yield Finding(_ERROR, target.name, found, "make it jsonb, or give jsonb_column=None")

    def _column(self, field: Field, where: str, table: Table, *, is_shared: bool) -> Iterator[Finding]:
        assert field.column is not None
        column = table.columns.get(field.column)
        if column is None:
            yield _no_column(where, table, field.column)
            return
        yield from self._fit(field.type, column.type, where, _shown(table, column))
        yield from self._values(field.type, column, where, table)
        # What only some of the rows have, the others have null for.
        if not field.type.nullable and not column.required and not table.is_view and not is_shared:
            found = f"{table.quoted}.{column.quoted} may be null, the field may not"
            advice = f"alter table {table.quoted} alter column {column.quoted} set not null, or annotate with `| None`"
            yield Finding(_WARNING, where, found, advice)

    def _fit(self, reference: TypeReference, actual: DataType, where: str, shown: str) -> Iterator[Finding]:
        named = self._model.types[reference.named]
        found = actual.bare
        if isinstance(named, Scalar) and named.name == "JSON":
            return
        if isinstance(named, ObjectType):
            whole = found.element.bare if found.element is not None and reference.item is not None else found
            if whole.name not in ("json", "jsonb", "hstore") and whole.kind != "c":
                advice = "use a jsonb column, or relation(on=...) where it is a row of its own"
                yield Finding(_ERROR, where, f"{shown}, the field is the object {reference}", advice)
            return
        if (reference.item is not None) != (found.element is not None):
            advice = (
                "annotate with list[...]" if found.element is not None else "use an array, or annotate without list"
            )
            yield Finding(_ERROR, where, f"{shown}, the field is {reference}", advice)
            return
        element = found.element.bare if found.element is not None else found
        if isinstance(named, EnumType):
            if element.kind != "e" and element.name not in TEXTS:
                advice = "use an enum or a text column"
                yield Finding(_ERROR, where, f"{shown}, the field is the enum {reference}", advice)
            return
        assert isinstance(named, Scalar)
        fit = fit_of(named, element)
        if not fit.fits:
            advice = "change the annotation, or the column's type"
            yield Finding(_ERROR, where, f"{shown}, the field is {reference}", advice)
        elif fit.warning is not None:
            found_text = f"{shown}, the field is {reference}: {fit.warning}"
            yield Finding(_WARNING, where, found_text, "change the annotation where that can happen")

    def _values(self, reference: TypeReference, column: Column, where: str, table: Table) -> Iterator[Finding]:
        named = self._model.types[reference.named]
        if not isinstance(named, EnumType):
            return
        listed = listed_values(column, table, is_list=reference.item is not None)
        if listed is None:
            return
        declared = list(named.values.values())
        unknown = [value for value in declared if value not in listed.values]
        if unknown:
            found = f"{named.name} has {_list(unknown)}, {listed.origin} has not"
            yield Finding(_ERROR, where, found, "add it there, or take it out of the class")
        undeclared = [value for value in listed.values if value not in declared]
        if undeclared:
            found = f"{listed.origin} has {_list(undeclared)}, {named.name} has not: such rows are errors"
            yield Finding(_WARNING, where, found, "add it to the class")

    def _relation(self, field: Field, where: str, table: Table, *, is_shared: bool) -> Iterator[Finding]:
        assert field.relation is not None
        target, through = self._model.object_type(field.relation.target), field.relation.through
        theirs = self._table(target)
        if through is not None:
            yield from self._through(field.relation.on, through, where, table, theirs)
            return
        yield from _pairs(where, theirs, table, field.relation.on, "on")
        columns = [table.columns.get(name) for name in field.relation.begins_at]
        nullable = [column.quoted for column in columns if column is not None and not column.required and not is_shared]
        if nullable and not table.is_view and field.relation.shape is Shape.ROW and not field.type.nullable:
            found = f"{table.quoted}.{nullable[0]} may be null, the field may not"
            yield Finding(_WARNING, where, found, "annotate with `| None`, or set the column not null")
        ordered = target.identity  # lists are in the order of their ids
        further = [ordered.column] if ordered is not None and field.relation.shape.is_to_many else []
        yield from self._lookup(where, theirs, field.relation.on, further)

    def _through(
        self, on: tuple[tuple[str, str], ...], through: Through, where: str, ours: Table, theirs: Table | None
    ) -> Iterator[Finding]:
        between = self._table_of(through.source)
        if between is None:
            yield self._no_table(where, through.source, "through")
            return
        yield from _pairs(where, theirs, between, on, "on")
        yield from _pairs(where, between, ours, through.own, "own")
        # From us to the table between, and from there to them.
        yield from self._lookup(where, between, through.own, [its for _, its in on])
        yield from self._lookup(where, theirs, on)
        used = dict.fromkeys([*(its for its, _ in through.own), *(its for _, its in on)])
        yield from self._privileges(where, between, list(used))

    def _lookup(
        self, where: str, table: Table | None, pairs: tuple[tuple[str, str], ...], further: Sequence[str | None] = ()
    ) -> Iterator[Finding]:
        columns = [column for column, _ in pairs]
        if table is not None and all(column in table.columns for column in columns):
            yield from self._index(where, table, columns, further)

    def _index(
        self, where: str, table: Table, columns: list[str], further: Sequence[str | None] = ()
    ) -> Iterator[Finding]:
        """A missing index by columns, and what to make; `further` are columns that the same one had better hold too."""
        missing = missing_index(self._catalog, table, columns)
        if missing is None:
            return
        base = missing.table
        names = [base.columns[column].quoted for column in missing.columns]
        for name in further if base is table else ():
            column = None if name is None else base.columns.get(name)
            if column is not None and column.quoted not in names and column.number > 0:
                names.append(column.quoted)
        found = f"no index of {base.quoted} begins with {', '.join(names[: len(missing.columns)])}"
        yield Finding(_WARNING, where, found, f"create index on {base.quoted} ({', '.join(names)});")

    def _privileges(self, where: str, table: Table, used: list[str]) -> Iterator[Finding]:
        role = self._catalog.role
        if not table.usable:
            found = f"the role {role} may not use the schema {table.quoted_schema}"
            yield Finding(_ERROR, where, found, f"grant usage on schema {table.quoted_schema} to {role};")
        hidden = [
            table.columns[name].quoted for name in used if name in table.columns and not table.columns[name].readable
        ]
        if hidden:
            found = f"the role {role} may not select {', '.join(hidden)} of {table.quoted}"
            yield Finding(_ERROR, where, found, f"grant select on {table.quoted} to {role};")

    def _subscription(self, subscription: SubscriptionField) -> Iterator[Finding]:
        if subscription.kind is not SubscriptionKind.EVENT or subscription.by is None:
            return
        where = f"{subscription.function.__name__} (by)"
        table = self._table(self._model.object_type(subscription.type.named))
        if table is None:
            return
        if subscription.by not in table.columns:
            yield _no_column(where, table, subscription.by, "by")
            return
        yield from self._index(where, table, [subscription.by])
        yield from self._privileges(where, table, [subscription.by])


def _where(target: ObjectType, field: Field) -> str:
    return f"{target.name}.{field.attribute or field.name}"


def _shown(table: Table, column: Column) -> str:
    return f"{table.quoted}.{column.quoted} is {column.shown}"


def _pairs(
    where: str, left: Table | None, right: Table, pairs: tuple[tuple[str, str], ...], option: str
) -> Iterator[Finding]:
    """What is wrong with columns that are compared: of a table that may not be there, and of one that is."""
    for left_name, right_name in pairs:
        ours = right.columns.get(right_name)
        other = None if left is None else left.columns.get(left_name)
        if ours is None:
            yield _no_column(where, right, right_name, option)
        if left is not None and other is None:
            yield _no_column(where, left, left_name, option)
        if ours is not None and other is not None and left is not None and not _comparable(ours, other):
            found = f"{_shown(left, other)}, {_shown(right, ours)}: they cannot be compared"
            yield Finding(_ERROR, where, found, "use columns of one type")


def _list(values: list[str]) -> str:
    return ", ".join(map(repr, values))


def _no_column(where: str, table: Table, name: str, option: str = "column") -> Finding:
    known = [column.name for column in table.columns.values() if column.number > 0]
    hint = nearest(name, known) or f"name another in `{option}=`, or add the column"
    return Finding(_ERROR, where, f"{table.quoted} has no column {name}", hint)


_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8", "oid"})
_TIMES = frozenset({"date", "timestamp", "timestamptz"})


def _comparable(ours: Column, theirs: Column) -> bool:
    """Whether PostgreSQL has `=` for both; types of others may have operators of their own."""
    left, right = ours.type.bare, theirs.type.bare
    if (left.schema, left.name) == (right.schema, right.name):
        return True
    if left.schema != "pg_catalog" or right.schema != "pg_catalog":
        return left.kind != "e" and right.kind != "e"
    return any(left.name in family and right.name in family for family in (_NUMBERS, TEXTS, _TIMES))
