"""Validation rules beside those of graphql-core."""

from __future__ import annotations

from typing import Any

from graphql import (
    ASTValidationRule,
    FieldNode,
    GraphQLError,
    GraphQLInputObjectType,
    NullValueNode,
    OperationDefinitionNode,
    ValidationRule,
    VariableDefinitionNode,
    get_named_type,
    is_nullable_type,
    type_from_ast,
)

__all__ = ["NoIntrospection", "OneOfVariables"]


class NoIntrospection(ASTValidationRule):
    """Refuses the fields that tell of the schema; `__typename` tells of a value, and stays."""

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        name = node.name.value
        if name in ("__schema", "__type"):
            message = f"Introspection is switched off: {name} is not served."
            self.report_error(GraphQLError(message, node, extensions={"code": "INTROSPECTION_DISABLED"}))


class OneOfVariables(ValidationRule):
    """A variable that stands for the one field of a OneOf input object is not null (GraphQL §5.8.5).

    graphql-core sees to it only where the type of the input object is written without `!` and is no list's item.
    """

    def leave_operation_definition(self, operation: OperationDefinitionNode, *_: Any) -> None:
        definitions = {each.variable.name.value: each for each in operation.variable_definitions or ()}
        for usage in self.context.get_recursive_variable_usages(operation):
            parent = usage.parent_type
            named = get_named_type(parent)
            definition = definitions.get(usage.node.name.value)
            if definition is None or parent is named or not isinstance(named, GraphQLInputObjectType):
                continue
            declared = type_from_ast(self.context.schema, definition.type)
            if named.is_one_of and is_nullable_type(declared) and not _has_default(definition):
                message = (
                    f"Variable '${usage.node.name.value}' is of type '{declared}' but must be non-nullable"
                    f" to be used for OneOf Input Object '{named}'."
                )
                self.report_error(GraphQLError(message, [definition, usage.node]))


def _has_default(definition: VariableDefinitionNode) -> bool:
    return definition.default_value is not None and not isinstance(definition.default_value, NullValueNode)
