"""The place of a computed field in a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from fraiseql.errors import RequestError
from fraiseql.pipeline.plan import SelectedField, Selection
from fraiseql.schema.model import Field, ObjectType, Resolver

__all__ = ["Failure", "Place", "RowSlot", "Slot", "field_of", "place_of", "resolver_of"]


Place: TypeAlias = tuple[str, int]
"""A selected field of a type: members of an abstract type may share it."""


class Failure:
    """Stands in a result where there is no value."""

    __slots__ = ("error",)

    def __init__(self, error: RequestError) -> None:
        self.error = error


@dataclass(slots=True, eq=False)
class Slot:
    """Stands in a result until its field is computed.

    Attributes:
        owner: the type of the object that has the field.
        instance: what the method is called with.
        path: in the response.
        is_native: whether the instance is a user's own, and not made here.
        value: for JSON, once the method was called; a Failure where it has none.
    """

    selected: SelectedField
    owner: ObjectType
    instance: Any
    path: tuple[str | int, ...]
    is_native: bool
    value: Any = None


@dataclass(slots=True, eq=False)
class RowSlot:
    """Stands in a result for an object from Python until SQL has served the relations that it does not hold.

    Attributes:
        native: the object.
        record: the row that it is for SQL.
        type_name: what it tells of its type under the hidden key; empty where it does not.
        value: for JSON, once SQL has served it; a Failure where it has none.
    """

    selection: Selection
    native: Any
    record: bytes
    path: tuple[str | int, ...]
    type_name: str
    value: Any = None


def field_of(selected: SelectedField) -> Field:
    """The field, of a selected one that is computed."""
    assert selected.field is not None
    return selected.field


def resolver_of(selected: SelectedField) -> Resolver:
    """How a selected field is computed."""
    resolver = field_of(selected).resolver
    assert resolver is not None
    return resolver


def place_of(owner: ObjectType, selected: SelectedField) -> Place:
    """The key of a selected field of a type."""
    return owner.name, id(selected)
