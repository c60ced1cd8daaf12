"""The tables that types are written to, as `crud` was told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from fraiseql.errors import SchemaError
from fraiseql.schema.crud import CrudDeclaration
from fraiseql.schema.fields import Field, Relation, Shape, Source, Through
from fraiseql.schema.model import AbstractType, EnumType, NamedType, ObjectType
from fraiseql.schema.names import identifier
from fraiseql.schema.parts import split_name
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.table_actions import NestedRows, Nesting, WrittenColumn, WrittenTable

__all__ = ["written_tables"]


def written_tables(
    declared: Mapping[str, CrudDeclaration], types: Mapping[str, NamedType]
) -> Mapping[str, WrittenTable]:
    """The table of each type, by the types' names.

    Args:
        declared: what `crud` was told, by the same names.

    Raises:
        SchemaError: an option does not fit its type.
    """
    alone = {name: _Reading(name, declaration, types).table() for name, declaration in declared.items()}
    found = {
        name: _with_nested(table, declared[name], alone, types, f"crud({name}) (nested)")
        for name, table in alone.items()
    }
    return MappingProxyType(found)


class _Reading:
    """Reads what was said of one type."""

    def __init__(self, name: str, declaration: CrudDeclaration, types: Mapping[str, NamedType]) -> None:
        self._where = f"crud({name})"
        self._given = declaration
        self._types = types
        target = types[name]
        if not isinstance(target, ObjectType) or isinstance(target, AbstractType) or target.source is None:
            raise SchemaError(self._where, found=f"{name} without sql_source", expected="a type with sql_source")
        self._target: ObjectType = target
        self._fields = {field.attribute: field for field in target.fields.values()}

    def table(self) -> WrittenTable:
        """The table, without what is nested."""
        given = self._given
        self._check_options()
        key, table = self._key(), self._source()
        if self._is_source(table) and given.columns:
            found = f"columns={dict(given.columns)!r} of the table that the type is read from"
            raise SchemaError(f"{self._where} (columns)", found=found, expected="field(column=...)")
        membership = self._target.membership
        constants = {} if membership is None else {membership.discriminator.key: membership.value}
        columns: dict[str, WrittenColumn] = {}
        for field in self._target.fields.values():
            if field.attribute in given.generated or field.attribute in given.read_only or not _is_written(field):
                continue
            column = self._column(field)
            if column not in constants:
                self._check_embedded(field)
                columns[field.name] = WrittenColumn(field, column)
        self._check_columns(columns.values())
        return WrittenTable(
            *(self._target.name, table, self._is_source(table), key, self._column(key)),
            MappingProxyType(columns),
            MappingProxyType(constants),
            MappingProxyType({}),
            MappingProxyType(self._conflicts(columns)),
            frozenset(name for name, each in columns.items() if each.field.attribute in given.optional),
            frozenset(self._column(self._fields[name]) for name in given.generated),
        )

    def _source(self) -> Source:
        source, given = self._target.source, self._given.table
        assert source is not None
        if given is not None:
            schema, name = split_name(given, f"{self._where} (table)")
            return Source(name, schema, None)
        if source.jsonb_column is not None:
            found = f"none, for {source}, whose fields are in jsonb"
            raise SchemaError(f"{self._where} (table)", found=found, expected='table="the table behind it"')
        return source

    def _is_source(self, table: Source) -> bool:
        return table == self._target.source

    def _column(self, field: Field) -> str:
        column = self._given.columns.get(field.attribute, field.column or field.attribute)
        return identifier(column, f"{self._where} (columns)")

    def _key(self) -> Field:
        where, field = f"{self._where} (key)", self._fields.get(self._given.key)
        if field is None:
            raise SchemaError(where, found=repr(self._given.key), expected=f"an attribute of {self._target.name}")
        named = self._types[field.type.named]
        if not _is_written(field) or not _is_comparable(named) or field.type.item is not None or field.type.nullable:
            expected = "a field of one value that can be compared, never null"
            raise SchemaError(where, found=f"{field.attribute} of the type {field.type}", expected=expected)
        if field.attribute in self._given.read_only:
            found = f"{field.attribute}, which is read_only"
            raise SchemaError(where, found=found, expected="a column of the table; generated=... where it makes it")
        return field

    def _check_options(self) -> None:
        given = self._given
        options = {
            "generated": given.generated,
            "optional": given.optional,
            "read_only": given.read_only,
            "columns": given.columns,
            "nested": given.nested,
            "upsert": [name for target in given.upsert for name in target],
        }
        for option, names in options.items():
            for name in names:
                field, where = self._fields.get(name), f"{self._where} ({option})"
                if field is None:
                    raise SchemaError(where, found=repr(name), expected=f"an attribute of {self._target.name}")
                if option == "nested" and field.relation is None:
                    raise SchemaError(where, found=f"{name}, which is no relation", expected="relation(...)")
                if option != "nested" and not _is_written(field):
                    raise SchemaError(where, found=f"{name}, which no column holds", expected="a column's attribute")
        said: dict[str, str] = {}
        for option in ("generated", "optional", "read_only"):
            for name in options[option]:
                if name in said:
                    found = f"{name}, which is in {said[name]} too"
                    raise SchemaError(f"{self._where} ({option})", found=found, expected="one of them")
                said[name] = option

    def _check_columns(self, columns: Iterable[WrittenColumn]) -> None:
        taken: dict[str, str] = {}
        for each in columns:
            if each.column in taken:
                found = f"the column {each.column} for {taken[each.column]} and for {each.field.attribute}"
                raise SchemaError(f"{self._where} (columns)", found=found, expected="read_only=... for one of them")
            taken[each.column] = each.field.attribute

    def _check_embedded(self, field: Field) -> None:
        named = self._types[field.type.named]
        if not isinstance(named, ObjectType):
            return
        where = f"{self._where}: {self._target.name}.{field.attribute}"
        if isinstance(named, AbstractType):
            found = f"{named.name}, which is an interface or a union"
            raise SchemaError(where, found=found, expected="read_only=... or generated=... for it")
        for below in named.fields.values():
            if below.is_held:
                self._check_embedded(below)

    def _conflicts(self, columns: Mapping[str, WrittenColumn]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for target in self._given.upsert:
            fields = [self._fields[name] for name in target]
            for field in fields:
                named = self._types[field.type.named]
                if field.name not in columns:
                    told = f"{field.attribute}, which no input has"
                    raise SchemaError(f"{self._where} (upsert)", found=told, expected="attributes that inputs have")
                if field.type.item is not None or not _is_comparable(named):
                    told = f"{field.attribute} of the type {field.type}"
                    raise SchemaError(f"{self._where} (upsert)", found=told, expected="values that can be compared")
            names = tuple(field.name for field in fields)
            found["_".join(names)] = names
        return found


def _is_written(field: Field) -> bool:
    return field.is_held and field.expression is None


def _is_comparable(named: NamedType) -> bool:
    return isinstance(named, EnumType) or (isinstance(named, Scalar) and named.filtered)


def _with_nested(
    table: WrittenTable,
    declaration: CrudDeclaration,
    tables: Mapping[str, WrittenTable],
    types: Mapping[str, NamedType],
    where: str,
) -> WrittenTable:
    target = types[table.type]
    assert isinstance(target, ObjectType)
    nested: dict[str, NestedRows] = {}
    for field in target.fields.values():
        if field.attribute in declaration.nested:
            assert field.relation is not None
            nested[field.name] = _nested(field, field.relation, table, tables, types, where)
    return replace(table, nested=MappingProxyType(nested))


def _nested(
    field: Field,
    relation: Relation,
    ours: WrittenTable,
    tables: Mapping[str, WrittenTable],
    types: Mapping[str, NamedType],
    where: str,
) -> NestedRows:
    theirs = tables.get(relation.target)
    if theirs is None:
        expected = f"crud({relation.target}), which says how its table is written"
        raise SchemaError(where, found=f"{field.attribute}, whose type has no crud(...)", expected=expected)
    if not relation.shape.is_crossed:
        raise SchemaError(where, found=f"{field.attribute} of the type {field.type}", expected="rows, or a row")
    if relation.through is not None:
        if relation.shape is Shape.ROW:
            raise SchemaError(where, found=f"{field.attribute}, to one row by a table between", expected="a list")
        own = tuple((its, _column_in(ours, types, column)) for its, column in relation.through.own)
        on = tuple((_column_in(theirs, types, column), its) for column, its in relation.on)
        through = Through(relation.through.source, own)
        return NestedRows(field.name, theirs.type, Nesting.LINKED, on, through)
    on = tuple((_column_in(theirs, types, column), _column_in(ours, types, own)) for column, own in relation.on)
    if relation.shape.is_to_many:
        return NestedRows(field.name, theirs.type, Nesting.CHILDREN, on)
    if ours.key_column in (own for _, own in on):
        return NestedRows(field.name, theirs.type, Nesting.CHILD, on)
    if theirs.key_column in (column for column, _ in on):
        return NestedRows(field.name, theirs.type, Nesting.PARENT, on)
    expected = f"the key of {ours.type} or of {theirs.type} among its columns"
    raise SchemaError(where, found=f"{field.attribute}, on={dict(relation.on)}", expected=expected)


def _column_in(table: WrittenTable, types: Mapping[str, NamedType], column: str) -> str:
    """The column of a table for one of the view that is read."""
    if column == (table.key.column or table.key.key):
        return table.key_column
    for each in table.columns.values():
        if column == (each.field.column or each.field.key):
            return each.column
    return column
