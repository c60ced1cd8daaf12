"""The annotations for shapes of rows other than one or a list, and the types that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from fraiseql.schema.aggregates import aggregate_types, group_types
from fraiseql.schema.connections import connection_types
from fraiseql.schema.model import NamedType, ObjectType, Shape

__all__ = ["SHAPES", "Aggregate", "Connection", "Group", "ShapedType", "derived_types"]

T = TypeVar("T")


class Connection(Generic[T]):
    """Rows of T page by page, each with a cursor to go on from: Relay's connection.

    The annotation of a query, a live subscription or a relation; T has a `sql_source` and a field `id`, which is unique
    and never null.
    """


class Aggregate(Generic[T]):
    """Figures about all rows of T: how many there are, and the sums, averages, smallest and largest values of fields.

    The annotation of a query, a live subscription or a relation; T has a `sql_source`.
    """


class Group(Generic[T]):
    """Rows of T that have the selected fields of the key in common, and figures about them; used as `list[Group[T]]`.

    The annotation of a query, a live subscription or a relation; T has a `sql_source`.
    """


@dataclass(frozen=True, slots=True)
class ShapedType:
    """A shape of the rows of a type, as an annotation names it."""

    shape: Shape
    of: str

    @property
    def name(self) -> str:
        """Of the type in GraphQL."""
        return f"{self.of}{_SUFFIXES[self.shape]}"


SHAPES: Final[Mapping[Any, Shape]] = MappingProxyType(
    {Connection: Shape.CONNECTION, Aggregate: Shape.AGGREGATE, Group: Shape.GROUPS}
)
"""The shape that each annotation stands for."""

_SUFFIXES: Final = {Shape.CONNECTION: "Connection", Shape.AGGREGATE: "Aggregate", Shape.GROUPS: "Group"}
_DERIVE: Final[Mapping[Shape, Callable[[ObjectType, Mapping[str, NamedType]], Iterator[NamedType]]]] = MappingProxyType(
    {Shape.CONNECTION: connection_types, Shape.AGGREGATE: aggregate_types, Shape.GROUPS: group_types}
)


def derived_types(shaped: ShapedType, types: Mapping[str, NamedType]) -> Iterator[NamedType]:
    """The types that a shape needs; those that several shapes need come again, equal."""
    target = types[shaped.of]
    assert isinstance(target, ObjectType)
    return _DERIVE[shaped.shape](target, types)
