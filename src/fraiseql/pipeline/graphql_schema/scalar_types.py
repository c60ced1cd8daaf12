"""Our scalars as graphql-core's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import FloatValueNode, GraphQLError, GraphQLScalarType, IntValueNode, ValueNode, value_from_ast_untyped

from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = ["scalar_of", "scalar_type"]

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
        return parse_value(value_from_ast_untyped(node, dict(variables or {})), node)

    return GraphQLScalarType(
        scalar.name,
        serialize=scalar.written,
        parse_value=parse_value,
        parse_literal=parse_literal,
        description=scalar.description,
        specified_by_url=scalar.specified_by_url,
        extensions={_SCALAR: scalar},
    )
