"""What decorators and markers were given, checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fraiseql.errors import SchemaError
from fraiseql.schema.declarations import (
    EnumDeclaration,
    FieldOptions,
    InterfaceDeclaration,
    RelationOptions,
    TypeDeclaration,
    UnionDeclaration,
)
from fraiseql.schema.expressions import Expression, expression_of
from fraiseql.schema.model import (
    EnumType,
    NamedType,
    ObjectType,
    PageSizes,
    Relation,
    Shape,
    Source,
    Through,
    TypeReference,
)
from fraiseql.schema.names import database_text, graphql_name, identifier
from fraiseql.schema.scalar import Scalar

__all__ = [
    "computed_by",
    "default_of",
    "deprecation",
    "enum_of",
    "page_sizes",
    "relation_of",
    "source_of",
    "split_name",
    "value_options",
]


def source_of(declaration: TypeDeclaration | InterfaceDeclaration | UnionDeclaration) -> Source | None:
    """The table or view of a type; None where it has none."""
    if declaration.sql_source is None:
        return None
    schema, name = split_name(declaration.sql_source, f"{declaration.name} (sql_source)")
    if declaration.jsonb_column is not None:
        identifier(declaration.jsonb_column, f"{declaration.name} (jsonb_column)")
    return Source(name, schema, declaration.jsonb_column)


def relation_of(options: RelationOptions, target: str, shape: Shape, where: str) -> Relation:
    """Where a field leads, as `relation` was told, to rows of a type."""
    sizes = page_sizes(options.default_page_size, options.max_page_size, where)
    if options.through is None:
        if options.own is not None:
            found, expected = f"own={options.own!r} without through", 'through="table_between", or only on={...}'
            raise SchemaError(where, found=found, expected=expected)
        on = _column_pairs("on", options.on, where, "their_column", "our_column")
        return Relation(on, target, shape, sizes)
    schema, name = split_name(options.through, f"{where} (through)")
    on = _column_pairs("on", options.on, where, "their_column", "column_between")
    own = _column_pairs("own", options.own, where, "column_between", "our_column")
    return Relation(on, target, shape, sizes, Through(Source(name, schema, None), own))


def computed_by(
    options: FieldOptions, reference: TypeReference, types: Mapping[str, NamedType], where: str
) -> Expression:
    """The expression of a field, as `field` was told, cast to the field's type."""
    for option, given in (("column", options.column), ("key", options.key)):
        if given is not None:
            raise SchemaError(where, found=f"sql=... with {option}={given!r}", expected="one of them")
    named = types[reference.named]
    if isinstance(named, ObjectType):
        return expression_of(options.sql, "jsonb", where)
    sql_type = named.sql_type if isinstance(named, Scalar) else "text"
    return expression_of(options.sql, sql_type if reference.item is None else f"{sql_type}[]", where)


def split_name(given: Any, where: str) -> tuple[str | None, str]:
    """The schema and the name of a table or view."""
    *schemas, name = database_text(given, where, "'name' or 'schema.name'").split(".")
    if len(schemas) > 1:
        raise SchemaError(where, found=repr(given), expected="'name' or 'schema.name'")
    return identifier(schemas[0], where) if schemas else None, identifier(name, where)


def _column_pairs(option: str, given: Any, where: str, left: str, right: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(given, Mapping) or not given:
        raise SchemaError(where, found=f"{option}={given!r}", expected=f'{option}={{"{left}": "{right}"}}')
    return tuple((identifier(key, where), identifier(value, where)) for key, value in given.items())


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
    more = value_options(declaration)
    reasons = {name: deprecation(each, f"{declaration.name}.{name}") for name, each in more.items()}
    return EnumType(
        declaration.name,
        declaration.description,
        MappingProxyType(values),
        declaration.cls,
        {name: each.description for name, each in more.items() if each.description is not None},
        {name: reason for name, reason in reasons.items() if reason is not None},
    )


def value_options(declaration: EnumDeclaration) -> Mapping[str, FieldOptions]:
    """What an enum says of some of its members."""
    given: Any = {} if declaration.values is None else declaration.values
    where = f"{declaration.name} (values)"
    if not isinstance(given, Mapping):
        raise SchemaError(where, found=repr(given), expected="{name: fraiseql.field(...)}")
    members = getattr(declaration.cls, "__members__", {})
    for name, options in given.items():
        if name not in members:
            raise SchemaError(where, found=repr(name), expected=f"one of {', '.join(members)}")
        if not isinstance(options, FieldOptions):
            raise SchemaError(f"{declaration.name}.{name}", found=repr(options), expected="fraiseql.field(...)")
        for option in ("column", "key", "name", "sql"):
            if getattr(options, option) is not None:
                found = f"{option}={getattr(options, option)!r}"
                expected = "description, deprecated and directives only"
                raise SchemaError(f"{declaration.name}.{name}", found=found, expected=expected)
    return given


def deprecation(options: Any, where: str) -> str | None:
    """Why something should not be used any more; None where it may be."""
    reason = None if options is None else options.deprecated
    return None if reason is None else database_text(reason, where, 'deprecated="the reason, and what to use instead"')


def default_of(
    default: Any, reference: TypeReference, types: Mapping[str, NamedType], where: str, what: str = "the default"
) -> Any:
    """A Python default, or another value, as the one that the pipeline binds."""
    if default is None:
        if reference.nullable:
            return None
        raise SchemaError(where, found=f"{what} None", expected=f"a value of {reference}")
    if reference.item is not None and isinstance(default, (list, tuple)):
        return [default_of(element, reference.item, types, where, what) for element in default]
    named = types.get(reference.name)
    if isinstance(named, EnumType) and getattr(default, "value", None) in named.values.values():
        return default.value
    if isinstance(named, Scalar):
        try:
            return named.parse(default if isinstance(default, (bool, int, float, str)) else named.serialize(default))
        except (TypeError, ValueError):
            pass
    raise SchemaError(where, found=f"{what} {default!r}", expected=f"a value of {reference}")
