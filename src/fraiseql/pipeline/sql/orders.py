"""SQL orders from the argument trees of `orderBy`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fraiseql.pipeline.arguments import Fields, Items, Leaf, Tree
from fraiseql.pipeline.graphql_schema.order_inputs import DIRECTIONS
from fraiseql.pipeline.sql.bind import Bindings
from fraiseql.pipeline.sql.embedded import count_of
from fraiseql.pipeline.sql.values import Base, Values, related, source_name
from fraiseql.schema.aggregates import COUNT
from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import Field, ObjectType, SchemaModel

__all__ = ["Orders", "Term", "entry", "ordered"]


_OPPOSITES: Final = {
    "asc": "desc",
    "asc_nulls_first": "desc_nulls_last",
    "asc_nulls_last": "desc_nulls_first",
    "desc": "asc",
    "desc_nulls_first": "asc_nulls_last",
    "desc_nulls_last": "asc_nulls_first",
}


@dataclass(frozen=True, slots=True)
class Term:
    """One term of an ORDER BY.

    Attributes:
        expression: of one row; it may stand in a statement several times.
        direction: a key of DIRECTIONS.
        names: the fields that lead to it.
        nullable: whether its value may be null.
    """

    expression: str
    direction: str
    names: tuple[str, ...]
    nullable: bool

    def __str__(self) -> str:
        return f"{self.expression}{DIRECTIONS[self.direction]}"

    @property
    def reversed(self) -> Term:
        """The same from the other end."""
        return replace(self, direction=_OPPOSITES[self.direction])

    @property
    def descending(self) -> bool:
        """Whether the largest come first."""
        return self.direction.startswith("desc")

    @property
    def nulls_first(self) -> bool:
        """Whether nulls come before all: they are larger than anything."""
        return self.direction == "desc" or self.direction.endswith("nulls_first")


def ordered(terms: Sequence[Term]) -> str:
    """The ORDER BY with the space before it; empty for no term."""
    return f" order by {', '.join(map(str, terms))}" if terms else ""


class Orders:
    """Renders the orders of one statement.

    Args:
        numbers: of the aliases of sources, which no two in the statement share.

    Attributes:
        sources: the sources that orders across relations read, as `sql_source` names them.
    """

    def __init__(self, model: SchemaModel, values: Values, bindings: Bindings, numbers: Iterator[int]) -> None:
        self._model = model
        self._values = values
        self._bindings = bindings
        self._numbers = numbers
        self.sources: set[str] = set()

    def terms(self, target: ObjectType, base: Base, tree: Tree | None, path: tuple[str, ...]) -> list[Term]:
        """The order of a list: as asked for, then by `id` where there is one, so that pages are stable."""
        terms = self.asked(target, base, tree, path)
        is_by_id = any(term.names == ("id",) for term in terms)
        return terms if is_by_id else [*terms, *self._by_id(target, base)]

    def asked(self, target: ObjectType, base: Base, tree: Tree | None, path: tuple[str, ...]) -> list[Term]:
        """The order that is asked for; what comes again decides nothing any more."""
        terms: dict[tuple[str, ...], Term] = {}
        for item in tree.items if isinstance(tree, Items) else ():
            names, direction = entry(item)
            if names not in terms:
                nullable = len(names) > 1 or target.fields[names[0]].type.nullable
                terms[names] = Term(self._value(target, base, names, path), direction, names, nullable)
        return list(terms.values())

    def _by_id(self, target: ObjectType, base: Base) -> list[Term]:
        field = target.identity
        if field is None or field.type.item is not None or field.relation is not None:
            return []
        is_object = isinstance(self._model.types[field.type.name], ObjectType)
        by_id = Term(self._values.compared(field, base), "asc", ("id",), field.type.nullable)
        return [] if is_object else [by_id]

    def _value(
        self, target: ObjectType, base: Base, names: tuple[str, ...], path: tuple[str, ...], depth: int = 1
    ) -> str:
        """What to order by: a field, or one of the object or row that it leads to, null where there is none."""
        field = target.fields[names[0]]
        embedded = embedded_type(self._model, field)
        if embedded is not None:
            self._bindings.count_order(path, depth)
            jsonb = base.element(field)
            is_one = field.type.item is None
            return self._value(embedded, Base("", jsonb), names[1:], path, depth + 1) if is_one else count_of(jsonb)
        if field.relation is None:
            return self._values.compared(field, base)
        self._bindings.count_order(path, depth)
        below = self._model.object_type(field.relation.target)
        theirs, origin = self._related(field, below, base)
        if field.relation.shape.is_to_many:
            return f"(select {self.figure(below, theirs, names[1:])} {origin})"
        # The very row that the field itself shows.
        order = ordered(self._by_id(below, theirs))
        value = self._value(below, theirs, names[1:], path, depth + 1)
        return f"(select {value} {origin}{order} limit 1)"

    def figure(self, target: ObjectType, base: Base, names: tuple[str, ...]) -> str:
        """What an aggregate is of all rows of a type: the count, or a function of a field."""
        if names == (COUNT,):
            return "count(*)"
        function, name = names
        return self._values.aggregate(function, target.row_fields[name], base)

    def _related(self, field: Field, below: ObjectType, ours: Base) -> tuple[Base, str]:
        """The base of the rows of a relation, with their FROM and WHERE."""
        assert field.relation is not None
        assert below.source is not None
        self.sources.add(str(below.source))
        if field.relation.through is not None:
            self.sources.add(str(field.relation.through.source))
        theirs = Base.of_source(f"t${next(self._numbers)}", below.source)
        conditions = related(field.relation, theirs.alias, ours.alias, self._numbers)
        where = " and ".join(conditions + self._values.membership(below, theirs))
        return theirs, f"from {source_name(below.source)} {theirs.alias} where {where}"


def entry(tree: Tree) -> tuple[tuple[str, ...], str]:
    """The names from the list's type down to a value, and the direction."""
    names: list[str] = []
    while isinstance(tree, Fields):
        ((name, tree),) = tree.fields.items()
        names.append(name)
    assert isinstance(tree, Leaf)
    direction: str = tree.value
    return tuple(names), direction
