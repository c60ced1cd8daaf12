"""Our scalars as graphql-core's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    FloatValueNode,
    GraphQLError,
    GraphQLScalarType,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    value_from_ast_untyped,
)

from fraiseql.schema.numbers import JSONFloat
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = ["has_variables", "literal_value", "scalar_of", "scalar_type"]

_SCALAR: Final = "fraiseql.scalar"


def scalar_of(declared: GraphQLScalarType) -> Scalar:
    """The scalar that graphql-core's was made of."""
    found: Scalar | None = declared.extensions.get(_SCALAR)
    return SCALARS[declared.name] if found is None else found


def scalar_type(scalar: Scalar) -> GraphQLScalarType:
    """The type of one of our own scalars, whose values are canonical."""

    def parse_value(value: Any, node: ValueNode | None = None) -> Any:
        try:
            return scalar.parse(value)
        except ValueError as error:
            raise GraphQLError(str(error), node) from None

    def parse_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
        if scalar.as_text and isinstance(node, (IntValueNode, FloatValueNode)):
            return parse_value(node.value, node)  # with all its digits
        if takes_any and variables is None and has_variables(node):
            return None  # validation does not know the variables: their values are looked at when they come
        return parse_value(literal_value(node, variables or {}), node)

    takes_any = scalar.is_json or SCALARS.get(scalar.name) is not scalar

    return GraphQLScalarType(
        scalar.name,
        serialize=scalar.written,
        parse_value=parse_value,
        parse_literal=parse_literal,
        description=scalar.description,
        specified_by_url=scalar.specified_by_url,
        extensions={_SCALAR: scalar},
    )


def has_variables(node: ValueNode) -> bool:
    """Whether a literal has a variable anywhere in it."""
    if isinstance(node, ListValueNode):
        return any(map(has_variables, node.values))
    if isinstance(node, ObjectValueNode):
        return any(has_variables(field.value) for field in node.fields)
    return isinstance(node, VariableNode)


def literal_value(node: ValueNode, variables: Mapping[str, Any]) -> Any:
    """A literal as JSON: a variable that was not provided is null in a list, and its key absent in an object."""
    if isinstance(node, VariableNode):
        return variables.get(node.name.value)
    if isinstance(node, ListValueNode):
        return [literal_value(item, variables) for item in node.values]
    if isinstance(node, ObjectValueNode):
        return {
            field.name.value: literal_value(field.value, variables)
            for field in node.fields
            if not isinstance(field.value, VariableNode) or field.value.name.value in variables
        }
    return JSONFloat(node.value) if isinstance(node, FloatValueNode) else value_from_ast_untyped(node)
