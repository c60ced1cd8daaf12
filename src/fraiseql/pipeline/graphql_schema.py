"""Our schema as graphql-core's, which validates documents, answers introspection and prints SDL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from graphql import (
    FloatValueNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLError,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    IntValueNode,
    Undefined,
    ValueNode,
    print_schema,
    specified_scalar_types,
    value_from_ast_untyped,
)

from fraiseql.pipeline.filter_inputs import FilterInputs, has_conditions
from fraiseql.pipeline.order_inputs import OrderInputs, has_order
from fraiseql.schema import Schema
from fraiseql.schema.model import (
    EnumType,
    InputField,
    InputType,
    ObjectType,
    QueryField,
    SchemaModel,
    SubscriptionField,
    SubscriptionKind,
    TypeReference,
)
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS
from fraiseql.schema.validate import AFTER_ARGUMENT

__all__ = ["build_graphql_schema", "print_sdl", "scalar_of"]

_SCALAR: Final = "fraiseql.scalar"
_AFTER: Final = "Resume behind this cursor: `extensions.cursor` of the last result."


def print_sdl(schema: Schema) -> str:
    """The schema in GraphQL's schema definition language."""
    return print_schema(build_graphql_schema(schema.model)) + "\n"


def build_graphql_schema(model: SchemaModel) -> GraphQLSchema:
    """Make graphql-core's schema: every declared type, and the arguments and input types that lists are given."""
    return _Builder(model).schema()


def scalar_of(declared: GraphQLScalarType) -> Scalar:
    """The scalar that graphql-core's was made of."""
    found: Scalar | None = declared.extensions.get(_SCALAR)
    return SCALARS[declared.name] if found is None else found


class _Builder:
    def __init__(self, model: SchemaModel) -> None:
        self._model = model
        self._made: dict[str, Any] = {}
        self._filters = FilterInputs(model, self._made, self._named)
        self._orders = OrderInputs(model, self._made)
        self._generated: Mapping[SubscriptionKind, Callable[[TypeReference], dict[str, GraphQLArgument]]] = {
            SubscriptionKind.RESOLVER: lambda _: {},
            SubscriptionKind.EVENT: lambda _: {AFTER_ARGUMENT: GraphQLArgument(GraphQLString, description=_AFTER)},
            SubscriptionKind.LIVE: self._page_arguments,
        }

    def schema(self) -> GraphQLSchema:
        query = GraphQLObjectType(
            "Query", {field.name: self._root(field, self._page_arguments) for field in self._model.queries.values()}
        )
        subscriptions = {
            field.name: self._root(field, self._generated[field.kind]) for field in self._model.subscriptions.values()
        }
        subscription = GraphQLObjectType("Subscription", subscriptions) if subscriptions else None
        roots = [query] if subscription is None else [query, subscription]
        types = [*roots, *(self._named(name) for name in self._model.types)]
        return GraphQLSchema(query, subscription=subscription, types=types)

    def _root(
        self,
        field: QueryField | SubscriptionField,
        generated: Callable[[TypeReference], dict[str, GraphQLArgument]],
    ) -> GraphQLField:
        args = {name: self._argument(argument) for name, argument in field.arguments.items()}
        args.update(generated(field.type))
        return GraphQLField(self._reference(field.type), args=args, description=field.description)

    def _named(self, name: str) -> GraphQLNamedType:
        if name not in self._made:
            self._made[name] = self._make(name)
        made: GraphQLNamedType = self._made[name]
        return made

    def _make(self, name: str) -> GraphQLNamedType:
        declared = self._model.types.get(name) or SCALARS[name]  # conditions have scalars that no field has
        if isinstance(declared, Scalar):
            return specified_scalar_types.get(name) or _scalar(declared)
        if isinstance(declared, EnumType):
            values = {key: GraphQLEnumValue(value) for key, value in declared.values.items()}
            return GraphQLEnumType(name, values, description=declared.description)
        if isinstance(declared, InputType):
            return GraphQLInputObjectType(name, self._input_fields(declared), description=declared.description)
        return GraphQLObjectType(name, self._output_fields(declared), description=declared.description)

    def _output_fields(self, declared: ObjectType) -> Callable[[], dict[str, GraphQLField]]:
        return lambda: {
            field.name: GraphQLField(
                self._reference(field.type),
                args=self._page_arguments(field.type) if field.relation is not None else {},
                description=field.description,
            )
            for field in declared.fields.values()
        }

    def _input_fields(self, declared: InputType) -> Callable[[], dict[str, GraphQLInputField]]:
        return lambda: {
            field.name: GraphQLInputField(
                self._reference(field.type),
                default_value=field.default if field.has_default else Undefined,
                description=field.description,
            )
            for field in declared.fields.values()
        }

    def _argument(self, argument: InputField) -> GraphQLArgument:
        return GraphQLArgument(
            self._reference(argument.type),
            default_value=argument.default if argument.has_default else Undefined,
            description=argument.description,
        )

    def _reference(self, reference: TypeReference) -> Any:
        made: Any = (
            self._named(reference.name) if reference.item is None else GraphQLList(self._reference(reference.item))
        )
        return made if reference.nullable else GraphQLNonNull(made)

    def _page_arguments(self, reference: TypeReference) -> dict[str, GraphQLArgument]:
        if reference.item is None:
            return {}
        arguments: dict[str, GraphQLArgument] = {}
        target = self._model.object_type(reference.named)
        if has_conditions(self._model, target):
            arguments["where"] = GraphQLArgument(self._filters.where(target))
        if has_order(self._model, target):
            arguments["orderBy"] = GraphQLArgument(GraphQLList(GraphQLNonNull(self._orders.order_by(target))))
        arguments["limit"] = GraphQLArgument(GraphQLInt, description="The most rows to give.")
        arguments["offset"] = GraphQLArgument(GraphQLInt, description="How many rows to leave out first.")
        return arguments


def _scalar(scalar: Scalar) -> GraphQLScalarType:
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
