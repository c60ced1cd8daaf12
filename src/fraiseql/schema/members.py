"""Which types an interface or a union has, and how each is read from the rows that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

from fraiseql.errors import SchemaError
from fraiseql.schema.declarations import (
    InterfaceDeclaration,
    TypeDeclaration,
    UnionDeclaration,
    declaration_of,
)
from fraiseql.schema.model import AbstractType, Field, Membership, NamedType, ObjectType, Source, TypeReference
from fraiseql.schema.names import database_text, identifier
from fraiseql.schema.parts import source_of

__all__ = [
    "FieldReader",
    "discriminator_of",
    "interfaces_of",
    "membership_of",
    "named_members",
    "shared_source",
    "source_of_type",
    "with_members",
]

FieldReader: TypeAlias = "Callable[[TypeDeclaration, Source | None], Mapping[str, Field]]"
"""Reads the fields of a type as a source holds them."""


def interfaces_of(cls: Any) -> Iterator[InterfaceDeclaration]:
    """The interfaces that a class derives from, the nearest first."""
    for base in cls.__mro__[1:]:
        declaration = declaration_of(base)
        if isinstance(declaration, InterfaceDeclaration):
            yield declaration


def discriminator_of(declaration: InterfaceDeclaration | UnionDeclaration) -> Field | None:
    """The value that tells of which type an object is: a column of the source, or a key inside jsonb."""
    name, where = declaration.discriminator, f"{declaration.name} (discriminator)"
    if name is None:
        if declaration.sql_source is None and isinstance(declaration, InterfaceDeclaration):
            return None
        raise SchemaError(where, found="none", expected="the column that tells of which type a row is")
    if declaration.sql_source is None:
        column, key = None, database_text(name, where, "a key of jsonb")
    else:
        column = key = identifier(name, where)
    return Field(name, TypeReference(nullable=False, name="String"), None, column, key, attribute=name)


def shared_source(declaration: TypeDeclaration) -> InterfaceDeclaration | None:
    """The interface whose source a type's rows are in; None where it has a source of its own, or none.

    Raises:
        SchemaError: `when=` is missing, or means nothing.
    """
    where = f"{declaration.name} (when)"
    telling = [each for each in interfaces_of(declaration.cls) if each.discriminator is not None]
    if declaration.when is None:
        if telling:
            found = f"none, in a type of the interface {telling[0].name}"
            raise SchemaError(where, found=found, expected=f"the value of {telling[0].discriminator} for this type")
        return None
    database_text(declaration.when, where, "a value of the interface's discriminator")
    if not telling:
        found = f"when={declaration.when!r} in a class without such a base"
        raise SchemaError(where, found=found, expected="a base under @fraiseql.interface(discriminator=...)")
    if declaration.sql_source is not None:
        return None
    return next((each for each in telling if each.sql_source is not None), None)


def membership_of(declaration: TypeDeclaration, shared: InterfaceDeclaration | None) -> Membership | None:
    """Which rows of a source that is shared are of a type."""
    discriminator = None if shared is None else discriminator_of(shared)
    if discriminator is None or declaration.when is None:
        return None
    return Membership(discriminator, declaration.when)


def named_members(declaration: UnionDeclaration) -> Mapping[str, TypeDeclaration]:
    """The types of a union by the values of its discriminator."""
    where = f"{declaration.name} (types)"
    if not isinstance(declaration.types, Mapping) or not declaration.types:
        raise SchemaError(where, found=repr(declaration.types), expected='{"value": Class}')
    found: dict[str, TypeDeclaration] = {}
    for value, cls in declaration.types.items():
        member = declaration_of(cls)
        if not isinstance(member, TypeDeclaration):
            raise SchemaError(where, found=repr(cls), expected="classes under @fraiseql.type")
        found[database_text(value, where, "values of the discriminator")] = member
    return found


def _implementing(
    declaration: InterfaceDeclaration, declared: Mapping[str, TypeDeclaration]
) -> Mapping[str, TypeDeclaration]:
    """The types that an interface has, by the values of its discriminator."""
    found: dict[str, TypeDeclaration] = {}
    for each in declared.values():
        if any(base.cls is declaration.cls for base in interfaces_of(each.cls)):
            value = each.name if each.when is None else each.when
            if value in found:
                where, told = f"{each.name} (when)", f"{value!r}, as {found[value].name} has"
                raise SchemaError(where, found=told, expected=f"a value of its own, as each type of {declaration.name}")
            found[value] = each
    return found


def with_members(
    abstract: AbstractType,
    declaration: InterfaceDeclaration | UnionDeclaration,
    declared: Mapping[str, TypeDeclaration],
    types: Mapping[str, NamedType],
    read_fields: FieldReader,
) -> AbstractType:
    """An abstract type with its members.

    Args:
        declared: every type of the schema.
        read_fields: gives the fields of a member as the abstract type's source holds them.
    """
    if isinstance(declaration, UnionDeclaration):
        found = named_members(declaration)
    else:
        found = _implementing(declaration, declared)
        if not found and abstract.discriminator is not None:
            expected = "types that derive from it; list them in Schema(types=...)"
            raise SchemaError(abstract.name, found="an interface without types", expected=expected)
    members = {each.name: _member(abstract, each, types, read_fields) for each in found.values()}
    values = {} if abstract.discriminator is None else {value: each.name for value, each in found.items()}
    return replace(abstract, members=MappingProxyType(members), values=MappingProxyType(values))


def _member(
    abstract: AbstractType, declaration: TypeDeclaration, types: Mapping[str, NamedType], read_fields: FieldReader
) -> ObjectType:
    own = types[declaration.name]
    assert isinstance(own, ObjectType)
    if abstract.source is None or abstract.source == own.source:
        return own
    return replace(own, source=abstract.source, fields=read_fields(declaration, abstract.source), membership=None)


def source_of_type(declaration: TypeDeclaration, shared: InterfaceDeclaration | None) -> Source | None:
    """The source of a type's rows: its own, or the one that it shares."""
    return source_of(declaration if shared is None else shared)
