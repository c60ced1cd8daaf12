"""Mutations of a table that a type is declared over: what is written where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from fraiseql.schema.fields import Field, Source, Through

__all__ = ["NestedRows", "Nesting", "TableAction", "Write", "WrittenColumn", "WrittenTable"]


class Write(Enum):
    """What is done with rows."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UPSERT = "upsert"


class Nesting(Enum):
    """How rows that are created along with others are bound to them."""

    PARENT = auto()
    """One row before its own, which names it."""
    CHILD = auto()
    """One row after its own, which it names."""
    CHILDREN = auto()
    """Several of them."""
    LINKED = auto()
    """Several, each by a row of a table between."""


@dataclass(frozen=True, slots=True)
class WrittenColumn:
    """A field that inputs have, and the column of the table that it is written to."""

    field: Field
    column: str


@dataclass(frozen=True, slots=True)
class NestedRows:
    """Rows that may be created along a relation.

    Attributes:
        name: of the relation, in GraphQL.
        target: the name of their type.
        on: `(their column, our column)` in the tables; with a table between `(their column, its column)`.
        through: the table between.
    """

    name: str
    target: str
    nesting: Nesting
    on: tuple[tuple[str, str], ...]
    through: Through | None = None


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """The table that a type's mutations write.

    Attributes:
        type: the name of the type.
        is_source: whether the type's rows are read from the table itself, and not from a view.
        key: the field that names a row.
        key_column: its column in the table.
        columns: what inputs may hold, by the names in GraphQL.
        constants: columns that each row of the type has the same text in: its discriminator.
        nested: what may be created along, by the names in GraphQL.
        conflicts: what an upsert finds rows by: names of fields by the name of the choice; the first by default.
        optional: names of those that the database has a default for.
        generated: columns that the database makes itself.
    """

    type: str
    table: Source
    is_source: bool
    key: Field
    key_column: str
    columns: Mapping[str, WrittenColumn]
    constants: Mapping[str, str]
    nested: Mapping[str, NestedRows]
    conflicts: Mapping[str, tuple[str, ...]]
    optional: frozenset[str] = frozenset()
    generated: frozenset[str] = frozenset()

    def field_of(self, column: str) -> str | None:
        """The name in inputs of what is written to a column; None where no input has it."""
        return next((name for name, each in self.columns.items() if each.column == column), None)


@dataclass(frozen=True, slots=True)
class TableAction:
    """Rows of a table inserted, updated or deleted.

    Attributes:
        write: what is done.
        many: whether with many rows.
        type: the name of their type.
        tables: of all types that have one, by the types' names.
    """

    write: Write
    many: bool
    type: str
    tables: Mapping[str, WrittenTable]

    @property
    def written(self) -> WrittenTable:
        """The table of its own type."""
        return self.tables[self.type]

    @property
    def finds(self) -> bool:
        """Whether it has an argument `where`."""
        return self.many and self.write in (Write.UPDATE, Write.DELETE)
