"""Values that a schema holds, as GraphQL writes them."""

from __future__ import annotations

from typing import Any

from graphql import (
    ConstListValueNode,
    ConstValueNode,
    GraphQLArgument,
    GraphQLDefaultInput,
    GraphQLInputField,
    GraphQLInputType,
    GraphQLList,
    GraphQLScalarType,
    ast_from_value,
    get_named_type,
    get_nullable_type,
)
from graphql.utilities.value_to_literal import default_scalar_value_to_literal

from fraiseql.pipeline.graphql_schema.scalar_types import scalar_of

__all__ = ["literal_of", "show_default"]


def literal_of(value: Any, declared: GraphQLInputType) -> ConstValueNode:
    """A canonical value of a scalar, an enum or a list of them."""
    named = get_nullable_type(declared)
    if isinstance(named, GraphQLList) and isinstance(value, list):
        return ConstListValueNode(values=tuple(literal_of(item, named.of_type) for item in value))
    node: ConstValueNode | None
    if isinstance(named, GraphQLScalarType) and isinstance(value, (dict, list)):
        node = default_scalar_value_to_literal(value)  # any JSON
    else:
        node = ast_from_value(value, declared)
    assert node is not None
    return node


def show_default(field: GraphQLArgument | GraphQLInputField) -> None:
    """Have a default of any JSON written, which graphql-core can write only where it is given a literal too."""
    named = get_named_type(field.type)
    if isinstance(named, GraphQLScalarType) and scalar_of(named).is_json:
        field.default = GraphQLDefaultInput(literal=literal_of(field.default_value, field.type))
