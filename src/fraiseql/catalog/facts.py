"""What is known of a database: values without meaning, as its catalogs tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Catalog", "Column", "DataType", "ForeignKey", "Index", "Table"]


@dataclass(frozen=True, slots=True)
class DataType:
    """A type.

    Attributes:
        kind: pg_type.typtype: b(ase), e(num), d(omain), c(omposite), r(ange), m(ultirange), p(seudo).
        base: what a domain is made of.
        element: what an array is made of.
        required: a domain that is NOT NULL.
        labels: of an enum, in order.
        checks: the constraints of a domain, as PostgreSQL spells them.
    """

    schema: str
    name: str
    kind: str
    comment: str | None = None
    base: DataType | None = None
    element: DataType | None = None
    required: bool = False
    labels: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    @property
    def bare(self) -> DataType:
        """Below all domains."""
        return self if self.base is None else self.base.bare


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        number: its place in the table; negative for a system column.
        quoted: its name as SQL needs it.
        shown: its type as SQL spells it.
        required: NOT NULL, by itself or by its domain.
        readable: whether the role may select it.
        has_default: whether it needs no value: it has a default, or is an identity or generated.
        is_generated: whether it takes no value: PostgreSQL always makes it.
        insertable, updatable: whether the role may do so.
    """

    number: int
    name: str
    quoted: str
    type: DataType
    shown: str
    required: bool
    readable: bool = True
    dimensions: int = 0
    comment: str | None = None
    has_default: bool = False
    is_generated: bool = False
    insertable: bool = True
    updatable: bool = True


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of one table that name a row of another: `columns` are ours, `target_columns` theirs."""

    name: str
    columns: tuple[str, ...]
    target: int
    target_columns: tuple[str, ...]
    valid: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index that can serve any row: neither partial nor broken. An expression in it is an empty name.

    Attributes:
        immediate: whether it refuses a row at once, and not only when the transaction ends.
    """

    columns: tuple[str, ...]
    unique: bool
    method: str
    immediate: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table, view, materialised view, partitioned or foreign table.

    Attributes:
        oid: by which foreign keys and views name it.
        quoted: its name as SQL needs it, with its schema unless the search path finds it.
        kind: pg_class.relkind: r, p, v, m or f.
        visible: whether its name alone finds it on the search path.
        usable: whether the role may use its schema.
        secured: whether row security hides rows.
        deletable: whether the role may delete rows.
        shadowed: whether a type of PostgreSQL's own has its name, which without a schema comes first.
        primary_key: its columns; empty for none.
        unique: the columns of the other unique constraints and indexes.
        checks: the constraints of single columns, by column, as PostgreSQL spells them.
        origins: for a simple view: the table and the column number behind each of its columns that is one.
    """

    oid: int
    schema: str
    name: str
    quoted: str
    quoted_schema: str
    kind: str
    columns: Mapping[str, Column]
    visible: bool = True
    usable: bool = True
    secured: bool = False
    comment: str | None = None
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    checks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origins: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    deletable: bool = True
    shadowed: bool = False

    @property
    def is_view(self) -> bool:
        """Whether it has no rows of its own, and tells nothing about nulls."""
        return self.kind in "vm"


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that was asked for.

    Attributes:
        role: who asked, as SQL needs it.
        found: for each source that was asked for, in that order: its table, or None.
        tables: every table that is known, by oid: those, and for a check the ones that their views read.
        names: the tables and views there are, `name` on the search path or `schema.name`, where a source is missing.
    """

    role: str
    found: tuple[Table | None, ...]
    tables: Mapping[int, Table]
    names: tuple[str, ...] = ()
