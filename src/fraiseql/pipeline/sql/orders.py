"""SQL orders from the argument trees of `orderBy`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fraiseql.errors import RequestError
from fraiseql.pipeline.arguments import Fields, Items, Leaf, Tree
from fraiseql.pipeline.graphql_schema.order_inputs import DIRECTIONS
from fraiseql.pipeline.operators import SEARCHES
from fraiseql.pipeline.sql.bind import Bindings
from fraiseql.pipeline.sql.embedded import count_of
from fraiseql.pipeline.sql.searches import config_of, rank_of, searcher, vector_of
from fraiseql.pipeline.sql.values import Base, Values, related, source_name
from fraiseql.schema.aggregates import COUNT
from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import Field, ObjectType, SchemaModel
from fraiseql.schema.validate import SEARCH_RANK

__all__ = ["Entry", "Orders", "Term", "entry_of", "ordered"]


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
    def is_identity(self) -> bool:
        """Whether it is the field that tells rows apart, and that no row is without."""
        return self.names == ("id",) and not self.nullable

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
        """The order of a list: as asked for, then by `id` where there is one, so that pages are stable.

        What is asked for behind the `id` decides nothing.
        """
        terms = self.asked(target, base, tree, path)
        places = [place for place, term in enumerate(terms) if term.names == ("id",)]
        if not places:
            return [*terms, *self._by_id(target, base)]
        return terms[: places[0] + 1] if terms[places[0]].is_identity else terms

    def asked(self, target: ObjectType, base: Base, tree: Tree | None, path: tuple[str, ...]) -> list[Term]:
        """The order that is asked for; what comes again decides nothing any more."""
        terms: dict[tuple[str, ...], Term] = {}
        for index, item in enumerate(tree.items if isinstance(tree, Items) else ()):
            entry = entry_of(item, f"orderBy[{index}]")
            if entry.names not in terms:
                value = self._value(target, base, entry, path)
                terms[entry.names] = Term(value, entry.direction, entry.names, entry.nullable_in(target))
        return list(terms.values())

    def _by_id(self, target: ObjectType, base: Base) -> list[Term]:
        field = self._values.ordering(target)
        return [] if field is None else [Term(self._values.compared(field, base), "asc", ("id",), field.type.nullable)]

    def _value(self, target: ObjectType, base: Base, entry: Entry, path: tuple[str, ...], depth: int = 1) -> str:
        """What to order by: a field, or one of the object or row that it leads to, null where there is none."""
        names = entry.names[depth - 1 :]
        if names[0] == SEARCH_RANK:
            return self._rank(target.fields[names[1]], base, entry, path)
        field = target.fields[names[0]]
        embedded = embedded_type(self._model, field)
        if embedded is not None:
            self._bindings.count_order(path, depth)
            jsonb = base.element(field)
            is_one = field.type.item is None
            return self._value(embedded, Base("", jsonb), entry, path, depth + 1) if is_one else count_of(jsonb)
        if field.relation is None:
            return self._values.compared(field, base)
        self._bindings.count_order(path, depth)
        below = self._model.object_type(field.relation.target)
        theirs, origin = self._related(field, below, base)
        if field.relation.shape.is_to_many:
            return f"(select {self.figure(below, theirs, names[1:])} {origin})"
        # The very row that the field itself shows.
        order = ordered(self._by_id(below, theirs))
        value = self._value(below, theirs, entry, path, depth + 1)
        return f"(select {value} {origin}{order} limit 1)"

    def figure(self, target: ObjectType, base: Base, names: tuple[str, ...]) -> str:
        """What an aggregate is of all rows of a type: the count, or a function of a field."""
        if names == (COUNT,):
            return "count(*)"
        function, name = names
        return self._values.aggregate(function, target.row_fields[name], base)

    def _rank(self, field: Field, base: Base, entry: Entry, path: tuple[str, ...]) -> str:
        search = entry.search
        assert search is not None
        self._bindings.count_order(path, of="relations and searches")
        given = [(name, search.fields[name]) for name in SEARCHES if name in search.fields]
        if len(given) != 1 or given[0][1].value is None:
            message = f'The argument "{entry.place}" needs exactly one of plain, phrase and websearch, and not as null.'
            raise RequestError(message, code="BAD_USER_INPUT", path=path)
        ((name, leaf),) = given
        assert isinstance(leaf, Leaf)
        make, config = searcher(name), config_of(search)
        words = self._bindings.add(leaf, path, f"{entry.place}.{name}", make.prepare, make.blames)
        vector = vector_of(self._model.types[field.type.named], self._values.condition(field, base), config)
        return rank_of(vector, [make.sql.format(config, words)])

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


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of `orderBy`.

    Attributes:
        names: from the list's type down to a value; what tells a search from others of the same text is behind.
        direction: a key of DIRECTIONS.
        place: of what stands below the names, for errors.
        search: for a rank.
    """

    names: tuple[str, ...]
    direction: str
    place: str
    search: Fields | None = None

    def nullable_in(self, target: ObjectType) -> bool:
        """Whether there may be no value for a row: only a column's annotation is believed that says there always is."""
        if self.names[0] == SEARCH_RANK:
            return True
        field = target.row_fields[self.names[0]]
        return len(self.names) > 1 or field.type.nullable or (field.column is None and field is not target.identity)


def entry_of(tree: Tree, place: str) -> Entry:
    names: list[str] = []
    is_search = False
    while isinstance(tree, Fields):
        if is_search:
            return _search(names, tree, place)
        is_search = names[-1:] == [SEARCH_RANK]
        ((name, tree),) = tree.fields.items()
        names.append(name)
        place = f"{place}.{name}"
    assert isinstance(tree, Leaf)
    return Entry(tuple(names), tree.value, place)


def _search(names: list[str], tree: Fields, place: str) -> Entry:
    """A rank: several of one text are each of their own, as the words are only known to PostgreSQL."""
    kinds = [name for name in SEARCHES if name in tree.fields]
    direction = tree.fields["direction"].value
    return Entry((*names, *kinds, config_of(tree), place), direction, place, tree)
