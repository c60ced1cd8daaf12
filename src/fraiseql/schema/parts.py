"""What decorators and markers were given, checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fraiseql.errors import SchemaError
from fraiseql.schema.declarations import EnumDeclaration, TypeDeclaration
from fraiseql.schema.model import EnumType, NamedType, PageSizes, Source, TypeReference
from fraiseql.schema.names import database_text, graphql_name, identifier
from fraiseql.schema.scalar import Scalar

__all__ = ["column_pairs", "default_of", "enum_of", "page_sizes", "source_of"]


def source_of(declaration: TypeDeclaration) -> Source | None:
    """The table or view of a type; None where it has none."""
    if declaration.sql_source is None:
        return None
    where = f"{declaration.name} (sql_source)"
    *schemas, name = database_text(declaration.sql_source, where, "'name' or 'schema.name'").split(".")
    if len(schemas) > 1:
        raise SchemaError(where, found=repr(declaration.sql_source), expected="'name' or 'schema.name'")
    if declaration.jsonb_column is not None:
        identifier(declaration.jsonb_column, f"{declaration.name} (jsonb_column)")
    schema = identifier(schemas[0], where) if schemas else None
    return Source(identifier(name, where), schema, declaration.jsonb_column)


def column_pairs(on: Any, where: str) -> tuple[tuple[str, str], ...]:
    """The columns of `on`: theirs and ours."""
    if not isinstance(on, Mapping) or not on:
        raise SchemaError(where, found=f"on={on!r}", expected='on={"their_column": "our_column"}')
    return tuple((identifier(theirs, where), identifier(ours, where)) for theirs, ours in on.items())


def page_sizes(default: Any, largest: Any, where: str) -> PageSizes:
    """The sizes of a list's pages, each a number of rows or None."""
    for name, given in (("default_page_size", default), ("max_page_size", largest)):
        if given is not None and (not isinstance(given, int) or isinstance(given, bool) or given < 1):
            raise SchemaError(where, found=f"{name}={given!r}", expected="a number of rows, at least 1")
    return PageSizes(default, largest)


def enum_of(declaration: EnumDeclaration) -> EnumType:
    """An enum as its members declare it."""
    values: dict[str, str] = {}
    members: Mapping[str, Any] = getattr(declaration.cls, "__members__", {})
    for name, member in members.items():
        where = f"{declaration.name}.{name}"
        database_text(member.value, where, "the text that the database holds")
        if member.value in values.values():
            raise SchemaError(where, found=f"{member.value!r} again", expected="a value of its own")
        if name in ("true", "false", "null"):
            raise SchemaError(where, found=f"the name {name}", expected="another: GraphQL §2.9.6 reserves it")
        values[graphql_name(name, where)] = member.value
    if not values:
        raise SchemaError(declaration.name, found="no member", expected="at least one")
    return EnumType(declaration.name, declaration.description, MappingProxyType(values), declaration.cls)


def default_of(default: Any, reference: TypeReference, types: Mapping[str, NamedType], where: str) -> Any:
    """A Python default as the value that the pipeline binds."""
    if reference.item is not None and isinstance(default, (list, tuple)):
        return [default_of(element, reference.item, types, where) for element in default]
    named = types.get(reference.name)
    if isinstance(named, EnumType) and getattr(default, "value", None) in named.values.values():
        return default.value
    if isinstance(named, Scalar):
        try:
            return named.parse(default if isinstance(default, (bool, int, float, str)) else named.serialize(default))
        except (TypeError, ValueError):
            pass
    raise SchemaError(where, found=f"the default {default!r}", expected=f"a value of {reference}")
