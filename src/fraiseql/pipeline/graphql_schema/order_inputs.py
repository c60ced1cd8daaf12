"""The input types that `orderBy` is made of: each has exactly one key, nested through relations down to a direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLString,
)

from fraiseql.pipeline.operators import SEARCHES, is_searched
from fraiseql.schema.aggregates import COUNT, FUNCTIONS, KEY, aggregated, key_fields, part_name
from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import EnumType, Field, ObjectType, SchemaModel, Shape
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.validate import SEARCH_RANK

__all__ = ["DIRECTIONS", "ORDER_DIRECTION", "SEARCH_RANK", "OrderInputs", "has_order"]

ORDER_DIRECTION: Final = "OrderDirection"
EMBEDDED_LIST_ORDER: Final = "EmbeddedListOrderByInput"
_SEARCH: Final = "TextSearchRankInput"

_DIRECTIONS: Final = {
    "ASC": ("asc", "", "Smallest first; nulls last."),
    "DESC": ("desc", " desc", "Largest first; nulls first."),
    "ASC_NULLS_FIRST": ("asc_nulls_first", " nulls first", "Smallest first; nulls before all."),
    "ASC_NULLS_LAST": ("asc_nulls_last", " nulls last", "Smallest first; nulls behind all."),
    "DESC_NULLS_FIRST": ("desc_nulls_first", " desc nulls first", "Largest first; nulls before all."),
    "DESC_NULLS_LAST": ("desc_nulls_last", " desc nulls last", "Largest first; nulls behind all."),
}
DIRECTIONS: Final[Mapping[str, str]] = MappingProxyType({value: sql for value, sql, _ in _DIRECTIONS.values()})
"""The SQL behind an expression for each value of the enum."""


def has_order(model: SchemaModel, target: ObjectType) -> bool:
    """Whether lists of a type take `orderBy`: whether it leads to a value, across objects and relations to one."""
    return _leads_to_order(model, target, set())


def _leads_to_order(model: SchemaModel, target: ObjectType, seen: set[str]) -> bool:
    seen.add(target.name)
    for field in target.fields.values():
        relation = field.relation
        if is_searched(field, model.types):
            return True
        if _is_ordered(model, field) or (relation is not None and relation.shape.is_to_many):
            return True
        below = embedded_type(model, field)
        if below is not None and field.type.item is not None:
            return True
        if relation is not None and relation.shape is Shape.ROW:
            below = model.object_type(relation.target)
        if below is not None and below.name not in seen and _leads_to_order(model, below, seen):
            return True
    return False


def _is_ordered(model: SchemaModel, field: Field) -> bool:
    """Whether a field has one value of a type that has an order."""
    named = model.types[field.type.named]
    ordered = isinstance(named, EnumType) or (isinstance(named, Scalar) and named.sortable)
    return ordered and field.type.item is None and field.resolver is None


class OrderInputs:
    """Makes them.

    Args:
        made: every type by its name, to which these are added.
        search_config: the configurations of full text search.
    """

    def __init__(self, model: SchemaModel, made: dict[str, Any], search_config: GraphQLEnumType) -> None:
        self._model = model
        self._made = made
        values = {name: GraphQLEnumValue(value, description=text) for name, (value, _, text) in _DIRECTIONS.items()}
        self._direction = GraphQLEnumType(ORDER_DIRECTION, values)
        self._search_config = search_config

    def order_by(self, target: ObjectType) -> GraphQLInputObjectType:
        """What the rows of a type can be ordered by."""
        name = f"{target.name}OrderByInput"

        def fields() -> dict[str, GraphQLInputField]:
            entries = ((field, self._entry(field)) for field in target.fields.values())
            made = {
                field.name: GraphQLInputField(entry, deprecation_reason=field.deprecated)
                for field, entry in entries
                if entry is not None
            }
            searched = [field for field in target.fields.values() if is_searched(field, self._model.types)]
            if searched:
                about = "How well a text fits a search."
                made[SEARCH_RANK] = GraphQLInputField(self._ranks(target, searched), description=about)
            return made

        return self._one_of(name, fields)

    def _entry(self, field: Field) -> GraphQLEnumType | GraphQLInputObjectType | None:
        if _is_ordered(self._model, field):
            return self._direction
        embedded = embedded_type(self._model, field)
        if embedded is not None and field.type.item is not None:
            return self._elements()
        if embedded is not None:
            return self.order_by(embedded) if has_order(self._model, embedded) else None
        if field.relation is None or not field.relation.shape.is_crossed:
            return None
        below = self._model.object_type(field.relation.target)
        if field.relation.shape.is_to_many:
            return self._aggregates(below)
        return self.order_by(below) if has_order(self._model, below) else None

    def _elements(self) -> GraphQLInputObjectType:
        if EMBEDDED_LIST_ORDER not in self._made:
            count = GraphQLInputField(self._direction, description="How many elements there are; null for no list.")
            self._made[EMBEDDED_LIST_ORDER] = GraphQLInputObjectType(
                EMBEDDED_LIST_ORDER, {COUNT: count}, is_one_of=True
            )
        made: GraphQLInputObjectType = self._made[EMBEDDED_LIST_ORDER]
        return made

    def _aggregates(self, target: ObjectType) -> GraphQLInputObjectType:
        """By a figure about the rows that a relation to many leads to."""
        name = f"{target.name}AggregateOrderByInput"
        return self._one_of(name, lambda: self._figures(target))

    def groups(self, target: ObjectType) -> GraphQLInputObjectType:
        """What groups of the rows of a type can be ordered by."""

        def fields() -> dict[str, GraphQLInputField]:
            every = key_fields(target, self._model.types)
            keys = {key: field for key, field in every.items() if _is_ordered(self._model, field)}
            text = "By a field of the key, which must be selected; by each of them where it is selected several times."
            made = {KEY: self._part(target, "groupKey", keys, text)} if keys else {}
            return {**made, **self._figures(target)}

        return self._one_of(f"{target.name}GroupOrderByInput", fields)

    def _figures(self, target: ObjectType) -> dict[str, GraphQLInputField]:
        made = {COUNT: GraphQLInputField(self._direction, description="How many rows there are.")}
        for function in FUNCTIONS:
            fields = aggregated(function, target, self._model.types)
            if fields:
                made[function] = self._part(target, function, fields)
        return made

    def _part(
        self, target: ObjectType, part: str, fields: Mapping[str, Field], text: str | None = None
    ) -> GraphQLInputField:
        entries = {
            key: GraphQLInputField(self._direction, deprecation_reason=field.deprecated)
            for key, field in fields.items()
        }
        return GraphQLInputField(
            self._one_of(f"{part_name(target, part)}OrderByInput", lambda: entries), description=text
        )

    def _one_of(self, name: str, fields: Callable[[], dict[str, GraphQLInputField]]) -> GraphQLInputObjectType:
        if name not in self._made:
            self._made[name] = GraphQLInputObjectType(name, fields, is_one_of=True)
        made: GraphQLInputObjectType = self._made[name]
        return made

    def _ranks(self, target: ObjectType, searched: Sequence[Field]) -> GraphQLInputObjectType:
        """One of the texts of a type."""
        name = f"{target.name}SearchRankOrderByInput"
        if name not in self._made:
            search = self._search()
            fields = {field.name: GraphQLInputField(search, deprecation_reason=field.deprecated) for field in searched}
            self._made[name] = GraphQLInputObjectType(name, fields, is_one_of=True)
        made: GraphQLInputObjectType = self._made[name]
        return made

    def _search(self) -> GraphQLInputObjectType:
        if _SEARCH not in self._made:
            fields = {key: GraphQLInputField(GraphQLString, description=what) for key, (_, what) in SEARCHES.items()}
            about = "The rules of which language; SIMPLE has none."
            fields["config"] = GraphQLInputField(self._search_config, description=about)
            direction = GraphQLNonNull(self._direction)
            about = "DESC: what fits best first."
            fields["direction"] = GraphQLInputField(direction, default_value="desc_nulls_last", description=about)
            text = f"Which words to look for: one of {', '.join(SEARCHES)}."
            self._made[_SEARCH] = GraphQLInputObjectType(_SEARCH, fields, description=text)
        made: GraphQLInputObjectType = self._made[_SEARCH]
        return made
