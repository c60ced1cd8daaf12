"""Our schema as graphql-core's, which validates documents and answers introspection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from graphql import (
    DirectiveLocation,
    GraphQLArgument,
    GraphQLDirective,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    Undefined,
    specified_directives,
    specified_scalar_types,
)

from fraiseql.pipeline.graphql_schema.filter_inputs import FilterInputs, has_conditions
from fraiseql.pipeline.graphql_schema.literals import show_default
from fraiseql.pipeline.graphql_schema.order_inputs import OrderInputs, has_order
from fraiseql.pipeline.graphql_schema.scalar_types import scalar_type
from fraiseql.schema.embedded import embedded_type, stored_types
from fraiseql.schema.model import (
    AbstractType,
    DirectiveType,
    EnumType,
    Field,
    InputField,
    InputType,
    MutationField,
    ObjectType,
    QueryField,
    SchemaModel,
    Shape,
    SubscriptionField,
    SubscriptionKind,
    TypeReference,
)
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS
from fraiseql.schema.table_actions import TableAction
from fraiseql.schema.validate import AFTER_ARGUMENT, SHAPE_ARGUMENTS

__all__ = ["build_graphql_schema"]

_Input = TypeVar("_Input", GraphQLArgument, GraphQLInputField)
_AFTER: Final = "Resume behind this cursor: `extensions.cursor` of the last result."
_PAGE_ARGUMENTS: Final[Mapping[str, GraphQLArgument]] = MappingProxyType(
    {
        "limit": GraphQLArgument(GraphQLInt, description="The most rows to give."),
        "offset": GraphQLArgument(GraphQLInt, description="How many rows to leave out first."),
        "first": GraphQLArgument(GraphQLInt, description="The most rows to give, from the start."),
        "after": GraphQLArgument(GraphQLString, description="Give the rows behind this cursor."),
        "last": GraphQLArgument(GraphQLInt, description="The most rows to give, from the end."),
        "before": GraphQLArgument(GraphQLString, description="Give the rows before this cursor."),
    }
)


def build_graphql_schema(model: SchemaModel) -> GraphQLSchema:
    """Make graphql-core's schema: every declared type, and the arguments and input types that lists are given."""
    return _Builder(model).schema()


class _Builder:
    def __init__(self, model: SchemaModel) -> None:
        self._model = model
        self._made: dict[str, Any] = {}
        self._stored = stored_types(model)
        self._filters = FilterInputs(model, self._made, self._named)
        self._orders = OrderInputs(model, self._made, self._filters.search_config)

    def schema(self) -> GraphQLSchema:
        query = GraphQLObjectType("Query", {field.name: self._root(field) for field in self._model.queries.values()})
        mutation = self._further_root("Mutation", self._model.mutations)
        subscription = self._further_root("Subscription", self._model.subscriptions)
        roots = [root for root in (query, mutation, subscription) if root is not None]
        types = [*roots, *(self._named(name) for name in self._model.types)]
        directives = [*specified_directives, *map(self._directive, self._model.directives.values())]
        return GraphQLSchema(query, mutation, subscription, types, directives)

    def _further_root(
        self, name: str, fields: Mapping[str, MutationField] | Mapping[str, SubscriptionField]
    ) -> GraphQLObjectType | None:
        """A root type that a schema need not have (GraphQL §3.3.1)."""
        made = {field.name: self._root(field) for field in fields.values()}
        return GraphQLObjectType(name, made) if made else None

    def _directive(self, declared: DirectiveType) -> GraphQLDirective:
        return GraphQLDirective(
            declared.name,
            [DirectiveLocation[location] for location in declared.locations],
            {name: self._argument(argument) for name, argument in declared.arguments.items()},
            is_repeatable=declared.repeatable,
            description=declared.description,
        )

    def _root(self, field: QueryField | MutationField | SubscriptionField) -> GraphQLField:
        args = {name: self._argument(argument) for name, argument in field.arguments.items()}
        if isinstance(field, MutationField):  # what it gives is what it did: nothing chooses among it
            if isinstance(field.action, TableAction) and field.action.finds:
                where = self._filters.where(self._model.object_type(field.target))
                args = {"where": GraphQLArgument(GraphQLNonNull(where)), **args}
            return self._field(field, args)
        kind = field.kind if isinstance(field, SubscriptionField) else None
        if kind is SubscriptionKind.EVENT:
            args[AFTER_ARGUMENT] = GraphQLArgument(GraphQLString, description=_AFTER)
        elif kind is not SubscriptionKind.RESOLVER and not (isinstance(field, QueryField) and field.resolver):
            args.update(self._shape_arguments(field.shape, field.target))
        return self._field(field, args)

    def _named(self, name: str) -> GraphQLNamedType:
        if name not in self._made:
            self._made[name] = self._make(name)
        made: GraphQLNamedType = self._made[name]
        return made

    def _make(self, name: str) -> GraphQLNamedType:
        declared = self._model.types.get(name) or SCALARS[name]  # conditions have scalars that no field has
        if isinstance(declared, Scalar):
            return specified_scalar_types.get(name) or scalar_type(declared)
        if isinstance(declared, EnumType):
            values = {
                key: GraphQLEnumValue(value, declared.descriptions.get(key), declared.deprecated.get(key))
                for key, value in declared.values.items()
            }
            return GraphQLEnumType(name, values, description=declared.description)
        if isinstance(declared, InputType):
            fields = self._input_fields(declared)
            return GraphQLInputObjectType(name, fields, description=declared.description, is_one_of=declared.one_of)
        return self._output(declared)

    def _output(self, declared: ObjectType) -> GraphQLNamedType:
        name, about, fields = declared.name, declared.description, self._output_fields(declared)
        if isinstance(declared, AbstractType) and declared.is_union:
            return GraphQLUnionType(name, self._all_named(declared.members), description=about)
        interfaces = self._all_named(declared.interfaces)
        kind = GraphQLInterfaceType if isinstance(declared, AbstractType) else GraphQLObjectType
        return kind(name, fields, interfaces, description=about)

    def _all_named(self, names: Iterable[str]) -> Callable[[], list[Any]]:
        return lambda: [self._named(name) for name in names]

    def _output_fields(self, declared: ObjectType) -> Callable[[], dict[str, GraphQLField]]:
        return lambda: {field.name: self._output_field(declared, field) for field in declared.fields.values()}

    def _output_field(self, owner: ObjectType, field: Field) -> GraphQLField:
        relation = field.relation
        args = {name: self._argument(argument) for name, argument in field.arguments.items()}
        if relation is not None:
            args.update(self._shape_arguments(relation.shape, relation.target))
        if field.type.item is not None and owner.name in self._stored:
            embedded = embedded_type(self._model, field)
            args = args if embedded is None else self._shape_arguments(Shape.LIST, embedded.name)
        return self._field(field, args)

    def _field(
        self, field: Field | QueryField | MutationField | SubscriptionField, args: dict[str, GraphQLArgument]
    ) -> GraphQLField:
        return GraphQLField(
            self._reference(field.type),
            args=args,
            description=field.description,
            deprecation_reason=field.deprecated,
        )

    def _input_fields(self, declared: InputType) -> Callable[[], dict[str, GraphQLInputField]]:
        return lambda: {field.name: self._input(GraphQLInputField, field) for field in declared.fields.values()}

    def _argument(self, argument: InputField) -> GraphQLArgument:
        return self._input(GraphQLArgument, argument)

    def _input(self, kind: Callable[..., _Input], field: InputField) -> _Input:
        made = kind(
            self._reference(field.type),
            default_value=field.default if field.has_default else Undefined,
            description=field.description,
            deprecation_reason=field.deprecated,
        )
        if field.has_default:
            show_default(made)
        return made

    def _reference(self, reference: TypeReference) -> Any:
        made: Any = (
            self._named(reference.name) if reference.item is None else GraphQLList(self._reference(reference.item))
        )
        return made if reference.nullable else GraphQLNonNull(made)

    def _shape_arguments(self, shape: Shape, of: str) -> dict[str, GraphQLArgument]:
        """The arguments that the rows of a type are given in a shape."""
        target = self._model.object_type(of)
        made: dict[str, GraphQLArgument] = {}
        for name in SHAPE_ARGUMENTS[shape]:
            if name == "where":
                if has_conditions(self._model, target):
                    made[name] = GraphQLArgument(self._filters.where(target))
            elif name == "having":
                made[name] = GraphQLArgument(self._filters.aggregates(target))
            elif name == "orderBy" and shape is Shape.GROUPS:
                made[name] = GraphQLArgument(GraphQLList(GraphQLNonNull(self._orders.groups(target))))
            elif name == "orderBy":
                if has_order(self._model, target):
                    made[name] = GraphQLArgument(GraphQLList(GraphQLNonNull(self._orders.order_by(target))))
            else:
                made[name] = _PAGE_ARGUMENTS[name]
        return made
