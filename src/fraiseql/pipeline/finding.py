"""Typed selections that Python code asks for: rows of a declared class, as instances of it.

Such a selection is rendered as a list in a query is, with the same conditions, orders and pages.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    NameNode,
    VariableNode,
)

from fraiseql.effects import Row, Statement
from fraiseql.errors import RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.cache import Cache
from fraiseql.pipeline.computed.instances import Loading
from fraiseql.pipeline.computed.selections import held_selection
from fraiseql.pipeline.graphql_schema import build_graphql_schema, scalar_of
from fraiseql.pipeline.plan import RootField
from fraiseql.pipeline.reading import read_row
from fraiseql.pipeline.response import Refusal
from fraiseql.pipeline.sql import BoundStatement, render
from fraiseql.pipeline.sql.bind import encode
from fraiseql.pipeline.variables import coerced_value, shape_of
from fraiseql.schema.computed import held_fields
from fraiseql.schema.model import AbstractType, Field, ObjectType, QueryField, SchemaModel, Shape, TypeReference
from fraiseql.schema.names import camel_case
from fraiseql.schema.numbers import marked

__all__ = ["Finder", "Search"]

_MAX_SQL_BYTES: Final = 1_048_576  # of all statements kept


@dataclass(frozen=True, slots=True)
class Search:
    """One selection, ready to be sent.

    Attributes:
        load: makes the instances of the statement's row.
    """

    statement: Statement
    parameters: tuple[bytes | None, ...]
    load: Callable[[Row], list[Any]]


class Finder:
    """Makes searches for the classes of one schema.

    Args:
        limits: of pages and costs, as for a request.
    """

    def __init__(self, model: SchemaModel, limits: QueryLimits) -> None:
        self._given = model
        self._limits = limits
        self._statements: Cache[Hashable, BoundStatement] = Cache(limits.max_cached_statements, _MAX_SQL_BYTES)

    def search(
        self,
        declared: type,
        where: Mapping[str, Any] | None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None,
        limit: int | None,
        offset: int | None,
        fields: Sequence[str] | None,
    ) -> Search:
        """Make a search for rows of a class; see `find` of fraiseql.Database.

        Raises:
            ValueError: the class has no source, or an argument does not fit; it names which.
        """
        target = self._target(declared)
        place = f"find({target.name})"
        given = {"where": where, "orderBy": order_by, "limit": limit, "offset": offset}
        variables = self._variables(target, {name: value for name, value in given.items() if value is not None}, place)
        wanted = self._fields(target, fields, place)
        try:
            bound = self._statement(target, wanted, variables)
            values = [binding.get(variables) for binding in bound.bindings]
            if bound.cost is not None:
                bound.cost.check(values, self._limits)
        except (RequestError, Refusal) as error:  # a mistake of the caller's here, not of the client
            raise ValueError(f"{place}: {error}") from None
        load = _Loader(self._model, target, wanted)
        return Search(bound.statement, tuple(map(encode, values)), load)

    @cached_property
    def _model(self) -> SchemaModel:
        """The same types, with a list of each that has a source."""
        sources = [each for each in self._given.types.values() if isinstance(each, ObjectType) and each.source]
        lists = {each.name: _list_of(each) for each in sources if each.derived_from is None}
        nothing: Mapping[str, Any] = MappingProxyType({})
        return replace(self._given, queries=lists, subscriptions=nothing, mutations=nothing)

    @cached_property
    def _schema(self) -> Any:
        return build_graphql_schema(self._model)

    @cached_property
    def _targets(self) -> Mapping[Any, ObjectType]:
        return {self._model.object_type(name).declared: self._model.object_type(name) for name in self._model.queries}

    def _target(self, declared: Any) -> ObjectType:
        found = self._targets.get(declared) if isinstance(declared, type) else None
        if found is None:
            name = getattr(declared, "__qualname__", repr(declared))
            raise ValueError(f"find({name}): expected a class of the schema with sql_source")
        return found

    def _arguments(self, target: ObjectType) -> Mapping[str, GraphQLArgument]:
        query = self._schema.type_map["Query"]
        assert isinstance(query, GraphQLObjectType)
        arguments: Mapping[str, GraphQLArgument] = query.fields[target.name].args
        return arguments

    def _variables(self, target: ObjectType, given: Mapping[str, Any], place: str) -> dict[str, Any]:
        declared, coerced = self._arguments(target), dict[str, Any]()
        for name, value in given.items():
            shown = "order_by" if name == "orderBy" else name
            if name not in declared:
                raise ValueError(f"{place}: {target.name} has nothing for {shown}")
            kind = declared[name].type
            try:
                coerced[name] = coerced_value(kind, marked(self._as_json(kind, value)))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{place}: {shown}: {error}") from None
        return coerced

    def _as_json(self, declared: GraphQLInputType, value: Any) -> Any:
        """A value of an argument as a request would hold it: attributes by their GraphQL names, no Python objects."""
        if isinstance(declared, GraphQLNonNull):
            return self._as_json(declared.of_type, value)
        if isinstance(declared, GraphQLList):
            many = value if isinstance(value, (list, tuple)) else [value]
            return None if value is None else [self._as_json(declared.of_type, each) for each in many]
        if isinstance(declared, GraphQLInputObjectType) and isinstance(value, Mapping):
            return self._object(declared, value)
        if isinstance(declared, GraphQLEnumType):
            text = getattr(value, "value", value)
            names = [name for name, each in declared.values.items() if each.value == text]
            return names[0] if names else text.upper() if isinstance(text, str) else text
        if isinstance(declared, GraphQLScalarType) and not isinstance(value, (bool, int, float, str, dict, list)):
            return None if value is None else scalar_of(declared).serialize(value)
        return value

    def _object(self, declared: GraphQLInputObjectType, value: Mapping[str, Any]) -> dict[str, Any]:
        names, fields = self._names(declared), declared.fields
        found: dict[str, Any] = {}
        for key, below in value.items():
            name = names.get(key, key if key in fields else camel_case(key))
            if name not in fields:
                raise ValueError(f"{declared.name} has no {key!r}")
            found[name] = self._as_json(fields[name].type, below)
        return found

    def _names(self, declared: GraphQLInputObjectType) -> Mapping[str, str]:
        """Attributes and their names in GraphQL, where these are the conditions or orders of a type."""
        owner = self._model.types.get(declared.name.removesuffix("WhereInput").removesuffix("OrderByInput"))
        fields = owner.row_fields.values() if isinstance(owner, ObjectType) else ()
        return {each.attribute: each.name for each in fields if each.name in declared.fields}

    def _fields(self, target: ObjectType, names: Sequence[str] | None, place: str) -> tuple[Field, ...] | None:
        """The fields that are asked for; None for all that an object holds."""
        if names is None:
            return None
        if isinstance(target, AbstractType):
            raise ValueError(f"{place}: fields=... of an abstract type; expected none: all are given")
        by_attribute = {field.attribute: field for field in target.fields.values()}
        for name in names:
            field = by_attribute.get(name)
            if field is None:
                raise ValueError(f"{place}: {target.name} has no attribute {name!r}")
            if field.resolver is not None:
                raise ValueError(f"{place}: {name!r} is a method; expected attributes: call it on the instance")
            if field.relation is not None and field.relation.shape not in (Shape.ROW, Shape.LIST):
                raise ValueError(f"{place}: {name!r} is no list of rows; expected SQL of your own for it")
        return tuple(by_attribute[name] for name in dict.fromkeys(names))

    def _statement(
        self, target: ObjectType, fields: tuple[Field, ...] | None, variables: Mapping[str, Any]
    ) -> BoundStatement:
        declared = self._arguments(target)
        shapes = [(name, shape_of(declared[name].type)) for name in variables]
        shaped = [(name, None if shape is None else shape(variables[name])) for name, shape in shapes]
        names = None if fields is None else tuple(field.name for field in fields)
        key = (target.name, names, *shaped)
        bound = self._statements.get(key)
        if bound is None:
            written = {name: VariableNode(name=NameNode(value=name)) for name in variables}
            selection = held_selection(self._model, target, fields)
            query = self._model.queries[target.name]
            root = RootField("found", "Query", target.name, query, written, selection, ())
            bound = render(self._model, self._schema, (root,), variables, self._limits)
            self._statements.put(key, bound, len(bound.statement.sql))
        return bound


class _Loader:
    """Makes the instances of a row."""

    __slots__ = ("_fields", "_model", "_target")

    def __init__(self, model: SchemaModel, target: ObjectType, fields: tuple[Field, ...] | None) -> None:
        self._model = model
        self._target = target
        self._fields = fields

    def __call__(self, row: Row) -> list[Any]:
        rows, is_cut = read_row(row[0] or b"[]")
        loading = Loading(self._model, (), None, is_cut=is_cut)
        return [self._instance(loading, each) for each in rows]

    def _instance(self, loading: Loading, row: Mapping[str, Any]) -> Any:
        target = self._target
        if isinstance(target, AbstractType):
            return loading.member(target, row)
        fields = held_fields(self._model, target, (target.name,)) if self._fields is None else self._fields
        return loading.instance(target, fields, row)


def _list_of(target: ObjectType) -> QueryField:
    rows = TypeReference(nullable=False, item=TypeReference(nullable=False, name=target.name))
    return QueryField(target.name, rows, None, MappingProxyType({}), target.name, Shape.LIST)
