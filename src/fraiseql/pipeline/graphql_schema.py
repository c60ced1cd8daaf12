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

from fraiseql.pipeline.operators import (
    LIST_OPERATORS,
    RELATION_OPERATORS,
    SEARCH_CONFIGS,
    SEARCHES,
    Operand,
    Operator,
    has_list_conditions,
    operators_of,
)
from fraiseql.schema import Schema
from fraiseql.schema.model import (
    EnumType,
    Field,
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

__all__ = ["ORDER_DIRECTION", "SEARCH_CONFIG", "build_graphql_schema", "print_sdl", "scalar_of"]

ORDER_DIRECTION: Final = "OrderDirection"
SEARCH_CONFIG: Final = "TextSearchConfig"
_SEARCH: Final = "TextSearchInput"
_SCALAR: Final = "fraiseql.scalar"
_OPERANDS: Final = {
    Operand.BOOLEAN: "Boolean",
    Operand.TEXT: "String",
    Operand.TEXTS: "String",
    Operand.ADDRESS: "IP",
    Operand.NETWORK: "CIDR",
}
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


def _conditional(model: SchemaModel, target: ObjectType) -> dict[str, Field]:
    """The fields of a type that `where` has conditions on."""
    found: dict[str, Field] = {}
    for field in target.fields.values():
        named = model.types[field.type.named]
        if field.relation is not None:
            found[field.name] = field
        elif isinstance(named, (Scalar, EnumType)):
            item = field.type.item
            has_any = operators_of(named) if item is None else item.item is None and has_list_conditions(named)
            if has_any:
                found[field.name] = field
    return found


def _sortable(model: SchemaModel, target: ObjectType) -> list[str]:
    """The names of the fields that `orderBy` offers: those with one value of a type that has an order."""
    found: list[str] = []
    for field in target.fields.values():
        named = model.types[field.type.named]
        has_order = isinstance(named, EnumType) or (isinstance(named, Scalar) and named.sortable)
        if has_order and field.type.item is None and field.relation is None:
            found.append(field.name)
    return found


class _Builder:
    def __init__(self, model: SchemaModel) -> None:
        self._model = model
        self._made: dict[str, Any] = {}
        self._direction = GraphQLEnumType(
            ORDER_DIRECTION,
            {
                "ASC": GraphQLEnumValue("asc", description="Smallest first; nulls last."),
                "DESC": GraphQLEnumValue("desc", description="Largest first; nulls first."),
            },
        )
        self._search_config = GraphQLEnumType(
            SEARCH_CONFIG, {name.upper(): GraphQLEnumValue(name) for name in SEARCH_CONFIGS}
        )
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
        if _conditional(self._model, target):
            arguments["where"] = GraphQLArgument(self._where(target))
        if _sortable(self._model, target):
            arguments["orderBy"] = GraphQLArgument(GraphQLList(GraphQLNonNull(self._order_by(target))))
        arguments["limit"] = GraphQLArgument(GraphQLInt, description="The most rows to give.")
        arguments["offset"] = GraphQLArgument(GraphQLInt, description="How many rows to leave out first.")
        return arguments

    def _where(self, target: ObjectType) -> GraphQLInputObjectType:
        name = f"{target.name}WhereInput"

        def fields() -> dict[str, GraphQLInputField]:
            this = self._made[name]
            conditional = _conditional(self._model, target)
            made = {key: GraphQLInputField(self._conditions(field)) for key, field in conditional.items()}
            several = GraphQLList(GraphQLNonNull(this))
            made["AND"] = GraphQLInputField(several, description="All of these hold; so for an empty list.")
            made["OR"] = GraphQLInputField(several, description="One of these holds; not so for an empty list.")
            made["NOT"] = GraphQLInputField(this, description="This does not hold.")
            return made

        text = f"Which {target.name} rows to give: those for which all conditions hold."
        return self._input(name, lambda: GraphQLInputObjectType(name, fields, description=text))

    def _conditions(self, field: Field) -> GraphQLInputObjectType:
        """What `where` takes for one field."""
        named = self._model.types[field.type.named]
        is_list = field.type.item is not None
        if isinstance(named, ObjectType):
            return self._related(named) if is_list else self._where(named)
        assert isinstance(named, (Scalar, EnumType))
        return self._list_filter(named) if is_list else self._filter(named)

    def _related(self, target: ObjectType) -> GraphQLInputObjectType:
        name = f"{target.name}RelationFilter"
        where = self._where(target)
        fields = {key: GraphQLInputField(where, description=text) for key, (_, _, text) in RELATION_OPERATORS.items()}
        return self._input(name, lambda: GraphQLInputObjectType(name, fields))

    def _order_by(self, target: ObjectType) -> GraphQLInputObjectType:
        name = f"{target.name}OrderByInput"
        fields = {field: GraphQLInputField(self._direction) for field in _sortable(self._model, target)}
        return self._input(name, lambda: GraphQLInputObjectType(name, fields, is_one_of=True))

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
        if operand is Operand.ELEMENT:
            assert isinstance(named, Scalar)
            assert named.element is not None
            return self._named(named.element)
        name = _OPERANDS.get(operand, named.name)
        made = self._named(name)
        is_several = operand in (Operand.VALUES, Operand.TEXTS) or (is_list and operand is Operand.VALUE)
        return GraphQLList(GraphQLNonNull(made)) if is_several else made

    def _search(self) -> GraphQLInputObjectType:
        def make() -> GraphQLInputObjectType:
            text = "Which words to look for."
            fields = {key: GraphQLInputField(GraphQLString, description=what) for key, (_, what) in SEARCHES.items()}
            about = "The rules of which language; SIMPLE has none."
            fields["config"] = GraphQLInputField(self._search_config, description=about)
            return GraphQLInputObjectType(_SEARCH, fields, description=text)

        return self._input(_SEARCH, make)

    def _input(self, name: str, make: Callable[[], GraphQLInputObjectType]) -> GraphQLInputObjectType:
        if name not in self._made:
            self._made[name] = make()
        made: GraphQLInputObjectType = self._made[name]
        return made


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
