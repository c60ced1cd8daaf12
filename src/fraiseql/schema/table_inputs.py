"""The input types of the mutations of tables, made from the types that are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from fraiseql.errors import SchemaError
from fraiseql.schema.crud import CrudDeclaration
from fraiseql.schema.fields import Field, InputField, TypeReference
from fraiseql.schema.model import InputType, NamedType, ObjectType
from fraiseql.schema.table_actions import NestedRows, Nesting, WrittenColumn, WrittenTable

__all__ = ["CONNECT", "CREATE", "TableInputs"]

CREATE = "create"
CONNECT = "connect"
"""The two ways to a row that another one is bound to."""


class TableInputs:
    """Makes them, each when it is first asked for.

    Args:
        declared: what `crud` was told, by the types' names.
        tables: by the same names.
        types: every type of the schema, to which these are added.
    """

    def __init__(
        self,
        declared: Mapping[str, CrudDeclaration],
        tables: Mapping[str, WrittenTable],
        types: dict[str, NamedType],
    ) -> None:
        self._declared = declared
        self._tables = tables
        self._types = types
        self._made: dict[str, tuple[str, ...]] = {}  # and what for

    def create(self, table: WrittenTable) -> str:
        """The name of the input that a row is created from."""
        return self._created(table, f"Create{table.type}Input", ())

    def update(self, table: WrittenTable) -> str:
        """The name of the input that rows are changed by: what is absent stays as it is."""
        columns = {name: each for name, each in table.columns.items() if each.field is not table.key}
        if not columns:
            raise SchemaError(f"crud({table.type}) (update)", found="no column", expected="one that can be changed")
        fields = {name: self._field(each.field, nullable=True) for name, each in columns.items()}
        return self._add(f"Update{table.type}Input", f"What to change of a {table.type}; what is absent stays.", fields)

    def upsert(self, table: WrittenTable) -> str:
        """The name of the input that a row is created from, or changed by where it is there already."""
        targets = list(table.conflicts.values())
        # With a choice, only those that every choice needs.
        needed = set(targets[0]).intersection(*targets[1:])
        fields = {
            name: replace(entry, type=replace(entry.type, nullable=False)) if name in needed else entry
            for name, entry in self._columns(table, table.columns).items()
        }
        return self._add(f"Upsert{table.type}Input", f"A {table.type} as it shall be.", fields)

    def _created(self, table: WrittenTable, name: str, filled: Iterable[str]) -> str:
        """Without the columns that another row fills."""
        purpose = (CREATE, table.type, *filled)
        if self._made.get(name) == purpose:
            return name
        left = {key: each for key, each in table.columns.items() if each.column not in filled}
        fields = self._columns(table, left)
        for each in table.nested.values():
            # A row that is created below its parent is given no other one.
            if each.nesting is not Nesting.PARENT or not {ours for _, ours in each.on} & set(filled):
                fields[each.name] = InputField(each.name, TypeReference(True), None, each.name)
        if not fields:
            raise SchemaError(f"crud({table.type}) (create)", found="no column", expected="one that an input has")
        self._add(name, f"A new {table.type}.", fields, purpose)
        for each in table.nested.values():  # which may lead back here
            if each.name in fields:
                fields[each.name] = replace(fields[each.name], type=self._nested(table, each))
        self._types[name] = InputType(name, f"A new {table.type}.", MappingProxyType(fields))
        return name

    def _columns(self, table: WrittenTable, columns: Mapping[str, WrittenColumn]) -> dict[str, InputField]:
        """What a new row is made of: required is what may not be null and nothing else gives."""
        optional = self._declared[table.type].optional
        parents = [each for each in table.nested.values() if each.nesting is Nesting.PARENT]
        given = {ours for each in parents for _, ours in each.on}
        return {
            name: self._field(each.field, nullable=each.field.attribute in optional or each.column in given)
            for name, each in columns.items()
        }

    def _nested(self, table: WrittenTable, nested: NestedRows) -> TypeReference:
        """The type of what is created along a relation."""
        target, name = self._tables[nested.target], f"Create{table.type}{nested.name[:1].upper()}{nested.name[1:]}Input"
        if nested.nesting in (Nesting.PARENT, Nesting.LINKED):
            name = self._bound(target, nested, name)
        else:
            name = self._created(target, name, [theirs for theirs, _ in nested.on])
        one = TypeReference(nested.nesting in (Nesting.PARENT, Nesting.CHILD), name)
        return one if one.nullable else TypeReference(True, item=one)

    def _bound(self, target: WrittenTable, nested: NestedRows, name: str) -> str:
        """An input for a new row, or for one that is there already."""
        purpose, whole = (CONNECT, target.type, name), self.create(target)  # which may lead here, and make it
        if self._made.get(name) == purpose:
            return name
        (theirs, _), *others = nested.on
        fields = {CREATE: InputField(CREATE, TypeReference(True, whole), f"A new {target.type}.", CREATE)}
        if theirs == target.key_column and not others:
            reference, text = replace(target.key.type, nullable=True), f"The {target.key.name} of a {target.type}."
            fields[CONNECT] = InputField(CONNECT, reference, text, CONNECT)
        self._add(name, f"A {target.type} to be bound to.", fields, purpose, one_of=True)
        return name

    def _field(self, field: Field, *, nullable: bool) -> InputField:
        reference = self._reference(field.type)
        reference = replace(reference, nullable=nullable or reference.nullable)
        deprecated = field.deprecated if reference.nullable else None  # GraphQL §3.13.3
        return InputField(field.name, reference, field.description, field.attribute, deprecated=deprecated)

    def _reference(self, reference: TypeReference) -> TypeReference:
        """The type of an input's value: an object inside jsonb has an input type of its own."""
        if reference.item is not None:
            return replace(reference, item=self._reference(reference.item))
        named = self._types[reference.name]
        return replace(reference, name=self._embedded(named)) if isinstance(named, ObjectType) else reference

    def _embedded(self, target: ObjectType) -> str:
        name = f"{target.name}Input"
        purpose = ("embedded", target.name)
        if self._made.get(name) != purpose:
            fields: dict[str, InputField] = {}
            self._add(name, target.description, fields, purpose)
            for field in target.fields.values():
                if field.is_held:
                    fields[field.name] = replace(self._field(field, nullable=False), target=field.key)
            self._types[name] = InputType(name, target.description, MappingProxyType(fields))
        return name

    def _add(
        self,
        name: str,
        description: str | None,
        fields: Mapping[str, InputField],
        purpose: tuple[str, ...] = (),
        *,
        one_of: bool = False,
    ) -> str:
        if name in self._types:
            expected = "another: crud(...) makes one of that name"
            raise SchemaError(name, found="a type of that name", expected=expected)
        self._made[name] = purpose
        self._types[name] = InputType(name, description, MappingProxyType(dict(fields)), one_of)
        return name
