"""The annotations for shapes of rows other than one or a list, and the types that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from fraiseql.schema.connections import connection_types
from fraiseql.schema.model import NamedType, ObjectType, Shape

__all__ = ["SHAPES", "Connection", "ShapedType", "derived_types"]

T = TypeVar("T")


class Connection(Generic[T]):
    """Rows of T page by page, each with a cursor to go on from: Relay's connection.

    The annotation of a query, a live subscription or a relation; T has a `sql_source` and a field `id`, which is unique
    and never null.
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


SHAPES: Final[Mapping[Any, Shape]] = MappingProxyType({Connection: Shape.CONNECTION})
"""The shape that each annotation stands for."""

_SUFFIXES: Final = {Shape.CONNECTION: "Connection"}
_DERIVE: Final[Mapping[Shape, Callable[[ObjectType, Mapping[str, NamedType]], Iterator[NamedType]]]] = MappingProxyType(
    {Shape.CONNECTION: connection_types}
)


def derived_types(shaped: ShapedType, types: Mapping[str, NamedType]) -> Iterator[NamedType]:
    """The types that a shape needs; those that several shapes need come again, equal."""
    target = types[shaped.of]
    assert isinstance(target, ObjectType)
    return _DERIVE[shaped.shape](target, types)
