"""The input types that `where` is made of, from the tables of conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLString,
)

from fraiseql.pipeline.operators import (
    AGGREGATE,
    EMBEDDED_LIST_OPERATORS,
    LIST_OPERATORS,
    RANK,
    RELATION_OPERATORS,
    SEARCH_CONFIGS,
    SEARCHES,
    Operand,
    Operator,
    has_list_conditions,
    operators_of,
)
from fraiseql.schema.aggregates import COUNT, FUNCTIONS, aggregated, part_name
from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import EnumType, Field, ObjectType, SchemaModel
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = ["SEARCH_CONFIG", "FilterInputs", "has_conditions"]

SEARCH_CONFIG: Final = "TextSearchConfig"
_SEARCH: Final = "TextSearchInput"
_OPERANDS: Final = {
    Operand.BOOLEAN: "Boolean",
    Operand.TEXT: "String",
    Operand.TEXTS: "String",
    Operand.ADDRESS: "IP",
    Operand.NETWORK: "CIDR",
}


def has_conditions(model: SchemaModel, target: ObjectType) -> bool:
    """Whether lists of a type take `where`."""
    return bool(_conditional(model, target))


def _conditional(model: SchemaModel, target: ObjectType) -> dict[str, Field]:
    """The fields of a type that `where` has conditions on."""
    found: dict[str, Field] = {}
    for field in target.fields.values():
        named = model.types[field.type.named]
        if field.relation is not None:
            if field.relation.shape.is_crossed:
                found[field.name] = field
        elif embedded_type(model, field) is not None:
            found[field.name] = field
        elif field.is_held and isinstance(named, (Scalar, EnumType)):
            item = field.type.item
            has_any = operators_of(named) if item is None else item.item is None and has_list_conditions(named)
            if has_any:
                found[field.name] = field
    return found


def _connectives(this: GraphQLInputObjectType) -> dict[str, GraphQLInputField]:
    several = GraphQLList(GraphQLNonNull(this))
    return {
        "AND": GraphQLInputField(several, description="All of these hold; so for an empty list."),
        "OR": GraphQLInputField(several, description="One of these holds; not so for an empty list."),
        "NOT": GraphQLInputField(this, description="This does not hold."),
    }


class FilterInputs:
    """Makes them.

    Args:
        made: every type by its name, to which these are added.
        named: gives a declared type or a scalar.

    Attributes:
        search_config: the configurations of full text search.
    """

    def __init__(self, model: SchemaModel, made: dict[str, Any], named: Callable[[str], GraphQLNamedType]) -> None:
        self._model = model
        self._made = made
        self._named = named
        self.search_config = GraphQLEnumType(
            SEARCH_CONFIG, {name.upper(): GraphQLEnumValue(name) for name in SEARCH_CONFIGS}
        )

    def where(self, target: ObjectType) -> GraphQLInputObjectType:
        """The conditions on the rows of a type."""
        name = f"{target.name}WhereInput"

        def fields() -> dict[str, GraphQLInputField]:
            this = self._made[name]
            conditional = _conditional(self._model, target)
            made = {
                key: GraphQLInputField(self._conditions(field), deprecation_reason=field.deprecated)
                for key, field in conditional.items()
            }
            return {**made, **_connectives(this)}

        text = f"Which {target.name} rows to give: those for which all conditions hold."
        return self._input(name, lambda: GraphQLInputObjectType(name, fields, description=text))

    def _conditions(self, field: Field) -> GraphQLInputObjectType:
        """What `where` takes for one field."""
        if field.relation is not None:
            below = self._model.object_type(field.relation.target)
            return self._related(below) if field.relation.shape.is_to_many else self.where(below)
        embedded = embedded_type(self._model, field)
        if embedded is not None:
            return self.where(embedded) if field.type.item is None else self._embedded_list(embedded)
        named = self._model.types[field.type.named]
        assert isinstance(named, (Scalar, EnumType))
        return self._filter(named) if field.type.item is None else self._list_filter(named)

    def _related(self, target: ObjectType) -> GraphQLInputObjectType:
        name = f"{target.name}RelationFilter"
        where = self.where(target)
        fields = {key: GraphQLInputField(where, description=text) for key, (_, _, text) in RELATION_OPERATORS.items()}
        about = "The figures about the rows meet the conditions."
        fields[AGGREGATE] = GraphQLInputField(self.aggregates(target), description=about)
        return self._input(name, lambda: GraphQLInputObjectType(name, fields))

    def aggregates(self, target: ObjectType) -> GraphQLInputObjectType:
        """The conditions on figures about rows of a type."""
        name = f"{target.name}AggregateWhereInput"

        def fields() -> dict[str, GraphQLInputField]:
            count = GraphQLInputField(self._filter(SCALARS["Int"]), description="How many rows there are.")
            parts = ((function, self._part(target, function)) for function in FUNCTIONS)
            made = {function: GraphQLInputField(part) for function, part in parts if part is not None}
            return {COUNT: count, **made, **_connectives(self._made[name])}

        text = f"Conditions on figures about {target.name} rows, all of which must hold."
        return self._input(name, lambda: GraphQLInputObjectType(name, fields, description=text))

    def _part(self, target: ObjectType, function: str) -> GraphQLInputObjectType | None:
        fields: dict[str, GraphQLInputField] = {}
        for key, field in aggregated(function, target, self._model.types).items():
            named = self._model.types.get(field.type.name) or SCALARS[field.type.name]
            assert isinstance(named, (Scalar, EnumType))
            if operators_of(named):
                fields[key] = GraphQLInputField(self._filter(named), deprecation_reason=field.deprecated)
        if not fields:
            return None
        name = f"{part_name(target, function)}WhereInput"
        return self._input(name, lambda: GraphQLInputObjectType(name, fields))

    def _embedded_list(self, target: ObjectType) -> GraphQLInputObjectType:
        name = f"{target.name}ListFilter"

        def fields() -> dict[str, GraphQLInputField]:
            operands: dict[Operand, Any] = {
                Operand.CONDITIONS: self.where(target),
                Operand.LENGTH: self._filter(SCALARS["Int"]),
                Operand.BOOLEAN: self._named("Boolean"),
            }
            return {
                key: GraphQLInputField(operands[operator.operand], description=operator.description)
                for key, operator in EMBEDDED_LIST_OPERATORS.items()
            }

        return self._input(name, lambda: GraphQLInputObjectType(name, fields))

    def _filter(self, named: Scalar | EnumType) -> GraphQLInputObjectType:
        name = f"{named.name}Filter"
        return self._input(
            name, lambda: GraphQLInputObjectType(name, lambda: self._operators(operators_of(named), named))
        )

    def _list_filter(self, item: Scalar | EnumType) -> GraphQLInputObjectType:
        name = f"{item.name}ListFilter"
        return self._input(
            name, lambda: GraphQLInputObjectType(name, lambda: self._operators(LIST_OPERATORS, item, is_list=True))
        )

    def _operators(
        self, operators: Mapping[str, Operator], named: Scalar | EnumType, *, is_list: bool = False
    ) -> dict[str, GraphQLInputField]:
        return {
            key: GraphQLInputField(
                self._operand(operator.operand, named, is_list=is_list), description=operator.description
            )
            for key, operator in operators.items()
        }

    def _operand(self, operand: Operand, named: Scalar | EnumType, *, is_list: bool) -> Any:
        if operand is Operand.SEARCH:
            return self._search()
        if operand is Operand.ANY:
            return self._filter(named)
        if operand is Operand.LENGTH:
            return self._filter(SCALARS["Int"])
        if operand in (Operand.ELEMENT, Operand.BOUND):
            assert isinstance(named, Scalar)
            assert named.element is not None
            is_bound = operand is Operand.BOUND
            return self._filter(SCALARS[named.element]) if is_bound else self._named(named.element)
        name = _OPERANDS.get(operand, named.name)
        made: Any = self._named(name)
        is_several = operand in (Operand.VALUES, Operand.TEXTS) or (is_list and operand is Operand.VALUE)
        return GraphQLList(GraphQLNonNull(made)) if is_several else made

    def _search(self) -> GraphQLInputObjectType:
        def make() -> GraphQLInputObjectType:
            text = "Which words to look for."
            fields = {key: GraphQLInputField(GraphQLString, description=what) for key, (_, what) in SEARCHES.items()}
            about = "The rules of which language; SIMPLE has none."
            fields["config"] = GraphQLInputField(self.search_config, description=about)
            about = "How well the row fits what is asked for here: PostgreSQL's ts_rank."
            fields[RANK] = GraphQLInputField(self._filter(SCALARS["Float"]), description=about)
            return GraphQLInputObjectType(_SEARCH, fields, description=text)

        return self._input(_SEARCH, make)

    def _input(self, name: str, make: Callable[[], GraphQLInputObjectType]) -> GraphQLInputObjectType:
        if name not in self._made:
            self._made[name] = make()
        made: GraphQLInputObjectType = self._made[name]
        return made
