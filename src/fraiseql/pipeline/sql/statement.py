"""From a plan to one SELECT, whose row has one JSON text for each root field.

For rows that come from elsewhere, as JSON in the last parameter, or that keys there name, it is one column: a JSON
array with the text of each.

Names in the text come from the schema, or are response keys, which hold letters, digits and `_` only; whatever else a
request holds is a parameter. Our aliases hold a `$`, as no response key can: `select x from (...) x` gives the column
named x where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from graphql import GraphQLSchema

from fraiseql.effects import Statement
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.plan import RootField, Selection
from fraiseql.pipeline.records import COMPUTED
from fraiseql.pipeline.sql.aggregates import aggregate_of_rows, page_of_groups
from fraiseql.pipeline.sql.bind import Binding
from fraiseql.pipeline.sql.connections import connection
from fraiseql.pipeline.sql.cost import Cost
from fraiseql.pipeline.sql.rendering import Rendering, ShapeRenderer, Site
from fraiseql.pipeline.sql.rows import list_of_rows, one_row
from fraiseql.pipeline.sql.values import empty_row, identifier, literal, source_name
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.model import Field, SchemaModel, Shape, SubscriptionField, SubscriptionKind

__all__ = ["BoundStatement", "render", "render_given", "render_keyed", "render_shown"]

_GIVEN: Final = "given$"
_SHAPES: Final[Mapping[Shape, ShapeRenderer]] = MappingProxyType(
    {
        Shape.ROW: one_row,
        Shape.LIST: list_of_rows,
        Shape.CONNECTION: connection,
        Shape.AGGREGATE: aggregate_of_rows,
        Shape.GROUPS: page_of_groups,
    }
)


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


def render(
    model: SchemaModel,
    graphql_schema: GraphQLSchema,
    roots: tuple[RootField, ...],
    variables: Variables,
    limits: QueryLimits,
    *,
    checking: bool = False,
) -> BoundStatement:
    """Render the statement of an operation.

    Args:
        roots: those that SQL serves.
        variables: coerced; their shape decides the text, their values are left to the bindings.
        checking: whether values that do not fit their types are shown as such, and are no error; all else is the same.

    Raises:
        RequestError: an argument's value cannot be a filter.
        Refusal: QUERY_TOO_COMPLEX.
    """
    rendering = Rendering(model, graphql_schema, variables, limits, _SHAPES, checking=checking)
    columns = [_root(rendering, root) for root in roots]
    sql = "select " + ", ".join(columns)
    statement = Statement(sql.encode(), len(columns))
    return BoundStatement(statement, rendering.bindings.taken(), rendering.argument_sources, rendering.limited_cost)


def render_given(
    model: SchemaModel,
    graphql_schema: GraphQLSchema,
    root: RootField,
    variables: Variables,
    limits: QueryLimits,
    *,
    checking: bool = False,
) -> BoundStatement:
    """Render the statement that shows given rows: one parameter more than bindings holds a JSON array of them.

    Each of its elements is an object of columns and values. The statement's only column is a JSON array with a string
    for each element, the JSON text of the selection, or null where the field's conditions leave the element out.

    Args:
        root: the conditions are those of its arguments, for a subscription's; one that Python serves has none.
        checking: as for `render`.

    Raises:
        RequestError: an argument's value cannot be a filter.
        Refusal: QUERY_TOO_COMPLEX.
    """
    rendering = Rendering(model, graphql_schema, variables, limits, _SHAPES, checking=checking)
    text, lateral = _given(rendering, root)
    bindings = rendering.bindings.taken()
    rows = f"jsonb_array_elements(${len(bindings) + 1}::jsonb) with ordinality {_GIVEN}(value, place){lateral}"
    sql = f"select array_to_json(array(select {text} from {rows} order by {_GIVEN}.place))"
    return BoundStatement(Statement(sql.encode(), 1), bindings, cost=rendering.limited_cost)


def render_keyed(
    model: SchemaModel,
    graphql_schema: GraphQLSchema,
    selection: Selection,
    key: Field,
    variables: Variables,
    limits: QueryLimits,
    *,
    checking: bool = False,
) -> BoundStatement:
    """Render the statement that shows the rows of some keys: one parameter more than bindings is a JSON array of texts.

    The statement's only column is a JSON array with a string for each key, in their order: the JSON text of the
    selection, or null where there is no such row. Its cost takes the number of keys for that parameter's value.

    Args:
        selection: of a type with a source.
        key: a scalar field of the type, which tells its rows apart.
        checking: as for `render`.

    Raises:
        RequestError: an argument's value cannot be a filter.
        Refusal: QUERY_TOO_COMPLEX.
    """
    rendering = Rendering(model, graphql_schema, variables, limits, _SHAPES, checking=checking)
    target = selection.type
    assert target.source is not None
    base = rendering.base(target.source)
    conditions = [rendering.values.is_row(key, base, target.source, f"{_GIVEN}.value")]
    with rendering.inside() as cost:
        row = one_row(rendering, Site(target, base, conditions, {}, (), selection, is_single=True))
    bindings = rendering.bindings.taken()
    cost.rows, cost.place = limits.max_page_size, len(bindings)
    keys = f"jsonb_array_elements_text(${len(bindings) + 1}::jsonb) with ordinality {_GIVEN}(value, place)"
    sql = f"select array_to_json(array(select to_json({row})::text from {keys} order by {_GIVEN}.place))"
    return BoundStatement(Statement(sql.encode(), 1), bindings, cost=rendering.limited_cost)


def render_shown(
    model: SchemaModel,
    graphql_schema: GraphQLSchema,
    selection: Selection,
    variables: Variables,
    limits: QueryLimits,
) -> BoundStatement:
    """Render the statement that shows given rows: one parameter more than bindings is a JSON array of them.

    Each is an object of columns and values; they need not be in the source, and what they lead to is selected like for
    any other. The statement's only column, and its cost, are as for `render_keyed`.

    Args:
        selection: of a type with a source.

    Raises:
        RequestError: an argument's value cannot be a filter.
        Refusal: QUERY_TOO_COMPLEX.
    """
    rendering = Rendering(model, graphql_schema, variables, limits, _SHAPES)
    target = selection.type
    assert target.source is not None
    base = rendering.base(target.source)
    record = f"jsonb_populate_record({empty_row(target.source)}, {_GIVEN}.value)"
    with rendering.inside() as cost:
        row = one_row(rendering, Site(target, base, [], {}, (), selection, origin=record, is_single=True))
    bindings = rendering.bindings.taken()
    cost.rows, cost.place = limits.max_page_size, len(bindings)
    rows = f"jsonb_array_elements(${len(bindings) + 1}::jsonb) with ordinality {_GIVEN}(value, place)"
    sql = f"select array_to_json(array(select to_json({row})::text from {rows} order by {_GIVEN}.place))"
    return BoundStatement(Statement(sql.encode(), 1), bindings, cost=rendering.limited_cost)


def _root(rendering: Rendering, root: RootField) -> str:
    """One column: the JSON text of one root field."""
    rendering.cost.fields += 1
    field, path = root.field, (root.key,)
    assert field is not None
    assert root.selection is not None
    given = rendering.arguments(root.owner, root.name, root.arguments, path)
    target = rendering.model.object_type(field.target)
    assert target.source is not None
    base = rendering.base(target.source)
    conditions = rendering.filters.equal(target, base, field.arguments, given, path)
    sizes = (field.page_sizes, rendering.model.page_sizes)
    is_single = target.has_one_of(rendering.filters.equal_columns(target, field.arguments, given))
    site = Site(target, base, conditions, given, path, root.selection, sizes, is_single=is_single)
    rows = rendering.shaped(field.shape, site)
    # No cast to text: a json is sent as it is, and the cast would copy it twice.
    return f"{'array_to_json' if field.shape.is_list else 'to_json'}({rows})"


def _given(rendering: Rendering, root: RootField) -> tuple[str, str]:
    """The JSON text of one given row, NULL where the conditions leave it out, and what FROM needs for it."""
    assert root.field is not None
    assert root.selection is not None
    target, field, path = root.selection.type, root.field, (root.key,)
    assert target.source is not None
    base, named = rendering.base(target.source), source_name(target.source)
    record = f"jsonb_populate_record({empty_row(target.source)}, {_GIVEN}.value)"
    if not isinstance(field, SubscriptionField) or field.kind is SubscriptionKind.RESOLVER:
        base = replace(base, computed=f"({_GIVEN}.value->{literal(COMPUTED)})")
        site = Site(target, base, [], {}, path, root.selection, origin=record)
        return f"to_json({one_row(rendering, site)})::text", ""
    arguments, declared = rendering.arguments(root.owner, root.name, root.arguments, path), field.arguments
    conditions = rendering.filters.equal(target, base, declared, arguments, path)
    site = Site(target, base, conditions, {}, path, root.selection, origin=record)
    if field.by is None:
        return f"to_json({one_row(rendering, site)})::text", ""
    key, column = rendering.base(target.source), identifier(field.by)
    # Both sides are of the column's type, so that its index serves.
    is_row = f"{base.alias}.{column} = {key.alias}.{column}"
    row = one_row(rendering, replace(site, conditions=[is_row, *conditions], origin=""))
    text = f"to_json({row})::text"
    if field.type.nullable:
        # A row that is gone is null for those whose conditions hold for what the event says of it.
        held_conditions = rendering.filters.equal(target, key, declared, arguments, path)
        # The event need not say of which type the row was, where several share the source.
        held_conditions += [f"({one}) is not false" for one in rendering.values.membership(target, key)]
        held = " and ".join(held_conditions) or "true"
        exists = f"exists (select from {named} {base.alias} where {is_row})"
        text = f"case when {exists} then {text} when {held} then 'null' end"
    return text, f", lateral {record} {key.alias}"
