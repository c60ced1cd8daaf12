"""Random queries full of fragments: on objects, interfaces and unions, nested, with aliases, @skip and @include."""

from __future__ import annotations

from random import Random
from typing import Any

from graphql import (
    GraphQLAbstractType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)

__all__ = ["random_query"]


def random_query(schema: GraphQLSchema, choose: Random, depth: int = 4) -> str:
    """A query of the fields without arguments; it may be invalid where two fields of one key differ."""
    assert schema.query_type is not None
    maker = _Maker(schema, choose)
    name, field = choose.choice(list(schema.query_type.fields.items()))
    body = maker.selection(get_named_type(field.type), depth)
    definitions = [f"fragment F{index} on {on} {text}" for index, (on, text) in enumerate(maker.fragments)]
    return "\n".join([f"{{ {name} {body} }}", *definitions])


class _Maker:
    def __init__(self, schema: GraphQLSchema, choose: Random) -> None:
        self._schema = schema
        self._choose = choose
        self.fragments: list[tuple[str, str]] = []

    def selection(self, parent: GraphQLNamedType, depth: int) -> str:
        parts = [self._part(parent, depth) for _ in range(self._choose.randint(1, 4))]
        return "{ " + " ".join(parts) + " }"

    def _part(self, parent: Any, depth: int) -> str:
        fields = list(getattr(parent, "fields", {}).items())
        if depth <= 1:
            fields = [(name, field) for name, field in fields if is_leaf_type(get_named_type(field.type))]
        roll = self._choose.random()
        if roll < 0.4 and depth > 0:
            return self._fragment(parent, depth - 1)
        if roll < 0.55 or not fields:
            return self._choose.choice(["__typename", "kind: __typename", "__typename @skip(if: true)"])
        name, field = self._choose.choice(fields)
        alias = self._choose.choice(["", "", "a: ", "b: "])
        condition = self._choose.choice(["", "", "", " @include(if: true)", " @skip(if: true)"])
        named = get_named_type(field.type)
        below = "" if is_leaf_type(named) else f" {self.selection(named, depth - 1)}"
        return f"{alias}{name}{condition}{below}"

    def _fragment(self, parent: Any, depth: int) -> str:
        on = self._choose.choice(self._overlapping(parent))
        text = self.selection(on, depth)
        if self._choose.random() < 0.5:
            return f"... {'on ' + on.name if on is not parent or self._choose.random() < 0.5 else ''} {text}"
        self.fragments.append((on.name, text))
        return f"...F{len(self.fragments) - 1}"

    def _overlapping(self, parent: Any) -> list[Any]:
        """The types whose fragments may stand inside a type."""
        ours = self._possible(parent)
        types = [each for each in self._schema.type_map.values() if not each.name.startswith("__")]
        return [each for each in types if self._possible(each) & ours]

    def _possible(self, named: GraphQLNamedType) -> set[str]:
        if is_abstract_type(named):
            abstract: GraphQLAbstractType = named
            return {each.name for each in self._schema.get_possible_types(abstract)}
        return {named.name} if isinstance(named, GraphQLObjectType) else set()
