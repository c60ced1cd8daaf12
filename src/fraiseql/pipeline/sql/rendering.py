"""What the parts of one statement share while it is rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

from graphql import GraphQLArgument, GraphQLObjectType, GraphQLSchema, ValueNode

from fraiseql.limits import QueryLimits
from fraiseql.pipeline.arguments import Tree, given_arguments
from fraiseql.pipeline.plan import Selection
from fraiseql.pipeline.sql.bind import Bindings
from fraiseql.pipeline.sql.checking import CheckedValues
from fraiseql.pipeline.sql.cost import Cost
from fraiseql.pipeline.sql.filters import Filters
from fraiseql.pipeline.sql.orders import Orders
from fraiseql.pipeline.sql.values import Base, Values, source_name
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.model import ObjectType, PageSizes, SchemaModel, Shape, Source

__all__ = ["Rendering", "ShapeRenderer", "Site"]


@dataclass(frozen=True, slots=True)
class Site:
    """Where rows are selected from, which of them, and what of them is asked for.

    Attributes:
        target: the type that the rows are of.
        base: of one row.
        conditions: that a row is one of those meant; `where` comes on top.
        given: the arguments of the field.
        path: the field's in the response.
        selection: below the field: of `target`, or of a type that is derived from it.
        sizes: what is declared of the pages, the nearest first.
        origin: a set of rows of the source's type to read in place of the source.
        is_single: whether at most one row is meant, since the column of the `id` tells it.
    """

    target: ObjectType
    base: Base
    conditions: list[str]
    given: Mapping[str, Tree]
    path: tuple[str, ...]
    selection: Selection
    sizes: tuple[PageSizes, ...] = ()
    origin: str = ""
    is_single: bool = False

    @property
    def rows(self) -> str:
        """What FROM has."""
        assert self.target.source is not None
        return f"{self.origin or source_name(self.target.source)} {self.base.alias}"


ShapeRenderer: TypeAlias = "Callable[[Rendering, Site], str]"
"""Makes the expression for the rows of a site in one shape."""


class Rendering:
    """The state of one statement.

    Args:
        variables: coerced; their shape decides the text, their values are left to the bindings.
        shapes: how the rows of each shape are rendered.
        checking: whether values that do not fit their types are shown as such, and are no error.
    """

    def __init__(
        self,
        model: SchemaModel,
        graphql_schema: GraphQLSchema,
        variables: Variables,
        limits: QueryLimits,
        shapes: Mapping[Shape, ShapeRenderer],
        *,
        checking: bool = False,
    ) -> None:
        self.model = model
        self.limits = limits
        self.values = CheckedValues(model) if checking else Values(model)
        self.bindings = Bindings(limits)
        self.numbers: Iterator[int] = count()  # of aliases, which no two in the statement share
        self.filters = Filters(model, self.values, self.bindings, self.numbers)
        self.orders = Orders(model, self.values, self.bindings, self.numbers)
        self.cost = Cost()  # of the list under way, or of the operation
        self._graphql_schema = graphql_schema
        self._variables = variables
        self._shapes = shapes

    @property
    def argument_sources(self) -> frozenset[str]:
        """The sources that filters and orders lead to."""
        return frozenset(self.filters.sources | self.orders.sources)

    @property
    def limited_cost(self) -> Cost | None:
        """The cost of the operation, unless every request can afford it."""
        if self.cost.at_most() <= self.limits.max_cost:
            return None
        self.cost.settle()
        return self.cost

    def base(self, source: Source) -> Base:
        """A row of a source under an alias of its own."""
        return Base.of_source(f"t${next(self.numbers)}", source)

    def arguments(
        self, owner: str, field: str, written: Mapping[str, ValueNode], path: tuple[str, ...]
    ) -> dict[str, Tree]:
        """The present arguments of a field; raises RequestError at its path."""
        declared_type = self._graphql_schema.type_map[owner]
        assert isinstance(declared_type, GraphQLObjectType)
        declared: Mapping[str, GraphQLArgument] = declared_type.fields[field].args
        return given_arguments(declared, written, self._variables, path)

    def shaped(self, shape: Shape, site: Site) -> str:
        """The expression for the rows of a site."""
        return self._shapes[shape](self, site)

    def conditions(self, site: Site) -> list[str]:
        """The conditions of a site with those of its `where`."""
        conditions = [*site.conditions, *self.values.membership(site.target, site.base)]
        where = site.given.get("where")
        if where is None or where.value is None:
            return conditions
        return [*conditions, *self.filters.where(site.target, site.base, where, site.path)]

    @contextmanager
    def alternatives(self) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Count the costliest of several things, each of which is rendered in what this gives, called anew."""
        outer, costs = self.cost, list[Cost]()

        @contextmanager
        def alternative() -> Iterator[None]:
            self.cost = Cost()
            costs.append(self.cost)
            try:
                yield
            finally:
                self.cost = outer

        yield alternative
        outer.choices.append(costs)

    @contextmanager
    def inside(self) -> Iterator[Cost]:
        """Count what is rendered meanwhile as a list inside the one under way; gives its cost."""
        outer, self.cost = self.cost, Cost()
        outer.lists.append(self.cost)
        try:
            yield self.cost
        finally:
            self.cost = outer
