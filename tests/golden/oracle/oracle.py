"""The schema of graphql-core with a resolver for each field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, GraphQLResolveInfo, GraphQLScalarType, execute_sync, parse
from graphql.type import is_specified_scalar_type

from fraiseql.pipeline.graphql_schema import build_graphql_schema
from fraiseql.schema import Schema
from fraiseql.schema.model import (
    Argument,
    Field,
    InputType,
    ObjectType,
    PageSizes,
    QueryField,
    Relation,
    SchemaModel,
    Shape,
    Source,
    Through,
)
from golden.oracle.aggregates import Aggregates, Key, selected_keys
from golden.oracle.conditions import Conditions
from golden.oracle.connections import CURSOR, connection, is_cursor
from golden.oracle.embedded import embedded_page
from golden.oracle.orders import Orders, order_names, page_bounds
from golden.oracle.rows import Rows
from golden.oracle.values import Kind, Record, Values

__all__ = ["Oracle", "Related", "normalised"]

Resolver = Callable[..., Any]


class Related:
    """The records that relations lead to, in the order of their `id`, found by what they must be equal in."""

    def __init__(self, model: SchemaModel, rows: Rows) -> None:
        self._model = model
        self._rows = rows
        self._records: dict[tuple[str, str | None], list[Record]] = {}
        self._indexes: dict[tuple[str, str], dict[Any, list[Record]]] = {}
        self.sort: Callable[[ObjectType, Iterable[Record]], list[Record]] = lambda _, records: list(records)

    def of_source(self, source: Source) -> list[Record]:
        """All rows of a table or view."""
        key = (str(source), source.jsonb_column)
        if key not in self._records:
            column = source.jsonb_column
            rows = self._rows[str(source)]
            self._records[key] = [Record(row, None if column is None else row[column]) for row in rows]
        return self._records[key]

    def __call__(self, owner: ObjectType, field: Field, record: Record) -> list[Record]:
        relation = field.relation
        assert relation is not None
        if (owner.name, field.name) not in self._indexes:
            self._indexes[owner.name, field.name] = self._index(self._model.object_type(relation.target), relation)
        ours = tuple(record[column] for column in relation.begins_at)
        return [] if None in ours else self._indexes[owner.name, field.name].get(ours, [])

    def _index(self, target: ObjectType, relation: Relation) -> dict[Any, list[Record]]:
        """By the values of our columns; through a table, each record once."""
        assert target.source is not None
        theirs = self._grouped(self.of_source(target.source), relation.on)
        if relation.through is None:
            found = theirs
        else:
            found = self._through(relation.through, relation.on, theirs)
        return {key: self.sort(target, records) for key, records in found.items()}

    def _through(
        self, through: Through, on: tuple[tuple[str, str], ...], theirs: Mapping[Any, list[Record]]
    ) -> dict[Any, list[Record]]:
        found: dict[Any, dict[int, Record]] = {}
        for between in self.of_source(through.source):
            key = tuple(between[column] for _, column in on)
            known = found.setdefault(tuple(between[column] for column, _ in through.own), {})
            known.update((id(each), each) for each in ([] if None in key else theirs.get(key, [])))
        return {key: list(known.values()) for key, known in found.items()}

    @staticmethod
    def _grouped(records: Iterable[Record], on: tuple[tuple[str, str], ...]) -> dict[Any, list[Record]]:
        grouped: dict[Any, list[Record]] = {}
        for record in records:
            grouped.setdefault(tuple(record[column] for column, _ in on), []).append(record)
        return grouped


class Oracle:
    """Answers queries over rows.

    Args:
        rows: of each source that the schema names.
        kinds: of the scalars that `fraiseql.scalar` defined.
    """

    def __init__(self, schema: Schema, rows: Rows, kinds: Mapping[str, Kind] | None = None) -> None:
        self.model = schema.model
        self.schema = build_graphql_schema(schema.model)
        self.values = Values(self.model, kinds)
        self.related = Related(self.model, rows)
        self._conditions = Conditions(self.model, self.values, self.related)
        self._orders = Orders(self.model, self.values, self.related, self._conditions.figure_key)
        self.related.sort = self._orders.sorted
        self._aggregates = Aggregates(self.model, self.values, self._conditions)
        self._set_resolvers()

    def execute(self, query: str, variables: Mapping[str, Any] | None = None, operation: str | None = None) -> Any:
        """The `data` of the answer; the query must be valid, and one without errors."""
        result = execute_sync(
            self.schema, parse(query), variable_values=dict(variables or {}), operation_name=operation or None
        )
        assert not result.errors, result.errors
        return result.data

    def _set_resolvers(self) -> None:
        for declared in self.schema.type_map.values():
            if isinstance(declared, GraphQLScalarType) and not is_specified_scalar_type(declared):
                declared.coerce_output_value = lambda shown: shown  # the values are shown by ours
        for owner in self.model.types.values():
            if isinstance(owner, ObjectType):
                for field in owner.fields.values():
                    self._field(owner.name, field.name).resolve = self._resolver(owner, field)
        for query in self.model.queries.values():
            self._field("Query", query.name).resolve = self._root(query)

    def _field(self, owner: str, name: str) -> GraphQLField:
        found = self.schema.type_map[owner]
        assert isinstance(found, GraphQLObjectType)
        field: GraphQLField = found.fields[name]
        return field

    def _resolver(self, owner: ObjectType, field: Field) -> Resolver:
        if owner.derived_from is not None:
            return _made(field)
        named = self.model.types[field.type.named]
        if field.relation is not None:
            return self._relation(owner, field, field.relation)
        if isinstance(named, ObjectType):
            return self._embedded(named, field)
        return lambda record, _info: self.values.shown(field.type, self.values.native(field, record))

    def _embedded(self, target: ObjectType, field: Field) -> Resolver:
        hold, ordered = partial(self._conditions.hold, target), partial(self._orders.asked, target)

        def resolve(record: Record, _info: GraphQLResolveInfo, **arguments: Any) -> Any:
            held = self.values.embedded(field, record)
            return embedded_page(held, hold, ordered, **arguments) if arguments else held

        return resolve

    def _relation(self, owner: ObjectType, field: Field, relation: Relation) -> Resolver:
        target = self.model.object_type(relation.target)
        sizes = (relation.page_sizes, self.model.page_sizes)

        def resolve(record: Record, info: GraphQLResolveInfo, **arguments: Any) -> Any:
            return self._shaped(relation.shape, target, self.related(owner, field, record), sizes, arguments, info)

        return resolve

    def _root(self, query: QueryField) -> Resolver:
        target = self.model.object_type(query.target)
        assert target.source is not None
        records = self.related.of_source(target.source)
        sizes = (query.page_sizes, self.model.page_sizes)

        def resolve(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
            given = {name: arguments.pop(name) for name in query.arguments if name in arguments}
            found = [record for record in records if self._equal(target, query.arguments, given, record)]
            return self._shaped(query.shape, target, found, sizes, arguments, info)

        return resolve

    def _shaped(
        self,
        shape: Shape,
        target: ObjectType,
        records: Iterable[Record],
        sizes: tuple[PageSizes, ...],
        arguments: Mapping[str, Any],
        info: GraphQLResolveInfo,
    ) -> Any:
        """What the records are in a shape."""
        if shape is Shape.ROW:
            return next(iter(self._orders.sorted(target, records)), None)
        if shape is Shape.LIST:
            return self.page(target, records, sizes, **arguments)
        if shape is Shape.AGGREGATE:
            return self._aggregates.aggregate(target, self._holding(target, records, arguments.get("where")))
        if shape is Shape.GROUPS:
            return self._groups(target, records, sizes, selected_keys(info), **arguments)
        assert target.source is not None
        order_by = arguments.get("orderBy")
        names = [*map(order_names, order_by or ()), ["id"]]
        distinct = [each for place, each in enumerate(names) if each not in names[:place]]
        page = self._orders.sorted(target, self._holding(target, records, arguments.get("where")), order_by)
        whole = self._orders.sorted(target, self.related.of_source(target.source), order_by)
        return connection(page, whole, page_bounds(*sizes)[0], distinct.index(["id"]), **arguments)

    def _groups(
        self,
        target: ObjectType,
        records: Iterable[Record],
        sizes: tuple[PageSizes, ...],
        keys: Sequence[Key],
        where: Mapping[str, Any] | None = None,
        having: Mapping[str, Any] | None = None,
        orderBy: Any = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[Any]:
        found = self._aggregates.groups(target, self._holding(target, records, where), keys, having, orderBy)
        start, size = offset or 0, page_bounds(*sizes)[0] if limit is None else limit
        return found[start : start + size]

    def _holding(self, target: ObjectType, records: Iterable[Record], where: Mapping[str, Any] | None) -> list[Record]:
        return [record for record in records if where is None or self._conditions.hold(target, where, record) is True]

    def _equal(
        self, target: ObjectType, declared: Mapping[str, Argument], given: Mapping[str, Any], record: Record
    ) -> bool:
        """Whether a record is equal in all arguments of a query's own."""
        for name, value in given.items():
            named = self.model.types[declared[name].type.named]
            if isinstance(named, InputType):
                if value is not None and not self._equal(target, named.fields, value, record):
                    return False
                continue
            field = self.argument_field(target, declared[name])
            if self._conditions.equal(field, record, value) is not True:
                return False
        return True

    @staticmethod
    def argument_field(target: ObjectType, argument: Argument) -> Field:
        """The field that a query's own argument must be equal to: the attribute of its name before all others."""
        wanted, fields = argument.target, [field for field in target.fields.values() if field.relation is None]
        by_attribute = [field for field in fields if field.attribute == wanted]
        return next(iter(by_attribute), None) or next(
            field for field in fields if wanted in (field.key, field.column, field.name)
        )

    def sample(self, target: ObjectType, field: Field) -> Record:
        """A record of a type with a value of a field, if there is one."""
        if target.source is None:
            return Record(None, {})
        records = self.related.of_source(target.source)
        return next((each for each in records if self.values.native(field, each) is not None), records[0])

    def page(
        self,
        target: ObjectType,
        records: Iterable[Record],
        sizes: tuple[PageSizes, ...],
        where: Mapping[str, Any] | None = None,
        orderBy: Any = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[Record]:
        """One page of a list."""
        found = self._holding(target, records, where)
        start, size = offset or 0, page_bounds(*sizes)[0] if limit is None else limit
        return self._orders.sorted(target, found, orderBy)[start : start + size]


def _made(field: Field) -> Resolver:
    """Of what was made for a shape: a value, or a function of the arguments."""

    def resolve(made: Mapping[str, Any], _info: GraphQLResolveInfo, **arguments: Any) -> Any:
        found = made[field.name]
        return found(**arguments) if callable(found) else found

    return resolve


def normalised(value: Any) -> Any:
    """JSON to compare: objects as lists of pairs, since GraphQL orders keys, and 5.0 as 5, which JSON does not tell."""
    if isinstance(value, Mapping):
        return [("key", key, normalised(below)) for key, below in value.items()]
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if isinstance(value, str) and is_cursor(value):
        return CURSOR
    return int(value) if isinstance(value, float) and value.is_integer() else value
