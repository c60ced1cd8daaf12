"""Whether conditions mean every row, since something in them is absent, null or empty: nobody means to change all.

It is decided by what is written and by the values, and never by the rows. What has no condition counts as true of every
row, on the other side of a relation and inside of an object too: `{author: {name: {eq: $name}}}` without `$name` would
mean all rows that have an author. A NOT turns the question round: whether what it denies is true of no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from fraiseql.pipeline.arguments import Fields, Items, Leaf, Tree
from fraiseql.pipeline.operators import (
    AGGREGATE,
    EMBEDDED_LIST_OPERATORS,
    LIST_OPERATORS,
    OPERATORS,
    RANK,
    SEARCHES,
    Operand,
    Operator,
    bound_operators,
    operators_of,
)
from fraiseql.pipeline.sql.searches import searcher
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.aggregates import COUNT, aggregated
from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import EnumType, Field, ObjectType, SchemaModel
from fraiseql.schema.scalar import FilterFamily, Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = ["means_every_row"]

_NUMBER: Final = OPERATORS[FilterFamily.ORDERED]
_COUNTS: Final = ("countDistinct",)  # the figures beside `count` that no rows make null
_Entry: TypeAlias = "Callable[[str, Tree, bool], bool]"
"""Whether what is asked for under one key is true of every row; or of none, where it is denied."""


def means_every_row(model: SchemaModel, target: ObjectType, tree: Tree, variables: Variables) -> bool:
    """Whether the conditions of a `where` on the rows of a type are true of every row, whatever is in it.

    Args:
        variables: coerced; the values of conditions count.
    """
    return _Reader(model, variables).row(target, tree, denied=False)


class _Reader:
    """Each method says whether a part is true of every row; where it is `denied`, whether of none."""

    def __init__(self, model: SchemaModel, variables: Variables) -> None:
        self._model = model
        self._variables = variables

    def row(self, target: ObjectType, tree: Tree, *, denied: bool) -> bool:
        """The conditions on a row, or on an object."""
        return self._all(lambda name, below, no: self._field(target.fields[name], below, no), tree, denied)

    def _all(self, entry: _Entry, tree: Tree, denied: bool) -> bool:
        """Several that must all hold: no row meets them where there is one that none meets."""
        assert isinstance(tree, Fields)
        return _both((self._part(entry, name, below, denied) for name, below in _present(tree)), denied)

    def _part(self, entry: _Entry, name: str, tree: Tree, denied: bool) -> bool:
        if name == "NOT":
            return self._all(entry, tree, not denied)
        if name not in ("AND", "OR"):
            return entry(name, tree, denied)
        assert isinstance(tree, Items)
        parts = (self._all(entry, each, denied) for each in tree.items)
        return _both(parts, denied if name == "AND" else not denied)

    def _field(self, field: Field, tree: Tree, denied: bool) -> bool:
        assert isinstance(tree, Fields)
        if field.relation is not None:
            target = self._model.object_type(field.relation.target)
            if not field.relation.shape.is_to_many:
                return self.row(target, tree, denied=denied)
            return _both((self._related(target, name, below, denied) for name, below in _present(tree)), denied)
        embedded = embedded_type(self._model, field)
        if embedded is None:
            operators = operators_of(self._named(field)) if field.type.item is None else LIST_OPERATORS
            return self._operators(operators, field, tree, denied, is_filled=not field.type.nullable)
        if field.type.item is None:
            return self.row(embedded, tree, denied=denied)
        return _both((self._element(field, embedded, name, below, denied) for name, below in _present(tree)), denied)

    def _related(self, target: ObjectType, name: str, tree: Tree, denied: bool) -> bool:
        """What is asked of the rows of a relation, or of the elements of a list."""
        if name == AGGREGATE:
            return self._all(lambda key, below, no: self._figures(target, key, below, no), tree, denied)
        return self.row(target, tree, denied=denied != (name == "none"))

    def _element(self, field: Field, target: ObjectType, name: str, tree: Tree, denied: bool) -> bool:
        if EMBEDDED_LIST_OPERATORS[name].operand is Operand.CONDITIONS:
            return self._related(target, name, tree, denied)
        given = Fields({name: tree})
        return self._operators(EMBEDDED_LIST_OPERATORS, field, given, denied, is_filled=not field.type.nullable)

    def _figures(self, target: ObjectType, name: str, tree: Tree, denied: bool) -> bool:
        """What is asked of aggregates of the rows of a relation."""
        assert isinstance(tree, Fields)
        if name == COUNT:
            return self._operators(_NUMBER, None, tree, denied, is_filled=True)
        fields = aggregated(name, target, self._model.types)
        parts = [
            self._operators(operators_of(self._named(fields[key])), None, below, denied, is_filled=name in _COUNTS)
            for key, below in _present(tree)
            if isinstance(below, Fields)
        ]
        return _both(parts, denied)

    def _operators(
        self, operators: Mapping[str, Operator], field: Field | None, tree: Fields, denied: bool, *, is_filled: bool
    ) -> bool:
        """The conditions on a value.

        Args:
            field: the one that has it, where it is no part or figure of others.
            is_filled: whether it is never null.
        """
        parts: list[bool] = []
        for name, below in _present(tree):
            if isinstance(below, Leaf):
                parts.append(self._comparison(name, operators[name], below, denied, is_filled=is_filled))
            elif isinstance(below, Fields):
                parts.append(self._nested(operators[name].operand, field, below, denied, is_filled=is_filled))
        return _both(parts, denied)

    def _nested(self, operand: Operand, field: Field | None, tree: Fields, denied: bool, *, is_filled: bool) -> bool:
        if operand is Operand.SEARCH:
            return self._search(tree, denied, is_filled=is_filled)
        if operand is Operand.LENGTH:
            return self._operators(_NUMBER, None, tree, denied, is_filled=is_filled)
        assert field is not None
        named = self._named(field)
        operators = bound_operators(named) if operand is Operand.BOUND else operators_of(named)
        return self._operators(operators, None, tree, denied, is_filled=False)  # a range may lack a bound

    def _search(self, tree: Fields, denied: bool, *, is_filled: bool) -> bool:
        parts = [
            self._comparison(name, searcher(name), leaf, denied, is_filled=is_filled)
            for name in SEARCHES
            if isinstance(leaf := tree.fields.get(name), Leaf)
        ]
        rank = tree.fields.get(RANK)
        if isinstance(rank, Fields) and rank.value is not None:
            parts.append(self._operators(_NUMBER, None, rank, denied, is_filled=is_filled))
        return _both(parts, denied)

    def _comparison(self, name: str, operator: Operator, leaf: Leaf, denied: bool, *, is_filled: bool) -> bool:
        value: Any = None if leaf.value is None else leaf.get(self._variables)
        if value is None:  # which what is never null is always another than
            return is_filled and (name == "eq") == denied
        is_empty = isinstance(value, (str, list, dict)) and not value
        return is_empty and operator.empty is (not denied)

    def _named(self, field: Field) -> Scalar | EnumType:
        # An aggregate may be of a type that no field has.
        named = self._model.types.get(field.type.named) or SCALARS[field.type.named]
        assert isinstance(named, (Scalar, EnumType))
        return named


def _both(parts: Iterator[bool] | list[bool], denied: bool) -> bool:
    """Of conditions that must all hold: true of every row if all are; of none if one is."""
    return any(parts) if denied else all(parts)


def _present(tree: Fields) -> Iterator[tuple[str, Tree]]:
    """What is no condition is left out: an absent key, and a null that no value is compared with."""
    return ((name, below) for name, below in tree.fields.items() if isinstance(below, Leaf) or below.value is not None)
