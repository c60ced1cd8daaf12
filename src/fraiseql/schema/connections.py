"""The types of a connection (GraphQL Cursor Connections Specification)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from fraiseql.schema.model import Field, NamedType, ObjectType, TypeReference

__all__ = ["PAGE_INFO", "connection_types"]

PAGE_INFO = "PageInfo"


def connection_types(target: ObjectType, types: Mapping[str, NamedType]) -> Iterator[NamedType]:
    """Those of the rows of a type, and the one that all share."""
    node, edge = target.name, f"{target.name}Edge"
    cursor = TypeReference(nullable=True, name="String")
    yield _type(
        f"{node}Connection",
        node,
        f"A page of {node} rows.",
        _field("edges", _list(edge), "The rows, each with its cursor."),
        _field("nodes", _list(node), "The rows alone."),
        _field("pageInfo", _one(PAGE_INFO), "What lies before and behind this page."),
        _field("totalCount", _one("Int"), "How many rows there are on all pages."),
    )
    yield _type(
        edge,
        node,
        f"A {node} row and its place.",
        _field("cursor", _one("String"), "The place, for `after` and `before`."),
        _field("node", _one(node), "The row."),
    )
    yield _type(
        PAGE_INFO,
        "",
        "What lies before and behind a page.",
        _field("hasNextPage", _one("Boolean"), "Whether rows follow."),
        _field("hasPreviousPage", _one("Boolean"), "Whether rows precede."),
        _field("startCursor", cursor, "The cursor of the first row; null for none."),
        _field("endCursor", cursor, "The cursor of the last row; null for none."),
    )


def _type(name: str, derived_from: str, description: str, *fields: Field) -> ObjectType:
    by_name = MappingProxyType({field.name: field for field in fields})
    return ObjectType(name, description, None, by_name, derived_from)


def _field(name: str, reference: TypeReference, description: str) -> Field:
    return Field(name, reference, description, column=None, key=name)


def _one(name: str) -> TypeReference:
    return TypeReference(nullable=False, name=name)


def _list(name: str) -> TypeReference:
    return TypeReference(nullable=False, item=_one(name))
