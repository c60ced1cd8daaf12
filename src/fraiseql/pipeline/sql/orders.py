"""SQL orders from the argument trees of `orderBy`."""

from __future__ import annotations

from collections.abc import Iterator

from fraiseql.pipeline.arguments import Fields, Items, Leaf, Tree
from fraiseql.pipeline.graphql_schema.order_inputs import COUNT, DIRECTIONS
from fraiseql.pipeline.sql.bind import Bindings
from fraiseql.pipeline.sql.values import Base, Values, related, source_name
from fraiseql.schema.model import Field, ObjectType, SchemaModel

__all__ = ["Orders"]


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

    def order_by(self, target: ObjectType, base: Base, tree: Tree | None, path: tuple[str, ...]) -> str:
        """The ORDER BY of a list: as asked for, then by `id` where there is one, so that pages are stable."""
        terms: list[str] = []
        ordered: set[tuple[str, ...]] = set()
        for item in tree.items if isinstance(tree, Items) else ():
            names, direction = _entry(item)
            if names not in ordered:
                ordered.add(names)
                value = self._value(target, base, names, path)
                terms.append(f"{value}{DIRECTIONS[direction]}")
        if ("id",) not in ordered:
            terms += self._by_id(target, base)
        return ", ".join(terms)

    def _by_id(self, target: ObjectType, base: Base) -> list[str]:
        field = target.fields.get("id")
        if field is None or field.type.item is not None or field.relation is not None:
            return []
        is_object = isinstance(self._model.types[field.type.name], ObjectType)
        return [] if is_object else [self._values.compared(field, base)]

    def _value(
        self, target: ObjectType, base: Base, names: tuple[str, ...], path: tuple[str, ...], depth: int = 1
    ) -> str:
        """What to order by: a field, or one of the row that a relation leads to, null where there is none."""
        field = target.fields[names[0]]
        if field.relation is None:
            return self._values.compared(field, base)
        self._bindings.count_order(path, depth)
        below = self._model.object_type(field.relation.target)
        theirs, origin = self._related(field, below, base)
        if field.relation.shape.is_to_many:
            assert names[1:] == (COUNT,)
            return f"(select count(*) {origin})"
        # The very row that the field itself shows.
        order = ", ".join(self._by_id(below, theirs))
        value = self._value(below, theirs, names[1:], path, depth + 1)
        return f"(select {value} {origin}{order and f' order by {order}'} limit 1)"

    def _related(self, field: Field, below: ObjectType, ours: Base) -> tuple[Base, str]:
        """The base of the rows of a relation, with their FROM and WHERE."""
        assert field.relation is not None
        assert below.source is not None
        self.sources.add(str(below.source))
        if field.relation.through is not None:
            self.sources.add(str(field.relation.through.source))
        theirs = Base.of_source(f"t${next(self._numbers)}", below.source)
        where = " and ".join(related(field.relation, theirs.alias, ours.alias, self._numbers))
        return theirs, f"from {source_name(below.source)} {theirs.alias} where {where}"


def _entry(tree: Tree) -> tuple[tuple[str, ...], str]:
    """The names from the list's type down to a value, and the direction."""
    names: list[str] = []
    while isinstance(tree, Fields):
        ((name, tree),) = tree.fields.items()
        names.append(name)
    assert isinstance(tree, Leaf)
    direction: str = tree.value
    return tuple(names), direction
