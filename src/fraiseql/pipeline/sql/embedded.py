"""Conditions on objects inside jsonb and on lists of them.

What is no object meets none, and what is no list has no elements: neither is an error where nothing of it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from fraiseql.pipeline.arguments import Fields, Leaf, Tree
from fraiseql.pipeline.operators import EMBEDDED_LIST_OPERATORS, OPERATORS, RELATION_OPERATORS, Operand, Operator
from fraiseql.pipeline.sql.values import Base
from fraiseql.schema.model import Field, ObjectType
from fraiseql.schema.scalar import FilterFamily

__all__ = ["EmbeddedFilters", "count_of", "is_object"]

_INT = OPERATORS[FilterFamily.ORDERED]
_Path = tuple[str, ...]
_Conditions: TypeAlias = "Callable[[ObjectType, Base, Tree, _Path, str], list[str]]"
_Operators: TypeAlias = "Callable[[Mapping[str, Operator], str, Field, Fields, _Path, str], list[str]]"


def is_object(jsonb: str) -> str:
    """The condition that a value is an object; unknown where there is none."""
    return f"jsonb_typeof({jsonb}) = 'object'"


def _list(jsonb: str) -> str:
    return f"case when jsonb_typeof({jsonb}) = 'array' then {jsonb} end"


def count_of(jsonb: str) -> str:
    """How many elements a list has; null for what is no list."""
    return f"jsonb_array_length({_list(jsonb)})"


class EmbeddedFilters:
    """Renders them.

    Args:
        numbers: of the aliases of sources, which no two in the statement share.
        conditions: on an object, one level deeper.
        operators: on one value.
    """

    def __init__(self, numbers: Iterator[int], conditions: _Conditions, operators: _Operators) -> None:
        self._numbers = numbers
        self._conditions = conditions
        self._operators = operators

    def on(
        self, field: Field, target: ObjectType, ours: Base, tree: Fields, path: _Path, place: str, *, denied: bool
    ) -> list[str]:
        """The conditions of `where` on a field that holds an object of a type, or a list of them.

        Args:
            denied: whether it matters that they are false, and not unknown, where they do not hold. Where it does not,
                they stay as an index on an expression has them.
        """
        jsonb = ours.element(field)
        if field.type.item is not None:
            return self._on_list(field, target, jsonb, tree, path, place)
        met = self.met(target, jsonb, tree, path, place)
        return [f"({met}) is true" if denied else met]

    def met(self, target: ObjectType, jsonb: str, tree: Tree, path: _Path, place: str) -> str:
        """That a value is an object, and meets the conditions."""
        return " and ".join([is_object(jsonb), *self._conditions(target, Base("", jsonb), tree, path, place)])

    def _on_list(
        self, field: Field, target: ObjectType, jsonb: str, tree: Fields, path: _Path, place: str
    ) -> list[str]:
        conditions: list[str] = []
        for name, below in tree.fields.items():
            operator, here = EMBEDDED_LIST_OPERATORS[name], f"{place}.{name}"
            if isinstance(below, Leaf):
                conditions += self._operators(EMBEDDED_LIST_OPERATORS, jsonb, field, Fields({name: below}), path, place)
            elif below.value is not None and operator.operand is Operand.LENGTH:
                assert isinstance(below, Fields)
                conditions += self._operators(_INT, count_of(jsonb), field, below, path, here)
            elif below.value is not None:
                conditions.append(self._exists(name, target, jsonb, below, path, here))
        return conditions

    def _exists(self, name: str, target: ObjectType, jsonb: str, tree: Tree, path: _Path, place: str) -> str:
        word, failing, _ = RELATION_OPERATORS[name]
        alias = f"j${next(self._numbers)}"
        met = self.met(target, f"{alias}.value", tree, path, place)
        wanted = f"({met}) is not true" if failing else met
        return f"{word} (select from jsonb_array_elements({_list(jsonb)}) {alias}(value) where {wanted})"
