"""From a plan to one SELECT, whose row has one JSON text for each root field.

For rows that come from elsewhere, as JSON in the last parameter, it is one column: a JSON array with the text of each.

Lists are `array(select r from (select ...) r)`: arrays of rows, which PostgreSQL turns into JSON once, at the root.
Names in the text come from the schema, or are response keys, which hold letters, digits and `_` only; whatever else a
request holds is a parameter. Our aliases hold a `$`, as no response key can: `select x from (...) x` gives the column
named x where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final, NamedTuple

from graphql import GraphQLArgument, GraphQLObjectType, GraphQLSchema, ValueNode

from fraiseql.effects import Statement
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.arguments import Leaf, Tree, given_arguments
from fraiseql.pipeline.bind import Binding, Bindings
from fraiseql.pipeline.cost import Cost
from fraiseql.pipeline.filters import Filters
from fraiseql.pipeline.orders import Orders
from fraiseql.pipeline.plan import RootField, SelectedField, Selection
from fraiseql.pipeline.values import Base, Values, identifier, literal, related, source_name
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.model import (
    ObjectType,
    PageSizes,
    Relation,
    SchemaModel,
    Source,
    SubscriptionField,
    SubscriptionKind,
    TypeReference,
)

__all__ = ["BoundStatement", "render", "render_given"]

_MAX_KEY: Final = 63  # PostgreSQL cuts longer identifiers
_GIVEN: Final = "given$"
_MAX_COLUMNS: Final = 1_600  # PostgreSQL's target lists hold 1,664


@dataclass(frozen=True, slots=True)
class BoundStatement:
    """A statement with what its requests need.

    Attributes:
        bindings: where each of its parameters comes from.
        argument_sources: the sources that filters and orders lead to.
        cost: None where no request can cost too much.
    """

    statement: Statement
    bindings: tuple[Binding, ...]
    argument_sources: frozenset[str] = frozenset()
    cost: Cost | None = None


class _Rows(NamedTuple):
    """A SELECT of rows, and the expression that stands for each of them outside it, under `alias`."""

    select: str
    alias: str
    element: str

    @property
    def array(self) -> str:
        return f"array(select {self.element} from ({self.select}) {self.alias})"

    @property
    def single(self) -> str:
        return f"(select {self.element} from ({self.select}) {self.alias})"


def page_bounds(limits: QueryLimits, *declared: PageSizes) -> tuple[int, int]:
    """The default and the largest size of a list's pages: the nearest declaration of each, within the limits."""
    largest = next((each.largest for each in declared if each.largest is not None), limits.max_page_size)
    default = next((each.default for each in declared if each.default is not None), limits.default_page_size)
    largest = min(largest, limits.max_page_size)
    return min(default, largest), largest


def render(
    model: SchemaModel,
    graphql_schema: GraphQLSchema,
    roots: tuple[RootField, ...],
    variables: Variables,
    limits: QueryLimits,
) -> BoundStatement:
    """Render the statement of an operation, some of whose root fields are served by SQL.

    Args:
        variables: coerced; their shape decides the text, their values are left to the bindings.

    Raises:
        RequestError: an argument's value cannot be a filter.
        Refusal: QUERY_TOO_COMPLEX.
    """
    renderer = _Renderer(model, graphql_schema, variables, limits)
    columns = [renderer.root(root) for root in roots if root.field is not None]
    sql = "select " + ", ".join(columns)
    statement = Statement(sql.encode(), len(columns))
    return BoundStatement(statement, renderer.bindings.taken(), renderer.argument_sources, renderer.limited_cost)


def render_given(
    model: SchemaModel, graphql_schema: GraphQLSchema, root: RootField, variables: Variables, limits: QueryLimits
) -> BoundStatement:
    """Render the statement that shows given rows: one parameter more than bindings holds a JSON array of them.

    Each of its elements is an object of columns and values. The statement's only column is a JSON array with a string
    for each element, the JSON text of the selection, or null where the field's conditions leave the element out.

    Args:
        root: a subscription's field; the conditions are those of its arguments, but for a resolver, which has none.

    Raises:
        RequestError: an argument's value cannot be a filter.
        Refusal: QUERY_TOO_COMPLEX.
    """
    renderer = _Renderer(model, graphql_schema, variables, limits)
    text, lateral = renderer.given(root)
    bindings = renderer.bindings.taken()
    rows = f"jsonb_array_elements(${len(bindings) + 1}::jsonb) with ordinality {_GIVEN}(value, place){lateral}"
    sql = f"select array_to_json(array(select {text} from {rows} order by {_GIVEN}.place))::text"
    return BoundStatement(Statement(sql.encode(), 1), bindings, cost=renderer.limited_cost)


class _Renderer:
    def __init__(
        self, model: SchemaModel, graphql_schema: GraphQLSchema, variables: Variables, limits: QueryLimits
    ) -> None:
        self._model = model
        self._graphql_schema = graphql_schema
        self._variables = variables
        self._limits = limits
        self._values = Values(model)
        self.bindings = Bindings(limits)
        self._numbers: Iterator[int] = count()
        self._filters = Filters(model, self._values, self.bindings, self._numbers)
        self._orders = Orders(model, self._values, self.bindings, self._numbers)
        self._cost = Cost()  # of the list under way, or of the operation

    @property
    def argument_sources(self) -> frozenset[str]:
        return frozenset(self._filters.sources | self._orders.sources)

    @property
    def limited_cost(self) -> Cost | None:
        """The cost of the operation, unless every request can afford it."""
        if self._cost.at_most() <= self._limits.max_cost:
            return None
        self._cost.settle()
        return self._cost

    def root(self, root: RootField) -> str:
        """One column: the JSON text of one root field."""
        self._cost.fields += 1
        assert root.field is not None
        assert root.selection is not None
        path = (root.key,)
        given = self._arguments(root.owner, root.name, root.arguments, path)
        source = root.selection.type.source
        assert source is not None
        base = self._base(source)
        conditions = self._filters.equal(root.selection.type, base, root.field.arguments, given, path)
        many = root.field.type.item is not None
        sizes = (root.field.page_sizes, self._model.page_sizes) if many else None
        rows = self._rows(root.selection, base, conditions, given, path, sizes)
        if many:
            return f"array_to_json({rows.array})::text"
        return f"to_json({rows.single})::text"

    def given(self, root: RootField) -> tuple[str, str]:
        """The JSON text of one given row, NULL where the conditions leave it out, and what FROM needs for it."""
        assert isinstance(root.field, SubscriptionField)
        assert root.selection is not None
        target, field, path = root.selection.type, root.field, (root.key,)
        arguments = self._arguments(root.owner, root.name, root.arguments, path)
        declared = {} if field.kind is SubscriptionKind.RESOLVER else field.arguments
        assert target.source is not None
        base, named = self._base(target.source), source_name(target.source)
        record = f"jsonb_populate_record(null::{named}, {_GIVEN}.value)"
        conditions = self._filters.equal(target, base, declared, arguments, path)
        if field.by is None:
            rows = self._rows(root.selection, base, conditions, {}, path, origin=record)
            return f"to_json({rows.single})::text", ""
        key, column = self._base(target.source), identifier(field.by)
        # Both sides are of the column's type, so that its index serves.
        is_row = f"{base.alias}.{column} = {key.alias}.{column}"
        rows = self._rows(root.selection, base, [is_row, *conditions], {}, path)
        text = f"to_json({rows.single})::text"
        if field.type.nullable:
            # A row that is gone is null for those whose conditions hold for what the event says of it.
            held = " and ".join(self._filters.equal(target, key, declared, arguments, path)) or "true"
            exists = f"exists (select from {named} {base.alias} where {is_row})"
            text = f"case when {exists} then {text} when {held} then 'null' end"
        return text, f", lateral {record} {key.alias}"

    def _base(self, source: Source) -> Base:
        return Base.of_source(f"t${next(self._numbers)}", source)

    def _arguments(
        self, owner: str, field: str, written: Mapping[str, ValueNode], path: tuple[str, ...]
    ) -> dict[str, Tree]:
        declared_type = self._graphql_schema.type_map[owner]
        assert isinstance(declared_type, GraphQLObjectType)
        declared: Mapping[str, GraphQLArgument] = declared_type.fields[field].args
        return given_arguments(declared, written, self._variables, path)

    def _rows(
        self,
        selection: Selection,
        base: Base,
        conditions: list[str],
        given: Mapping[str, Tree],
        path: tuple[str, ...],
        sizes: tuple[PageSizes, ...] | None = None,
        *,
        origin: str | None = None,
    ) -> _Rows:
        """The rows of a selection's source, or of `origin`, a set of rows of that source's type.

        Args:
            sizes: what is declared of the list's pages, the nearest first; None for one row.
        """
        target = selection.type
        assert target.source is not None
        where = given.get("where")
        if where is not None and where.value is not None:
            conditions = [*conditions, *self._filters.where(target, base, where, path)]
        outer, self._cost = self._cost, Cost()
        columns, alias, element = self._columns(selection, base)
        cost, self._cost = self._cost, outer
        outer.lists.append(cost)
        text = f"select {columns} from {origin or source_name(target.source)} {base.alias}"
        if conditions:
            text += f" where {' and '.join(conditions)}"
        order = self._orders.order_by(target, base, given.get("orderBy"), path)
        if order:
            text += f" order by {order}"
        page = " limit 1" if sizes is None else self._page(given, path, sizes, cost)
        return _Rows(text + page, alias, element)

    def _page(self, given: Mapping[str, Tree], path: tuple[str, ...], sizes: tuple[PageSizes, ...], cost: Cost) -> str:
        """The end of a list's SELECT; the cost is told how many rows that are."""
        limit, offset = given.get("limit"), given.get("offset")
        default, largest = page_bounds(self._limits, *sizes)
        cost.rows, size = default, str(default)
        if limit is not None:
            assert isinstance(limit, Leaf)
            size = self.bindings.limit(limit, path, default, largest)
            if limit.is_literal:
                cost.rows = limit.value
            else:
                cost.rows, cost.place = max(default, largest), len(self.bindings) - 1
        start = "" if offset is None else f" offset {self.bindings.offset(offset, path)}"
        return f" limit {size}{start}"

    def _columns(self, selection: Selection, base: Base) -> tuple[str, str, str]:
        """The target list for an object, an alias for its rows, and the expression for one of them.

        One column for each response key; where columns cannot hold the keys, one JSON object.
        """
        self._cost.fields += len(selection.fields)
        pairs = [(field.key, self._field(field, base, selection.type)) for field in selection.fields]
        alias = f"r${next(self._numbers)}"
        if len(pairs) <= _MAX_COLUMNS and all(len(key) <= _MAX_KEY for key, _ in pairs):
            return ", ".join(f"{value} as {identifier(key)}" for key, value in pairs), alias, alias
        values = ", ".join(f"({literal(key)}, to_json({value}))" for key, value in pairs)
        made = f"(select json_object_agg({alias}.key, {alias}.value) from (values {values}) {alias}(key, value))"
        return f"{made} as object", alias, f"{alias}.object"

    def _field(self, selected: SelectedField, base: Base, owner: ObjectType) -> str:
        field = selected.field
        if field is None:
            return f"{literal(owner.name)}::text"
        if field.relation is not None:
            assert selected.selection is not None
            return self._related(selected, field.relation, base, owner)
        if selected.selection is not None:
            return self._embedded(base.element(field), field.type, selected.selection)
        return self._values.shown(field, base)

    def _related(self, selected: SelectedField, relation: Relation, ours: Base, owner: ObjectType) -> str:
        assert selected.field is not None
        assert selected.selection is not None
        source = selected.selection.type.source
        assert source is not None
        base = self._base(source)
        conditions = related(relation, base.alias, ours.alias, self._numbers)
        given = self._arguments(owner.name, selected.field.name, selected.arguments, selected.path)
        many = selected.field.type.item is not None
        sizes = (relation.page_sizes, self._model.page_sizes) if many else None
        rows = self._rows(selected.selection, base, conditions, given, selected.path, sizes)
        return rows.array if many else rows.single

    def _embedded(self, jsonb: str, reference: TypeReference, selection: Selection) -> str:
        """An object, or a list of objects, inside jsonb."""
        if reference.item is not None:
            return self._values.each(
                jsonb, lambda element, item: self._embedded(element, item, selection), reference.item
            )
        columns, alias, element = self._columns(selection, Base("", jsonb))
        made = _Rows(f"select {columns}", alias, element).single
        return f"case when jsonb_typeof({jsonb}) = 'object' then {made} end"
