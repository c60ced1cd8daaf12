"""SQL conditions from the argument trees of `where` and a query's own arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from fraiseql.errors import RequestError
from fraiseql.pipeline.arguments import Fields, Items, Leaf, Tree
from fraiseql.pipeline.operators import (
    AGGREGATE,
    LIST_OPERATORS,
    OPERATORS,
    RANK,
    RELATION_OPERATORS,
    SEARCHES,
    Operand,
    Operator,
    bound_operators,
    operators_of,
)
from fraiseql.pipeline.sql.bind import Bindings
from fraiseql.pipeline.sql.embedded import EmbeddedFilters
from fraiseql.pipeline.sql.searches import config_of, rank_of, searcher, vector_of
from fraiseql.pipeline.sql.values import Base, Values, joined, related, siblings, source_name
from fraiseql.schema.aggregates import COUNT, COUNT_FIELD, aggregated
from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import EnumType, Field, InputField, InputType, NamedType, ObjectType, Relation, SchemaModel
from fraiseql.schema.scalar import FilterFamily, Scalar
from fraiseql.schema.scalars import SCALARS
from fraiseql.schema.validate import filtered_field

__all__ = ["Filters"]

_Conditions: TypeAlias = Callable[[str, Tree, str], list[str]]
"""Renders what is asked for under one key, of the name, the tree and the place of the key."""
_EQ = OPERATORS[FilterFamily.EQUALITY]["eq"]
_NUMBER = OPERATORS[FilterFamily.ORDERED]


class Filters:
    """Renders conditions of one statement; values go to its bindings.

    Args:
        numbers: of the aliases of sources, which no two in the statement share.

    Attributes:
        sources: the sources of other types that conditions read, as `sql_source` names them.
    """

    def __init__(self, model: SchemaModel, values: Values, bindings: Bindings, numbers: Iterator[int]) -> None:
        self._model = model
        self._values = values
        self._bindings = bindings
        self._numbers = numbers
        self._depth = 0  # of relations inside conditions
        self._embedded = EmbeddedFilters(numbers, self._inside, self._operators)
        self._denied = 0  # how many NOTs are under way
        self.sources: set[str] = set()

    def equal(
        self,
        target: ObjectType,
        base: Base,
        declared: Mapping[str, InputField],
        given: Mapping[str, Tree],
        path: tuple[str, ...],
        prefix: str = "",
    ) -> list[str]:
        """The conditions of a query's own arguments: each given one must equal its field; null means IS NULL."""
        conditions: list[str] = []
        for name, argument in declared.items():
            tree = given.get(name)
            if tree is None:
                continue
            named = self._model.types[argument.type.named]
            if isinstance(named, InputType):
                assert isinstance(tree, Fields)
                conditions += self.equal(target, base, named.fields, tree.fields, path, f"{prefix}{name}.")
                continue
            field = filtered_field(target, argument)
            assert field is not None
            assert isinstance(tree, Leaf)
            value = self._values.compared(field, base)
            conditions.append(self._comparison(_EQ, tree, value, field, path, f"{prefix}{name}"))
        return conditions

    @staticmethod
    def equal_columns(
        target: ObjectType, declared: Mapping[str, InputField], given: Mapping[str, Tree]
    ) -> Iterator[str]:
        """The columns that `equal` compares with one value each."""
        for name, argument in declared.items():
            tree = given.get(name)
            field = filtered_field(target, argument) if isinstance(tree, Leaf) and tree.value is not None else None
            if field is not None and field.column is not None:
                yield field.column

    def where(self, target: ObjectType, base: Base, tree: Tree | None, path: tuple[str, ...]) -> list[str]:
        """The conditions of `where`, all of which must hold."""
        return [] if tree is None else self._all(self._row(target, base, path), tree, path, "where")

    def having(
        self, target: ObjectType, base: Base, tree: Tree | None, path: tuple[str, ...], place: str = "having"
    ) -> list[str]:
        """The conditions on aggregates of the rows of a type, all of which must hold."""
        return [] if tree is None else self._all(self._figures(target, base, path), tree, path, place)

    def _row(self, target: ObjectType, base: Base, path: tuple[str, ...]) -> _Conditions:
        """The conditions on a row."""
        return lambda name, tree, place: self._field(target.fields[name], base, tree, path, place)

    def _figures(self, target: ObjectType, base: Base, path: tuple[str, ...]) -> _Conditions:
        """The conditions on aggregates of rows."""

        def conditions(name: str, tree: Tree, place: str) -> list[str]:
            assert isinstance(tree, Fields)
            if name == COUNT:
                return self._figure(COUNT_FIELD, "count(*)", tree, path, place)
            found: list[str] = []
            for key, field in aggregated(name, target, self._model.types).items():
                below = tree.fields.get(key)
                if isinstance(below, Fields):
                    value = self._values.aggregate(name, target.row_fields[key], base)
                    found += self._figure(field, value, below, path, f"{place}.{key}")
            return found

        return conditions

    def _figure(self, field: Field, value: str, tree: Fields, path: tuple[str, ...], place: str) -> list[str]:
        operators = operators_of(self._named(field))
        return self._operators(operators, value, field, tree, path, place)

    def _type(self, field: Field) -> NamedType:
        # An aggregate may be of a type that no field has.
        return self._model.types.get(field.type.named) or SCALARS[field.type.named]

    def _named(self, field: Field) -> Scalar | EnumType:
        named = self._type(field)
        assert isinstance(named, (Scalar, EnumType))
        return named

    def on_element(self, target: ObjectType, jsonb: str, tree: Tree, path: tuple[str, ...]) -> str:
        """That an element of an embedded list is an object, and meets the conditions of `where`."""
        return self._embedded.met(target, jsonb, tree, path, "where")

    def _all(self, entry: _Conditions, tree: Tree, path: tuple[str, ...], place: str) -> list[str]:
        assert isinstance(tree, Fields)
        conditions: list[str] = []
        for name, below in tree.fields.items():
            here = f"{place}.{name}"
            if name in ("AND", "OR"):
                if below.value is not None:
                    conditions.append(self._several(name, entry, below, path, here))
            elif name == "NOT":
                if below.value is not None:
                    self._denied += 1
                    conditions.append(f"not {self._joined('and', self._all(entry, below, path, here), path)}")
                    self._denied -= 1
            else:
                conditions += entry(name, below, here)
        return conditions

    def _several(self, word: str, entry: _Conditions, tree: Tree, path: tuple[str, ...], place: str) -> str:
        assert isinstance(tree, Items)
        parts = [
            self._joined("and", self._all(entry, item, path, f"{place}[{index}]"), path)
            for index, item in enumerate(tree.items)
        ]
        return self._joined(word.lower(), parts, path)

    def _joined(self, word: str, conditions: list[str], path: tuple[str, ...]) -> str:
        """All of no conditions hold, one of none does not."""
        if not conditions:
            self._bindings.count_condition(path)
            return "true" if word == "and" else "false"
        return f"({f' {word} '.join(conditions)})"

    def _field(self, field: Field, base: Base, tree: Tree, path: tuple[str, ...], place: str) -> list[str]:
        assert isinstance(tree, Fields)
        if tree.value is None:
            return []
        if field.relation is not None:
            return self._related(field.relation, base, tree, path, place)
        embedded = embedded_type(self._model, field)
        if embedded is not None:
            return self._embedded.on(field, embedded, base, tree, path, place, denied=bool(self._denied))
        operators = operators_of(self._named(field)) if field.type.item is None else LIST_OPERATORS
        return self._operators(operators, self._values.condition(field, base), field, tree, path, place)

    def _inside(self, target: ObjectType, base: Base, tree: Tree, path: tuple[str, ...], place: str) -> list[str]:
        """The conditions on an embedded object, one level deeper."""
        self._depth += 1
        self._bindings.count_condition(path, self._depth)
        conditions = self._all(self._row(target, base, path), tree, path, place)
        self._depth -= 1
        return conditions

    def _related(self, relation: Relation, ours: Base, tree: Fields, path: tuple[str, ...], place: str) -> list[str]:
        """Conditions on the rows that a relation leads to; for at most one row, that it is there and meets them."""
        if not relation.shape.is_to_many:
            return [self._exists("exists", relation, ours, tree, path, place, failing=False)]
        conditions: list[str] = []
        for name, below in tree.fields.items():
            if below.value is not None and name == AGGREGATE:
                conditions.append(self._aggregate(relation, ours, below, path, f"{place}.{name}"))
            elif below.value is not None:
                word, failing, _ = RELATION_OPERATORS[name]
                here = f"{place}.{name}"
                conditions.append(self._exists(word, relation, ours, below, path, here, failing=failing))
        return conditions

    def _exists(
        self,
        word: str,
        relation: Relation,
        ours: Base,
        tree: Tree,
        path: tuple[str, ...],
        place: str,
        *,
        failing: bool,
    ) -> str:
        target, theirs = self._enter(relation, path)
        between = self._between(relation)
        conditions = joined(relation, theirs.alias, ours.alias, between)
        conditions += self._values.membership(target, theirs)
        wanted = self._all(self._row(target, theirs, path), tree, path, place)
        if failing:  # where it is unknown whether a row meets them, it does not
            conditions.append(f"{self._joined('and', wanted, path)} is not true")
        else:
            conditions += wanted
        if wanted and not relation.shape.is_to_many:
            conditions += self._is_first(relation, target, theirs, between)
        self._depth -= 1
        return f"{word} (select from {_origin(relation, target, theirs, between)} where {' and '.join(conditions)})"

    def _is_first(self, relation: Relation, target: ObjectType, theirs: Base, between: str) -> list[str]:
        """That a row is the one that a relation to one row shows, where it may lead to several.

        An anti-join, and not a LIMIT, from which PostgreSQL could not begin with the rows that meet other conditions.
        """
        by, source = self._values.ordering(target), target.source
        if by is None or _is_unique(relation, by):
            return []
        assert source is not None
        others = Base.of_source(f"t${next(self._numbers)}", source)
        others_between = self._between(relation)
        conditions = siblings(relation, others.alias, others_between, theirs.alias, between)
        conditions += self._values.membership(target, others)
        earlier, own = self._values.compared(by, others), self._values.compared(by, theirs)
        if by.type.nullable:  # nulls come last
            conditions.append(f"coalesce({earlier} < {own}, {own} is null and {earlier} is not null)")
        else:
            conditions.append(f"{earlier} < {own}")
        origin = _origin(relation, target, others, others_between)
        return [f"not exists (select from {origin} where {' and '.join(conditions)})"]

    def _between(self, relation: Relation) -> str:
        """An alias for a relation's table between, where it has one."""
        return "" if relation.through is None else f"t${next(self._numbers)}"

    def _aggregate(self, relation: Relation, ours: Base, tree: Tree, path: tuple[str, ...], place: str) -> str:
        """Conditions on aggregates of the rows that a relation leads to, all of them in one scan."""
        target, theirs = self._enter(relation, path)
        conditions = related(relation, theirs.alias, ours.alias, self._numbers)
        conditions += self._values.membership(target, theirs)
        wanted = self._joined("and", self.having(target, theirs, tree, path, place), path)
        self._depth -= 1
        assert target.source is not None
        origin = f"{source_name(target.source)} {theirs.alias}"
        return f"exists (select from {origin} where {' and '.join(conditions)} having {wanted})"

    def _enter(self, relation: Relation, path: tuple[str, ...]) -> tuple[ObjectType, Base]:
        """Go one relation deeper: the type of its rows, and the base of one."""
        target = self._model.object_type(relation.target)
        assert target.source is not None
        self._depth += 1
        self._bindings.count_condition(path, self._depth)
        self.sources.add(str(target.source))
        if relation.through is not None:
            self.sources.add(str(relation.through.source))
        return target, Base.of_source(f"t${next(self._numbers)}", target.source)

    def _operators(
        self,
        operators: Mapping[str, Operator],
        value: str,
        field: Field,
        tree: Fields,
        path: tuple[str, ...],
        place: str,
    ) -> list[str]:
        conditions: list[str] = []
        for name, below in tree.fields.items():
            operator, here = operators[name], f"{place}.{name}"
            if isinstance(below, Leaf):
                conditions.append(self._comparison(operator, below, value, field, path, here))
            elif isinstance(below, Fields) and below.value is not None:
                conditions += self._nested(operator, value, field, below, path, here)
        return conditions

    def _nested(
        self, operator: Operator, value: str, field: Field, tree: Fields, path: tuple[str, ...], place: str
    ) -> list[str]:
        if operator.operand is Operand.SEARCH:
            return self._search(value, field, tree, path, place)
        if operator.operand is Operand.LENGTH:
            return self._operators(_NUMBER, operator.sql.format(value), field, tree, path, place)
        named = self._named(field)
        if operator.operand is Operand.BOUND:
            return self._operators(bound_operators(named), operator.sql.format(value), field, tree, path, place)
        self._bindings.count_condition(path)
        alias = f"a${next(self._numbers)}"
        wanted = self._operators(operators_of(named), f"{alias}.value", field, tree, path, place)
        where = f" where {' and '.join(wanted)}" if wanted else ""
        return [f"exists (select from unnest({value}) {alias}(value){where})"]

    def _search(self, value: str, field: Field, tree: Fields, path: tuple[str, ...], place: str) -> list[str]:
        config = config_of(tree)
        vector = vector_of(self._named(field), value, config)
        queries: list[str] = []
        for name in SEARCHES:
            leaf = tree.fields.get(name)
            if leaf is not None:
                assert isinstance(leaf, Leaf)
                queries.append(self._comparison(searcher(name), leaf, config, field, path, f"{place}.{name}"))
        conditions = [f"{vector} @@ {query}" for query in queries]
        rank = tree.fields.get(RANK)
        if rank is not None and rank.value is not None:
            assert isinstance(rank, Fields)
            if not queries:
                message = f'The argument "{place}.{RANK}" needs plain, phrase or websearch beside it.'
                raise RequestError(message, code="BAD_USER_INPUT", path=path)
            conditions += self._operators(_NUMBER, rank_of(vector, queries), field, rank, path, f"{place}.{RANK}")
        return conditions

    def _comparison(
        self, operator: Operator, leaf: Leaf, value: str, field: Field, path: tuple[str, ...], place: str
    ) -> str:
        self._bindings.count_condition(path)
        if leaf.value is None:
            if operator.null is not None:
                return operator.null.format(value)
            message = f'The argument "{place}" must not be null; eq, neq and isnull ask for nulls.'
            raise RequestError(message, code="BAD_USER_INPUT", path=path)
        parameter = self._bindings.add(leaf, path, place, operator.prepare, operator.blames)
        named = self._type(field)
        sql_type = named.sql_type if isinstance(named, Scalar) else "text"
        if operator.operand is Operand.ELEMENT:
            assert isinstance(named, Scalar)
            parameter = named.element_sql.format(parameter)
        # ltree has operators of its own between a list and one value.
        is_tree = isinstance(named, Scalar) and named.family is FilterFamily.TREE
        return operator.sql.format(value, parameter, sql_type, f"::{sql_type}[]" if is_tree else "")


def _origin(relation: Relation, target: ObjectType, theirs: Base, between: str) -> str:
    """What FROM has for the rows that a relation leads to.

    A table between is joined: how often it names a row is the same to EXISTS, and one inside another is slow.
    """
    assert target.source is not None
    own = f"{source_name(target.source)} {theirs.alias}"
    return own if relation.through is None else f"{source_name(relation.through.source)} {between}, {own}"


def _is_unique(relation: Relation, by: Field) -> bool:
    """Whether a relation is known to lead to one row at most: by the column of its `id`."""
    if relation.through is not None or by.expression is not None:
        return False
    # A document's `id` is that of its row.
    return (by.column or by.key) in (theirs for theirs, _ in relation.on)
