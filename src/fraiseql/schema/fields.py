"""What a field becomes: its type, where its values are, and where it leads; `model` has all that is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final

from fraiseql.schema.expressions import Expression

__all__ = [
    "UNDECLARED",
    "Field",
    "InputField",
    "Membership",
    "PageSizes",
    "Relation",
    "Resolver",
    "Shape",
    "Source",
    "Through",
    "TypeReference",
]


@dataclass(frozen=True, slots=True)
class TypeReference:
    """A use of a type: a named one, or a list of `item`; either may be nullable."""

    nullable: bool
    name: str = ""
    item: TypeReference | None = None

    @property
    def named(self) -> str:
        """The name at the bottom, below all lists."""
        return self.name if self.item is None else self.item.named

    def __str__(self) -> str:
        inner = self.name if self.item is None else f"[{self.item}]"
        return inner if self.nullable else f"{inner}!"


@dataclass(frozen=True, slots=True)
class Source:
    """A table or view: `name` within `schema`, or on the search path where that is None.

    With a `jsonb_column` the fields are keys of that column, otherwise they are columns.
    """

    name: str
    schema: str | None
    jsonb_column: str | None

    def __str__(self) -> str:
        """As `sql_source` names it."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


class Shape(Enum):
    """How the rows of a source are given."""

    ROW = auto()
    """At most one of them."""
    LIST = auto()
    """A page of them."""
    CONNECTION = auto()
    """A page of them with cursors, as Relay has it."""
    AGGREGATE = auto()
    """Figures about all of them."""
    GROUPS = auto()
    """A page of groups of them, with figures about each."""

    @property
    def is_list(self) -> bool:
        """Whether they are a list in GraphQL."""
        return self in (Shape.LIST, Shape.GROUPS)

    @property
    def is_paged(self) -> bool:
        """Whether they come in pages."""
        return self in (Shape.LIST, Shape.CONNECTION, Shape.GROUPS)

    @property
    def is_to_many(self) -> bool:
        """Whether conditions and orders lead across a relation of this shape to many rows; to one for ROW."""
        return self in (Shape.LIST, Shape.CONNECTION)

    @property
    def is_crossed(self) -> bool:
        """Whether conditions and orders lead across a relation of this shape."""
        return self is Shape.ROW or self.is_to_many


@dataclass(frozen=True, slots=True)
class PageSizes:
    """How many rows a list gives: without `limit`, and the largest `limit`; None where nothing is declared."""

    default: int | None = None
    largest: int | None = None


UNDECLARED: Final = PageSizes()
"""Nothing is declared."""


@dataclass(frozen=True, slots=True)
class Through:
    """The table between both ends of a relation: `own` are `(its column, our column)` pairs that must be equal."""

    source: Source
    own: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows of another source: `(their column, our column)` pairs that must be equal.

    With a table between, they are `(their column, its column)`, and each row is there once, however often that table
    names it.

    Attributes:
        target: the type of the rows.
    """

    on: tuple[tuple[str, str], ...]
    target: str
    shape: Shape
    page_sizes: PageSizes = UNDECLARED
    through: Through | None = None

    @property
    def begins_at(self) -> tuple[str, ...]:
        """Our columns."""
        return tuple(ours for _, ours in (self.on if self.through is None else self.through.own))


@dataclass(frozen=True, slots=True)
class Resolver:
    """The Python function that a field's values come from.

    Attributes:
        function: called with an instance, or with a list of all of them where `is_batch`, and with each argument of the
            field by its `target`.
        takes_info: whether it has the parameter `info`.
        needs: the attributes that the instance must hold; None for all that are no relation.
        is_batch: whether it gives a list of values, one for each instance.
    """

    function: Callable[..., Any]
    takes_info: bool = False
    needs: tuple[str, ...] | None = None
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One output field.

    Attributes:
        name: in GraphQL.
        column: the real column that holds it; None where it is a key of the source's jsonb column.
        key: its key wherever its type is read from jsonb.
        relation: where it leads, for a field served from another source.
        attribute: its name in Python.
        resolver: what computes it, for a field that no source holds.
        expression: the SQL that computes it, in place of a column or a key.
        deprecated: why it should not be used any more.
        arguments: of its own; a relation has those of its shape.
    """

    name: str
    type: TypeReference
    description: str | None
    column: str | None
    key: str
    relation: Relation | None = None
    attribute: str = ""
    expression: Expression | None = None
    deprecated: str | None = None
    resolver: Resolver | None = None
    arguments: Mapping[str, InputField] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_held(self) -> bool:
        """Whether its own object holds it: it is neither a relation nor computed."""
        return self.relation is None and self.resolver is None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its own row that it is read from, or that its relation begins at."""
        if self.relation is not None:
            return self.relation.begins_at
        if self.expression is not None:
            return self.expression.columns
        return () if self.column is None else (self.column,)

    @property
    def place(self) -> tuple[object, ...]:
        """Equal for fields that hold the same value of a row."""
        resolver = None if self.resolver is None else self.resolver.function
        return (self.type, self.column, self.key, self.relation, self.expression, resolver)


@dataclass(frozen=True, slots=True)
class Membership:
    """Which rows of a source that several types share are of one of them: those whose `discriminator` is `value`."""

    discriminator: Field
    value: str


@dataclass(frozen=True, slots=True)
class InputField:
    """One field of an input type; `default` holds only if `has_default`.

    Attributes:
        or_none: whether functions in Python are given None where it is absent; others can tell that from null.
    """

    name: str
    type: TypeReference
    description: str | None
    target: str
    has_default: bool = False
    default: Any = None
    deprecated: str | None = None
    or_none: bool = False
