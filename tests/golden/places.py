"""The places in requests where a value may stand, derived from a schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_required_argument,
)

__all__ = ["Place", "every_place"]

_NEEDED: Final = {"id": '"1"', "match": "{}"}  # the arguments that a query must have


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value of a leaf type, or a list of them, stands in a document: at `%s`."""

    type_name: str
    scalar: str
    document: str

    def literal(self, text: str) -> str:
        return f"{{ {self.document.replace('%s', json.dumps(text))} }}"

    def variable(self) -> str:
        return f"query ($v: {self.type_name}) {{ {self.document.replace('%s', '$v')} }}"


def every_place(schema: GraphQLSchema) -> list[Place]:
    """Every argument, input field and list position of the schema.

    Of fields of a type with the same conditions, the first; of an input type that is inside itself, its first field.
    """
    found: list[Place] = []
    known: set[tuple[str, str]] = set()
    assert schema.query_type is not None
    for name, field in schema.query_type.fields.items():
        found += _of_arguments(name, field, "%s", known)
        target = get_named_type(field.type)
        assert isinstance(target, GraphQLObjectType)
        around = f"{name}{_written(field, '', '')} {{ %s }}"
        for below, related in target.fields.items():
            found += _of_arguments(below, related, around, known)
    return found


def _of_arguments(name: str, field: GraphQLField, around: str, known: set[tuple[str, str]]) -> Iterator[Place]:
    below = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    for key, argument in field.args.items():
        inside = around.replace("%s", f"{name}{_written(field, key, '%s')}{below}")
        yield from _of_type(argument.type, inside, "", known)


def _written(field: GraphQLField, key: str, value: str) -> str:
    """The arguments that a field must have, and one more."""
    given = {name: _NEEDED[name] for name, argument in field.args.items() if is_required_argument(argument)}
    given |= {key: value} if key else {}
    return f"({', '.join(f'{name}: {text}' for name, text in given.items())})" if given else ""


def _of_type(declared: Any, around: str, owner: str, known: set[tuple[str, str]]) -> Iterator[Place]:
    """The places inside an argument or a field, of conditions on an owner."""
    named, nullable = get_named_type(declared), get_nullable_type(declared)
    if is_leaf_type(named):
        yield Place(str(declared), named.name, around)
        if isinstance(nullable, GraphQLList):
            yield Place(str(nullable.of_type), named.name, around.replace("%s", "[%s]"))
        return
    assert isinstance(named, GraphQLInputObjectType)
    if isinstance(nullable, GraphQLList):
        around = around.replace("%s", "[%s]")
    owner = named.name if named.name.endswith("WhereInput") else owner
    is_known = (owner, named.name) in known
    known.add((owner, named.name))
    seen: set[str] = set()
    for key, field in named.fields.items():
        below = get_named_type(field.type)
        if is_leaf_type(below) or key in ("AND", "OR", "NOT") or below.name not in seen:
            inside = around.replace("%s", f"{{{key}: %s}}")
            yield from _of_type(GraphQLNonNull(field.type) if named.is_one_of else field.type, inside, owner, known)
        seen.add(below.name)
        if is_known:
            return
