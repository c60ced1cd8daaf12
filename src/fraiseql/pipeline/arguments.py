"""Arguments as trees: one form for what a document writes out and for what its variables hold.

A tree's form decides the SQL text; the values at its leaves are only reached through `get`, per request, and become
parameters. So the same SQL serves every request whose variables have the same shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    is_specified_scalar_type,
    print_ast,
    value_from_ast,
)

from fraiseql.errors import RequestError
from fraiseql.pipeline.graphql_schema import has_variables, literal_value, scalar_of
from fraiseql.pipeline.variables import Variables, is_leaf
from fraiseql.schema.model import EnumType, InputType, SchemaModel, TypeReference
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = [
    "ABSENT",
    "Fields",
    "Items",
    "Leaf",
    "Tree",
    "default_tree",
    "default_value",
    "given_arguments",
    "python_object",
    "read_tree",
    "value_of",
]

Getter: TypeAlias = Callable[[Variables], Any]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar, an enum or a list of them; `value` is None for null, and otherwise for the shape's own use.

    With `is_literal` the document wrote `value` out: every request has it. With `may_fail`, `get` may raise
    RequestError.
    """

    get: Getter
    value: Any
    is_literal: bool = False
    may_fail: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list of input objects; `value` is None for null."""

    items: tuple[Tree, ...]
    value: Any = ()


@dataclass(frozen=True, slots=True)
class Fields:
    """An input object's present fields; `value` is None for null."""

    fields: Mapping[str, Tree]
    value: Any = ()


Tree: TypeAlias = Leaf | Items | Fields

ABSENT: Final = None
"""What `read_tree` gives for a variable that was not provided: as if the argument were not written (GraphQL §6.4.1)."""


def read_tree(node: ValueNode, declared: GraphQLInputType, variables: Variables) -> Tree | None:
    """Read a validated argument value; None where it is a variable that was not provided.

    Raises:
        RequestError: a literal that validation let pass does not fit its scalar.
    """
    if isinstance(node, VariableNode):
        name = node.name.value
        return _from_value(variables[name], declared, lambda given: given[name]) if name in variables else ABSENT
    if isinstance(declared, GraphQLNonNull):
        return read_tree(node, declared.of_type, variables)
    if isinstance(node, NullValueNode):
        return _null(declared)
    if isinstance(declared, GraphQLInputObjectType):
        assert isinstance(node, ObjectValueNode)
        return _object(node, declared, variables)
    if isinstance(declared, GraphQLList):
        return _list(node, declared, variables)
    if isinstance(declared, GraphQLScalarType) and has_variables(node):
        scalar = scalar_of(declared)
        _mixed(node, scalar, variables)  # it may fail
        return Leaf(lambda given: _mixed(node, scalar, given), (), may_fail=True)
    value = _constant(node, declared)
    return Leaf(lambda _: value, value, is_literal=True)


def default_tree(value: Any, declared: GraphQLInputType) -> Tree:
    """The tree of an argument's default value."""
    return _from_value(value, declared, lambda _: value)


def default_value(definition: VariableDefinitionNode, declared: GraphQLInputType) -> Any:
    """The coerced default value of a variable."""
    assert definition.default_value is not None
    return value_of(read_tree(definition.default_value, declared, {}), {})


def value_of(tree: Tree | None, variables: Variables) -> Any:
    """The value of a tree: input objects are dicts by the fields' GraphQL names."""
    if isinstance(tree, Leaf):
        return tree.get(variables)
    if tree is None or tree.value is None:
        return None
    if isinstance(tree, Items):
        return [value_of(item, variables) for item in tree.items]
    return {name: value_of(field, variables) for name, field in tree.fields.items()}


def given_arguments(
    declared: Mapping[str, GraphQLArgument],
    written: Mapping[str, ValueNode],
    variables: Variables,
    path: tuple[str, ...],
) -> dict[str, Tree]:
    """The present arguments of a field, defaults included (GraphQL §6.4.1); raises RequestError at its path."""
    given: dict[str, Tree] = {}
    for name, argument in declared.items():
        try:
            tree = read_tree(written[name], argument.type, variables) if name in written else None
        except RequestError as error:
            raise RequestError(error.message, code=error.code, path=path) from None
        if tree is None and argument.default_value is not Undefined:
            tree = default_tree(argument.default_value, argument.type)
        if tree is not None:
            given[name] = tree
    return given


def python_object(model: SchemaModel, reference: TypeReference, value: Any) -> Any:
    """A coerced value as the Python object that its annotation names; an input object is a dict by its attributes."""
    if value is None:
        return None
    if reference.item is not None:
        return [python_object(model, reference.item, each) for each in value]
    named = model.types[reference.name]
    if isinstance(named, InputType):
        fields = named.fields
        given = {fields[name].target: python_object(model, fields[name].type, each) for name, each in value.items()}
        return {field.target: None for field in fields.values() if field.or_none} | given
    assert isinstance(named, (EnumType, Scalar))
    return named.load(value)


def _null(declared: GraphQLInputType) -> Tree:
    if is_leaf(declared):
        return Leaf(lambda _: None, None)
    return Items((), None) if isinstance(declared, GraphQLList) else Fields({}, None)


def _constant(node: ValueNode, declared: GraphQLInputType) -> Any:
    value = value_from_ast(node, declared)
    if value is Undefined:
        raise RequestError(f"{declared} cannot represent value: {print_ast(node)[:60]}", code="BAD_USER_INPUT")
    if isinstance(declared, GraphQLEnumType):
        return value
    assert isinstance(declared, GraphQLScalarType)
    if not is_specified_scalar_type(declared):
        return value  # `parse` made it
    try:
        return SCALARS[declared.name].parse(value)
    except ValueError as error:
        raise RequestError(str(error), code="BAD_USER_INPUT") from None


def _mixed(node: ValueNode, scalar: Scalar, variables: Variables) -> Any:
    """The value of a literal with variables in it."""
    try:
        return scalar.parse(literal_value(node, variables))
    except ValueError as error:
        raise RequestError(str(error), code="BAD_USER_INPUT") from None


def _object(node: ObjectValueNode, declared: GraphQLInputObjectType, variables: Variables) -> Fields:
    written = {field.name.value: field.value for field in node.fields}
    fields: dict[str, Tree] = {}
    for name, field in declared.fields.items():
        tree = read_tree(written[name], field.type, variables) if name in written else ABSENT
        if tree is None and field.default_value is not Undefined:
            tree = default_tree(field.default_value, field.type)
        if tree is not None:
            fields[name] = tree
    # GraphQL §3.10.1: validation lets a nullable variable stand for the one field.
    if declared.is_one_of and (len(fields) != 1 or next(iter(fields.values())).value is None):
        message = f'Exactly one key must be specified for OneOf type "{declared.name}", and not as null.'
        raise RequestError(message, code="BAD_USER_INPUT")
    return Fields(fields)


def _list(node: ValueNode, declared: GraphQLList[Any], variables: Variables) -> Tree:
    nodes = node.values if isinstance(node, ListValueNode) else (node,)
    # A variable that was not provided is null inside a list (GraphQL §3.11).
    trees = [read_tree(item, declared.of_type, variables) or _null(declared.of_type) for item in nodes]
    if not is_leaf(declared):
        return Items(tuple(trees))
    leaves = [tree for tree in trees if isinstance(tree, Leaf)]
    getters = [leaf.get for leaf in leaves]
    return Leaf(lambda given: [get(given) for get in getters], (), may_fail=any(leaf.may_fail for leaf in leaves))


def _from_value(value: Any, declared: GraphQLInputType, get: Getter) -> Tree:
    if isinstance(declared, GraphQLNonNull):
        if value is None:  # GraphQL §5.8.5 lets a nullable variable with a default pass
            raise RequestError(f'A value of type "{declared}" must not be null.', code="BAD_USER_INPUT")
        return _from_value(value, declared.of_type, get)
    if is_leaf(declared):
        return Leaf(get, value)
    if value is None:
        return _null(declared)
    if isinstance(declared, GraphQLList):
        return Items(tuple(_from_value(item, declared.of_type, _at(get, index)) for index, item in enumerate(value)))
    assert isinstance(declared, GraphQLInputObjectType)
    return Fields({key: _from_value(item, declared.fields[key].type, _at(get, key)) for key, item in value.items()})


def _at(get: Getter, key: str | int) -> Getter:
    return lambda given: get(given)[key]
