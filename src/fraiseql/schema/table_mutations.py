"""The fields of Mutation that `crud` makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from fraiseql.errors import SchemaError
from fraiseql.schema.crud import CrudDeclaration, crud_of
from fraiseql.schema.fields import InputField, Shape, TypeReference
from fraiseql.schema.model import EnumType, MutationField, NamedType, ObjectType
from fraiseql.schema.names import graphql_name
from fraiseql.schema.plurals import plural_name
from fraiseql.schema.table_actions import TableAction, Write, WrittenTable
from fraiseql.schema.table_inputs import TableInputs
from fraiseql.schema.written_tables import written_tables

__all__ = ["ON_CONFLICT", "with_table_mutations"]

ON_CONFLICT = "onConflict"
"""The argument that chooses what an upsert finds rows by."""


def with_table_mutations(
    types: dict[str, NamedType], mutations: Mapping[str, MutationField]
) -> Mapping[str, MutationField]:
    """The fields of Mutation with those of all types that have `crud`.

    Args:
        types: every type of the schema, to which the input types are added.

    Raises:
        SchemaError: an option does not fit its type, or a name is taken.
    """
    declared = {
        name: left
        for name, each in types.items()
        if isinstance(each, ObjectType) and (left := crud_of(each.declared)) is not None
    }
    tables = written_tables(declared, types)
    _check_use(declared, tables)
    inputs = TableInputs(declared, tables, types)
    found = dict(mutations)
    for name, declaration in declared.items():
        for field in _Fields(declaration, tables, inputs, types, name).fields():
            if field.name in found:
                where = f"Mutation.{field.name}"
                raise SchemaError(where, found="two mutations of that name", expected=f"one; crud({name}) makes it")
            found[field.name] = field
    return MappingProxyType(found)


def _check_use(declared: Mapping[str, CrudDeclaration], tables: Mapping[str, WrittenTable]) -> None:
    used = {nested.target for table in tables.values() for nested in table.nested.values()}
    for name, declaration in declared.items():
        if not declaration.has_fields and name not in used:
            expected = "create, update, delete or upsert, or a crud(...) that has it in nested=..."
            raise SchemaError(f"crud({name})", found="no mutation", expected=expected)


_TEXTS: Final = {
    Write.CREATE: ("Create a {}.", "Create {}: all or none."),
    Write.UPDATE: ("Change a {}; null where there is none.", "Change the {} that meet the conditions."),
    Write.UPSERT: ("Create a {}, or change the one there is.", "Create {}, or change those there are."),
    Write.DELETE: ("Delete a {}; null where there is none.", "Delete the {} that meet the conditions."),
}


class _Fields:
    """Makes the fields of one type."""

    def __init__(
        self,
        declaration: CrudDeclaration,
        tables: Mapping[str, WrittenTable],
        inputs: TableInputs,
        types: dict[str, NamedType],
        name: str,
    ) -> None:
        self._given = declaration
        self._tables = tables
        self._table = tables[name]
        self._inputs = inputs
        self._types = types
        self._name = name

    def fields(self) -> Iterator[MutationField]:
        """One for one row of each kind of writing that is asked for, and one for many."""
        given, table = self._given, self._table
        if given.create:
            yield from self._both(Write.CREATE, self._inputs.create(table))
        if given.update:
            yield from self._both(Write.UPDATE, self._inputs.update(table))
        if given.upsert:
            yield from self._both(Write.UPSERT, self._inputs.upsert(table))
        if given.delete:
            yield from self._both(Write.DELETE, None)

    def _both(self, write: Write, made: str | None) -> Iterator[MutationField]:
        one, many = _TEXTS[write]
        yield self._field(write, made, self._name, one.format(self._name), many=False)
        if self._given.many:
            plural = self._plural()
            yield self._field(write, made, plural, many.format(plural), many=True)

    def _plural(self) -> str:
        where, chosen = f"crud({self._name}) (plural)", self._given.plural
        found = plural_name(self._name) if chosen is None else graphql_name(chosen, where)
        if found == self._name:
            raise SchemaError(where, found=repr(found), expected='plural="..." that is not the name itself')
        return found

    def _field(self, write: Write, made: str | None, noun: str, text: str, *, many: bool) -> MutationField:
        row = TypeReference(not many and write in (Write.UPDATE, Write.DELETE), self._name)
        arguments: dict[str, InputField] = {}
        if write in (Write.UPDATE, Write.DELETE) and not many:
            key = self._table.key
            arguments[key.name] = InputField(key.name, key.type, None, key.attribute)
        if made is not None:
            one = TypeReference(nullable=False, name=made)
            several = many and write is not Write.UPDATE
            reference = TypeReference(nullable=False, item=one) if several else one
            arguments["input"] = InputField("input", reference, None, "input")
        if write is Write.UPSERT and len(self._table.conflicts) > 1:
            arguments[ON_CONFLICT] = self._choice()
        return MutationField(
            *(f"{write.value}{noun}", TypeReference(nullable=False, item=row) if many else row, text),
            MappingProxyType(arguments),
            self._name,
            Shape.LIST if many else Shape.ROW,
            TableAction(write, many, self._name, self._tables),
        )

    def _choice(self) -> InputField:
        name, first = f"{self._name}Conflict", next(iter(self._table.conflicts))
        values = {each: each for each in self._table.conflicts}
        made = EnumType(name, f"What a {self._name} that is there already is found by.", MappingProxyType(values))
        if self._types.setdefault(name, made) != made:
            expected = f"another: crud({self._name}) makes one of that name"
            raise SchemaError(name, found="a type of that name", expected=expected)
        reference = TypeReference(nullable=False, name=name)
        return InputField(ON_CONFLICT, reference, None, ON_CONFLICT, has_default=True, default=first)
